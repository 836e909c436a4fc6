// Draws the data of an answer by its shape: text, pairs, table, list, links and images; a click shows the raw JSON. A turn
// is turns.js, a UI tree ui-tree.js, a file file-view.js, and how much is drawn at first show-more.js.
//
// Data comes from the extension and is not trusted: it becomes text nodes, only http and https addresses become links
// (links.js), and images of other hosts are not loaded (images.js).

import { copyButton, copySign } from "./copy-button.js";
import { seen, seenTree } from "./copy-text.js";
import { shortened } from "./cut-text.js";
import { h, icon, newId } from "./dom.js";
import { link, linked, urlOf } from "./links.js";
import { isExact, write } from "./exact-json.js";
import { code, isLong, jsonOf, linesOfText, longText, more, MOST_LINES, ROWS } from "./show-more.js";
import { fileCell, fileList, fileView, linesOfFile } from "./file-view.js";
import { isFileRef } from "./file-words.js";
import { imageFor } from "./images.js";
import { proseOrText } from "./prose.js";
import { count, fullTime, humanise, toneOfWord, zonedTime } from "./format.js";

const COLUMNS = 8;
const FEW = 10; // rows that need no count
const KEYS = 50; // pairs that are shown at first
const DEPTH = 3;
const LONG = 200; // characters, or more than one line: may be prose
const IN_CELL = 200; // characters of JSON in a cell of a table
const COLUMN = 80; // characters of a line of text, about
const CELL = 30; // and of a line in a cell
const TAGS = 6; // in a line
const CODE_LINES = 14; // JSON scrolls from a height on

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isExact(value);
const isEmpty = (value) =>
  value === null ||
  value === undefined ||
  value === "" ||
  (isObject(value) && !Object.keys(value).length) ||
  (Array.isArray(value) && !value.length);
const isScalar = (value) => value === null || typeof value !== "object" || isExact(value);

/** The data of a result, or null if there is none. */
export const showData = (data) => (isEmpty(data) ? null : h("div", { class: "data" }, shape(data, 0)));

const mayBeProse = (value) => typeof value === "string" && (value.length > LONG || value.includes("\n"));

/** Draws any value by its shape; `depth` 0 is a whole answer, more is inside one. */
export function shape(value, depth) {
  if (isScalar(value)) return depth > 0 && mayBeProse(value) ? copied(value) : scalar(value, depth === 0);
  if (Array.isArray(value)) return list(value, depth);
  if (isFileRef(value)) return fileView(value);
  const keys = Object.keys(value);
  if (depth === 0 && keys.length === 1) return lone(keys[0], value[keys[0]]);
  return depth < DEPTH ? pairs(value, depth) : code(value);
}

/** A single key adds nothing to a text or an image; lists and tables show it as their title. */
function lone(key, value) {
  if (isScalar(value)) return typeof value === "string" ? scalar(value, true) : pairs({ [key]: value }, 0);
  return h("section", { class: "titled" }, h("h3", { class: "data-title" }, humanise(key)), shape(value, 1));
}

function list(values, depth) {
  if (!values.length) return h("span", { class: "muted" }, "empty");
  if (values.every(isFileRef)) return fileList(values);
  if (values.every(isObject)) return depth < 2 ? table(values) : code(values);
  if (values.every(isTag))
    return more(values, (shown) =>
      h(
        "ul",
        { class: "tags" },
        shown.map((one) => h("li", { class: "chip" }, plain(one))),
      ),
    );
  if (values.every(isScalar))
    return more(
      values,
      (shown) =>
        h(
          "ul",
          { class: "plain-list" },
          shown.map((one) => h("li", { dir: "auto" }, scalar(one))),
        ),
      { linesOf: (one) => linesOf(one, 1) },
    );
  return code(values);
}

/** Short words and numbers, which read better side by side. */
const isTag = (value) =>
  typeof value === "number" ||
  (typeof value === "string" && value !== "" && value.length <= 24 && !/^https?:|^data:|\n/.test(value));

function pairs(value, depth) {
  const entries = Object.entries(value);
  return more(
    entries,
    (part) =>
      h(
        "dl",
        { class: "pairs" },
        part.map(([key, one]) =>
          h(
            "div",
            { class: isScalar(one) || (Array.isArray(one) && one.every(isTag)) ? "pair-row" : "pair-row deep" },
            h("dt", null, humanise(key)),
            h("dd", { dir: "auto" }, shape(one, depth + 1)),
          ),
        ),
      ),
    { most: KEYS, linesOf: ([, one]) => linesOf(one, depth + 1) },
  );
}

