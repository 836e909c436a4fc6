// The parameters of a call, as a list of names and values: in the call's bubble, and in the question before a destructive call.
// Every parameter is shown; a long one begins folded.

import { partLength } from "./cut-text.js";
import { h } from "./dom.js";
import { isExact, write } from "./exact-json.js";
import { humanise } from "./format.js";
import { stepped } from "./show-more.js";

const SHORT = 280; // characters of a parameter at first
const LINES = 6;

/** The element, or null if there are no parameters. */
export function paramList(value) {
  if (!value || typeof value !== "object") return null;
  const entries = Object.entries(value).filter(([, v]) => v !== null && v !== "");
  if (!entries.length) return null;
  if (entries.length === 1 && typeof entries[0][1] === "string")
    return h("div", { class: "param-text", dir: "auto" }, folded(entries[0][1]));
  return namedParams(entries);
}

/** Each parameter with its name, also when there is only one. */
export const namedParams = (entries) =>
  h(
    "dl",
    { class: "params" },
    entries.map(([key, v]) => h("div", null, h("dt", null, humanise(key)), h("dd", { dir: "auto" }, one(v)))),
  );

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
