// Words for a task that tell it from others: a short id, and the beginning of its call's parameters.

import { shortened } from "./cut-text.js";
import { isExact, write } from "./exact-json.js";
import { humanise } from "./format.js";

const EXCERPT = 90; // characters

/** The end of an id, by which the terminal's commands find the task too. */
export const shortId = (id) => id.slice(-8);

/** The beginning of a call's parameters, in one line; empty if there are none. */
export function excerpt(params) {
  const entries = Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== "");
  const one = (value) => (typeof value === "string" ? value : isExact(value) ? value.rawJSON : write(value));
  const words =
    entries.length === 1 ? one(entries[0][1]) : entries.map(([key, v]) => `${humanise(key)}: ${cut(one(v))}`);
  return cut(Array.isArray(words) ? words.join(" · ") : words);
}

function cut(text) {
  const line = text
    .slice(0, 4 * EXCERPT)
    .replace(/\s+/g, " ")
    .trim();
  return shortened(line, EXCERPT);
}
