// The parameters that a schema marks writeOnly: keys and passwords. Has the same rules as the platform, which stores none of
// them in the chat: at any depth, behind references, in any form.

/** All schemas that apply to one value, each once: a schema may refer to itself. */
function forms(schemas, root) {
  const all = new Set(schemas.filter(isObject));
  for (const s of all) {
    const more = [resolve(s.$ref, root), resolve(s.$dynamicRef, root), s.if, s.then, s.else, s.not];
    for (const many of [s.allOf, s.anyOf, s.oneOf, Object.values(s.dependentSchemas ?? {})]) more.push(...(many ?? []));
    for (const schema of more) if (isObject(schema)) all.add(schema); // a Set can grow while it is iterated
  }
  return [...all];
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function resolve(ref, root) {
  if (typeof ref !== "string" || !ref.startsWith("#")) return undefined;
  const parts = decodeURIComponent(ref.slice(1)).split("/").slice(1);
  return parts.reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], root);
}

function ofField(s, name) {
  const named = s.properties?.[name];
  return [
    named,
    ...Object.values(s.patternProperties ?? {}),
    ...(named === undefined ? [s.additionalProperties, s.unevaluatedProperties] : []),
  ];
}

function ofItem(s, at) {
  const first = s.prefixItems?.[at];
  return [first, ...(first === undefined ? [s.items, s.unevaluatedItems] : []), s.contains];
}

const areSecret = (all) => all.some((s) => s.writeOnly === true);

function strip(value, all, root) {
  if (Array.isArray(value)) {
    return value.map((item, at) => {
      const of = forms(
        all.flatMap((s) => ofItem(s, at)),
        root,
      );
      return areSecret(of) ? null : strip(item, of, root);
    });
  }
  if (!isObject(value) || Object.getPrototypeOf(value) !== Object.prototype) return value; // exact numbers are objects too
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    field,
    forms(
      all.flatMap((s) => ofField(s, name)),
      root,
    ),
  ]);
  return Object.fromEntries(
    fields.filter(([, , of]) => !areSecret(of)).map(([name, field, of]) => [name, strip(field, of, root)]),
  );
}

/** The parameters as the chat stores them; null for a value that is a secret as a whole. */
export function kept(params, schema) {
  if (!isObject(schema) || !hasAny(schema)) return params;
  const all = forms([schema], schema);
  return areSecret(all) ? null : strip(params, all, schema);
}

function hasAny(schema) {
  if (Array.isArray(schema)) return schema.some(hasAny);
  return isObject(schema) && (schema.writeOnly === true || Object.values(schema).some(hasAny));
}

/** The names of parameters that are not stored, or not completely. */
export function secrets(schema) {
  if (!isObject(schema) || !hasAny(schema)) return [];
  return Object.keys(schema.properties ?? {}).filter((name) => {
    const seen = new Set();
    const holds = (all) =>
      areSecret(all) || all.some((s) => !seen.has(s) && seen.add(s) && holds(forms(parts(s), schema)));
    return holds(forms([schema.properties[name]], schema));
  });
}

const parts = (s) => [
  ...[s.properties, s.patternProperties].flatMap((of) => Object.values(of ?? {})),
  ...[s.additionalProperties, s.unevaluatedProperties, s.items, s.unevaluatedItems, s.contains],
  ...(s.prefixItems ?? []),
];
