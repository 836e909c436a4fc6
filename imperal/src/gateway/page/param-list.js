// The parameters of a call, as a list of names and values: in the call's bubble, and in the question before a destructive call.
// Every parameter is shown; a long one begins folded.

import { partLength } from "./cut-text.js";
import { h } from "./dom.js";
import { isFileId } from "./file-words.js";
import { fileParam } from "./file-view.js";
import { isExact, write } from "./exact-json.js";
import { humanise } from "./format.js";
import { describe } from "./schema.js";
import { stepped } from "./show-more.js";

const SHORT = 280; // characters of a parameter at first
const LINES = 6;
const MOST_FILES = 25;

/** The element, or null if there are no parameters. `schema` tells which of them are files, if it is known. */
export function paramList(value, schema) {
  if (!value || typeof value !== "object") return null;
  const entries = Object.entries(value).filter(([, v]) => v !== null && v !== "");
  if (!entries.length) return null;
  const files = fileNames(schema);
  if (entries.length === 1 && typeof entries[0][1] === "string" && !files.has(entries[0][0]))
    return h("div", { class: "param-text", dir: "auto" }, folded(entries[0][1]));
  return namedParams(entries, schema);
}

/** The names of the parameters that are files, or lists of them. */
function fileNames(schema) {
  const field = schema ? describe(schema, schema, "", true) : null;
  const fields = field?.kind === "object" ? field.fields() : [];
  return new Set(fields.filter(({ kind }) => kind === "file" || kind === "files").map(({ name }) => name));
}

/** Each parameter with its name, also when there is only one. */
export function namedParams(entries, schema) {
  const files = fileNames(schema);
  const draw = (key, v) => (files.has(key) ? filesOrValue(v) : one(v));
  return h(
    "dl",
    { class: "params" },
    entries.map(([key, v]) => h("div", null, h("dt", null, humanise(key)), h("dd", { dir: "auto" }, draw(key, v)))),
  );
}

function filesOrValue(value) {
  const ids = Array.isArray(value) ? value : [value];
  return ids.length > 0 && ids.length <= MOST_FILES && ids.every(isFileId) ? ids.map(fileParam) : one(value);
}

function one(value) {
  if (isExact(value)) return value.rawJSON;
  if (typeof value === "string") return folded(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(value);
  return h("code", { class: "inline-json" }, folded(write(value)));
}

function folded(text) {
  const first = partLength(text, SHORT, LINES);
  if (first >= text.length) return text;
  return stepped(h("span"), text, { first, draw: (part) => [part], look: "link" });
}
