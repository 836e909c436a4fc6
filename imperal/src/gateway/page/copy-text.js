// What "Copy" copies: an answer as a person sees it, not its JSON. A text alone, a table as rows with tabs and as an HTML
// table, other data as lines. Everything is copied, also what is folded on the page.

import { isExact, write } from "./exact-json.js";
import { isFileRef } from "./file-words.js";
import { humanise } from "./format.js";
import { isNode, listOf } from "./ui-props.js";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isExact(value);
const isScalar = (value) => value === null || typeof value !== "object" || isExact(value);
const isRows = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((one) => isObject(one) && !isFileRef(one));

/** The data of an answer as `{text, html?}`. */
export function seen(data) {
  const only = isObject(data) && Object.keys(data).length === 1 ? Object.values(data)[0] : data;
  if (isRows(only)) return table(columnsOf(only), only);
  return { text: (isObject(only) && soleText(only)) || textOf(only) };
}

/** A UI tree as text. */
export const seenTree = (tree) => ({
  text: nodeText(tree)
    .replace(/\n{3,}/g, "\n\n")
    .trim(),
});

function textOf(value) {
  if (isScalar(value)) return plain(value);
  if (isFileRef(value)) return value.name;
  if (isRows(value)) return table(columnsOf(value), value).text;
  if (Array.isArray(value)) return value.map((one) => (isScalar(one) ? plain(one) : textOf(one))).join("\n");
  return lines(value);
}

/** The one text among facts, if nothing else has parts: a text has at least three words. */
function soleText(value) {
  const all = Object.values(value);
  const texts = all.filter((one) => typeof one === "string" && /\s\S+\s/.test(one));
  return all.every(isScalar) && texts.length === 1 ? texts[0] : null;
}

function lines(value) {
  return Object.entries(value)
    .map(([key, one]) => {
      const text = isScalar(one) ? plain(one) : Array.isArray(one) && one.every(isScalar) ? cell(one) : textOf(one);
      return text.includes("\n") ? `${humanise(key)}:\n${text}\n` : `${humanise(key)}: ${text}`;
    })
    .join("\n")
    .trimEnd();
}

const plain = (value) =>
  value === null || value === undefined
    ? ""
    : typeof value === "boolean"
      ? value
        ? "yes"
        : "no"
      : isExact(value)
        ? value.rawJSON
        : String(value);

const columnsOf = (rows) => [...new Set(rows.flatMap(Object.keys))].map((key) => ({ key, label: humanise(key) }));

function cell(value) {
  if (isScalar(value ?? null)) return plain(value);
  if (isFileRef(value)) return value.name;
  if (isNode(value)) return nodeText(value).trim();
  return Array.isArray(value) && value.every(isScalar) ? value.map(plain).join(", ") : write(value);
}

/** Rows for a spreadsheet, in both forms that one reads. */
function table(columns, rows) {
  const head = columns.map(({ label }) => label);
  const body = rows.map((row) => columns.map(({ key }) => cell(row?.[key])));
  const quoted = (text) => (/[\t\n\r"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const text = [head, ...body].map((row) => row.map(quoted).join("\t")).join("\n");
  const el = document.createElement("table");
  const part = (name, into) => into.appendChild(document.createElement(name));
  for (const [index, row] of [head, ...body].entries()) {
    const tr = part("tr", el);
    for (const one of row) part(index ? "td" : "th", tr).append(one);
  }
  return { text, html: new XMLSerializer().serializeToString(el) };
}

const WORDS = ["title", "label", "text", "subtitle", "value", "trend", "message", "description", "subheading", "meta"];
const PARTS = ["children", "content", "items", "tabs", "sections", "footer", "badge", "expanded_content"];

/** The texts of a node and of the nodes inside, one a line. */
function nodeText(value) {
  if (isScalar(value ?? null)) return plain(value);
  if (Array.isArray(value)) return value.map(nodeText).filter(Boolean).join("\n");
  const props = isNode(value) ? (value.props ?? {}) : value;
  if (/^(Data)?Table$/.test(value.type))
    return table(
      listOf(props.columns).map((one) => (typeof one === "string" ? { key: one, label: humanise(one) } : one)),
      listOf(props.rows),
    ).text;
  if (props.key !== undefined && isScalar(props.value ?? null))
    return `${plain(props.label ?? props.key)}: ${plain(props.value)}`;
  const words = WORDS.map((key) => cell(props[key]));
  const parts = PARTS.map((key) => (props[key] === undefined ? "" : nodeText(props[key])));
  return [words.filter(Boolean).join(" · "), ...parts].filter(Boolean).join("\n");
}
