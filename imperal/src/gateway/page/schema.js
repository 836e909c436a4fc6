// Reads a JSON Schema (2020-12, as Rust types export it) into descriptions of fields, of which field-controls.js makes controls.
// A schema without anything that a form could use becomes the kind `json`, a box for JSON, so that every value can be entered.

import { isExact, same, write } from "./exact-json.js";
import { takenTypes } from "./file-words.js";
import { humanise } from "./format.js";

const FILE = "file-id"; // the format of a file parameter, whose value is the id of an uploaded file
const LONG_NAMES =
  /(^|_)(text|body|content|message|description|prompt|draft|notes?|comment|summary|query|markdown|html|code)$/i;

/**
 * The field of a schema. `name` is its key, `required` whether the key must be present.
 * Kinds: string, integer, number, boolean, choice, several, constant, file, files, object, list, tuple, map, variants, json.
 * An object has `rest`, the schema of keys that it does not name, if it allows such keys.
 */
export function describe(schema, root, name, required) {
  const { schema: s, nullable } = unwrap(schema, root);
  const base = {
    name,
    required,
    nullable,
    title: s.title && !isTypeName(s.title, name) ? s.title : humanise(name),
    help: s.description ?? "",
    fallback: s.default,
    schema: s,
    root,
  };
  return { ...base, ...shape(s, root, name) };
}

// schemars titles a schema with its Rust type: `RefineParams` is not a label for people.
const isTypeName = (title, name) => name === "" || /^[A-Z][A-Za-z0-9]*$/.test(title);

function shape(s, root, name) {
  if ("const" in s) return { kind: "constant", value: s.const };
  if (Array.isArray(s.enum)) return { kind: "choice", options: s.enum.map((value) => option(value)) };
  const branches = s.oneOf ?? s.anyOf;
  if (branches && s.properties)
    return { kind: "object", fields: fieldsOf(s, root), rest: null, also: variants(branches, root, name) };
  if (branches) return choice(branches, root) ?? variants(branches, root, name);
  switch (s.type) {
    case "string":
      if (s.format === FILE) return { kind: "file", types: takenTypes(s) };
      return { kind: "string", long: isLong(s, name) };
    case "integer":
    case "number":
    case "boolean":
      return { kind: s.type };
    case "array":
      if (Array.isArray(s.prefixItems)) return { kind: "tuple", parts: s.prefixItems };
      return files(s, root) ?? several(s, root) ?? { kind: "list", items: s.items ?? true };
    case "object":
      return object(s, root);
    default:
      return s.properties ? object(s, root) : { kind: "json" };
  }
}

function object(s, root) {
  const known = Object.keys(s.properties ?? {}).length > 0;
  const rest = restOf(s);
  // An empty struct has `properties: {}`; an object without a word about its keys accepts any.
  if (!known && (rest !== null || (s.additionalProperties !== false && !s.properties)))
    return { kind: "map", items: rest ?? true };
  return { kind: "object", fields: fieldsOf(s, root), rest };
}

/** The schema of values whose keys the object does not name; null if it allows none. */
function restOf(s) {
  const patterns = Object.values(s.patternProperties ?? {});
  const more = s.additionalProperties ?? s.unevaluatedProperties;
  if (patterns.length) return patterns.length === 1 && more === false ? patterns[0] : true;
  return more === true || (more !== null && typeof more === "object") ? more : null;
}

/** A list of files. Null for any other list. */
function files(s, root) {
  const { schema: item, nullable } = unwrap(s.items, root);
  return item.type === "string" && item.format === FILE && !nullable
    ? { kind: "files", types: takenTypes(item) }
    : null;
}

const SEVERAL = 16; // most choices that are shown as checkboxes

/** A list whose items are among a few constants: checkboxes. Null for any other list. */
function several(s, root) {
  const { schema: item, nullable } = unwrap(s.items, root);
  const constants = Array.isArray(item.enum)
    ? item.enum.map((value) => option(value))
    : item.oneOf
      ? choice(item.oneOf, root)?.options
      : null;
  return constants && !nullable && constants.length <= SEVERAL ? { kind: "several", options: constants } : null;
}

/** The fields of an object schema, in its order. Lazy, because schemas can be recursive. */
function fieldsOf(s, root) {
  const must = new Set(s.required ?? []);
  return () => Object.entries(s.properties ?? {}).map(([key, sub]) => describe(sub, root, key, must.has(key)));
}

function isLong(s, name) {
  if (s.writeOnly === true) return false;
  if (s.format) return s.format === "textarea" || s.format === "multiline";
  if (s.maxLength !== undefined) return s.maxLength > 200;
  return LONG_NAMES.test(name);
}

const option = (value, help, title) => ({
  value,
  help: help ?? "",
  title: title ?? (typeof value === "string" ? humanise(value) : write(value)),
});