/** About how many lines a value takes at first, so that an answer of many long parts is folded too. */
function linesOf(value, depth, column = COLUMN) {
  if (typeof value === "string") return linesOfText(value, column);
  if (isScalar(value)) return 1;
  if (isFileRef(value)) return linesOfFile(value);
  const values = Object.values(value);
  const sum = (size) => {
    let lines = 1;
    for (const one of values) if ((lines += size(one)) >= MOST_LINES) return MOST_LINES;
    return lines;
  };
  if (!Array.isArray(value)) return depth < DEPTH ? sum((one) => linesOf(one, depth + 1)) : CODE_LINES;
  if (values.length && values.every(isObject)) return depth < 2 ? Math.min(ROWS + 2, sum(rowLines)) : CODE_LINES;
  if (values.every(isTag)) return Math.ceil(Math.min(ROWS, values.length) / TAGS);
  return values.every(isScalar) ? sum((one) => linesOf(one, depth + 1)) : CODE_LINES;
}

/** Lines of a row of a table: of its longest cell. */
const rowLines = (row) =>
  Math.max(
    1,
    ...Object.values(row)
      .slice(0, COLUMNS)
      .map((one) => (isScalar(one) ? linesOf(one, DEPTH, CELL) : 1)),
  );

function table(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const shown = columns.slice(0, COLUMNS);
  const numeric = new Set(
    shown.filter((key) =>
      rows.every((row) => row[key] === undefined || typeof row[key] === "number" || isExact(row[key])),
    ),
  );
  const graded = new Set(
    shown.filter(
      (key) =>
        rows.some((row) => toneOfWord(row[key])) && rows.every((row) => isEmpty(row[key]) || toneOfWord(row[key])),
    ),
  );
  const hidden = columns.length - shown.length;
  const label = `${count(rows.length, "row")}${hidden ? `, ${hidden} more columns in the JSON` : ""}`;
  const id = newId("table");
  return more(
    rows,
    (part) =>
      h(
        "div",
        { class: "table-scroll", tabindex: "0", role: "group", "aria-labelledby": id },
        h(
          "table",
          null,
          h("caption", { id, class: rows.length <= FEW && !hidden && "hidden" }, label),
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              shown.map((key) => h("th", { scope: "col", class: numeric.has(key) && "num" }, humanise(key))),
            ),
          ),
          h(
            "tbody",
            null,
            part.map((row) =>
              h(
                "tr",
                null,
                shown.map((key) =>
                  h(
                    "td",
                    { class: numeric.has(key) && "num", dir: numeric.has(key) ? null : "auto" },
                    graded.has(key) && toneOfWord(row[key])
                      ? h("span", { class: `chip ${toneOfWord(row[key])}` }, row[key])
                      : cell(row[key]),
                  ),
                ),
              ),
            ),
          ),
        ),
      ),
    { linesOf: rowLines },
  );
}

function cell(value) {
  if (value === undefined || value === null) return h("span", { class: "muted" }, "–");
  if (isScalar(value)) return scalar(value);
  if (isFileRef(value)) return fileCell(value);
  if (Array.isArray(value) && value.length <= ROOM && value.every(isScalar)) return short(value.map(plain).join(", "));
  return h("code", { class: "inline-json" }, short(write(value)));
}

const ROOM = 50; // items of a list that stand in a cell
const short = (text) => shortened(text, IN_CELL);

const plain = (value) => (isExact(value) ? value.rawJSON : String(value));

function scalar(value, large = false) {
  if (value === null) return h("span", { class: "muted" }, "none");
  if (typeof value === "boolean")
    return h("span", { class: `bool ${value ? "yes" : "no"}` }, icon(value ? "check" : "close"), value ? "yes" : "no");
  if (typeof value !== "string") return h("span", { class: "number" }, plain(value));
  const image = imageFor(value);
  if (image) return image;
  const url = urlOf(value);
  if (url) return link(url, value);
  if (INSTANT.test(value) && !Number.isNaN(Date.parse(value)))
    return h("time", { datetime: value, title: `${value}, here ${zonedTime(value)}` }, fullTime(value));
  if (large) return proseOrText(value);
  return isLong(value) ? longText(value) : h("span", { class: "text" }, linked(value));
}

/** A long text inside of an answer, with a sign that copies it alone. */
const copied = (text) =>
  h(
    "div",
    { class: "copied-text" },
    proseOrText(text),
    copySign(() => text, "Copy this text"),
  );

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Copy, and the raw JSON, as {tools, raw}. */
export function showTools(data, tree = null) {
  const raw = h("div", { class: "raw", hidden: true });
  const toggle = h(
    "button",
    { type: "button", class: "quiet small", "aria-expanded": "false" },
    icon("braces"),
    "JSON",
  );
  const whole = () => (tree ? { data, ui: tree } : data);
  toggle.addEventListener("click", () => {
    raw.hidden = !raw.hidden;
    toggle.setAttribute("aria-expanded", String(!raw.hidden));
    if (!raw.firstChild)
      raw.append(
        copySign(() => jsonOf(whole()), "Copy the JSON"),
        code(whole()),
      );
  });
  const copy = copyButton(() => (tree ? seenTree(tree) : seen(data)));
  return { tools: h("div", { class: "data-tools" }, copy, toggle), raw };
}