/** Branches that are all constants make one choice; otherwise null. */
function choice(branches, root) {
  const options = [];
  for (const branch of branches) {
    const { schema: s } = unwrap(branch, root);
    if ("const" in s) options.push(option(s.const, s.description, s.title));
    else if (Array.isArray(s.enum)) options.push(...s.enum.map((value) => option(value, s.description)));
    else return null;
  }
  return { kind: "choice", options };
}

function variants(branches, root, name) {
  const options = branches.map((branch) => {
    const { schema: s } = unwrap(branch, root);
    return {
      schema: branch,
      title: variantTitle(s, root),
      help: s.description ?? "",
      accepts: (value) => fits(s, root, value),
    };
  });
  return { kind: "variants", options, name };
}

const TYPE_WORDS = {
  string: "Text",
  integer: "Whole number",
  number: "Number",
  boolean: "Yes or no",
  array: "List",
  object: "Object",
  null: "Nothing",
};

function variantTitle(s, root) {
  const tag = tagOf(s, root);
  if (tag) return humanise(tag.value);
  if ("const" in s) return humanise(s.const);
  const keys = Object.keys(s.properties ?? {});
  if (keys.length === 1) return humanise(keys[0]);
  return s.title ?? TYPE_WORDS[s.type] ?? (s.enum ? "One of a set" : "Other");
}

/** The property that identifies a variant: `{"kind": {"const": "circle"}}`. */
function tagOf(s, root) {
  for (const [key, sub] of Object.entries(s.properties ?? {})) {
    const { schema } = unwrap(sub, root);
    if (typeof schema.const === "string") return { key, value: schema.const };
  }
  return null;
}

/** Whether a value probably belongs to a variant: by its tag, else its keys, else its type. */
function fits(s, root, value) {
  if ("const" in s) return same(s.const, value);
  if (s.enum) return s.enum.some((one) => same(one, value));
  if (isExact(value)) return s.type === "number" || (s.type === "integer" && /^-?\d+$/.test(value.rawJSON));
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (s.properties) {
    if (!isObject) return false;
    const tag = tagOf(s, root);
    if (tag) return Object.hasOwn(value, tag.key) && value[tag.key] === tag.value;
    return (s.required ?? []).every((key) => Object.hasOwn(value, key));
  }
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return (
    s.type === undefined || s.type === type || (type === "number" && s.type === "integer" && Number.isInteger(value))
  );
}

/** Resolves references, merges `allOf`, and removes null from the types: `{schema, nullable}`. */
export function unwrap(schema, root) {
  let s = schema === true || schema === false || schema == null ? {} : schema;
  let nullable = false;
  for (let hops = 0; hops < 32; hops += 1) {
    if (typeof s.$ref === "string") {
      const { $ref, ...beside } = s;
      s = { ...(at(root, $ref) ?? {}), ...beside };
    } else if (Array.isArray(s.allOf)) {
      const { allOf, ...beside } = s;
      s = [...allOf.map((part) => unwrap(part, root).schema), beside].reduce(join, {});
    } else if (Array.isArray(s.type)) {
      const types = s.type.filter((type) => type !== "null");
      nullable ||= types.length < s.type.length;
      const { type, ...beside } = s;
      s =
        types.length === 1 ? { ...beside, type: types[0] } : { ...beside, anyOf: types.map((one) => ({ type: one })) };
      if (s.enum) s = { ...s, enum: s.enum.filter((value) => value !== null) };
    } else {
      const key = s.anyOf ? "anyOf" : s.oneOf ? "oneOf" : null;
      const branches = key ? s[key].filter((branch) => branch?.type !== "null" && branch?.const !== null) : null;
      if (!branches || (branches.length === s[key].length && branches.length > 1)) break;
      nullable ||= branches.length < s[key].length;
      const { [key]: _gone, ...beside } = s;
      s = branches.length === 1 ? { ...branches[0], ...beside } : { ...beside, [key]: branches };
    }
  }
  return { schema: s, nullable };
}

function join(a, b) {
  const joined = { ...a, ...b };
  if (a.properties && b.properties) joined.properties = { ...a.properties, ...b.properties };
  if (a.required && b.required) joined.required = [...a.required, ...b.required];
  return joined;
}

function at(root, ref) {
  if (!ref.startsWith("#")) return null;
  const steps = decodeURIComponent(ref.slice(1)).split("/").slice(1);
  return steps.reduce((node, step) => own(node, step.replaceAll("~1", "/").replaceAll("~0", "~")), root);
}

const own = (node, key) =>
  node !== null && typeof node === "object" && Object.hasOwn(node, key) ? node[key] : undefined;

/** `rows[2].id` or `/rows/2/id` as `["rows", 2, "id"]`. */
export function steps(path) {
  if (path.startsWith("/"))
    return path
      .slice(1)
      .split("/")
      .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  return [...path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)].map(([, index, quoted, key]) =>
    index === undefined ? (quoted ?? key) : Number(index),
  );
}
