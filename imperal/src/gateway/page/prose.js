// Draws Markdown texts: summaries, errors, messages, and long texts of answers that are prose. Owns the elements of each mark
// and how much of a long text is drawn first. Parsing is markdown.js; a caller's own parameters stay as typed and do not
// come here.

import { copyButton } from "./copy-button.js";
import { beginning } from "./cut-text.js";
import { h, refill } from "./dom.js";
import { link } from "./links.js";
import { hasMarks, parseBlocks } from "./markdown.js";
import { inline } from "./markdown-inline.js";
import { longText, verbatim } from "./show-more.js";
import { count } from "./format.js";

const FIRST = 1200; // characters drawn at first
const LINE = FIRST / 24; // and a line counts as at least so many: short lines and items need room too
const CODE_MOST = 16 * LINE; // a block of code scrolls from a height on
const SLACK = 1.25; // a text that is only so much longer is not folded
const MORE = 50_000; // and with each press
const MOST = 300_000; // longer texts are drawn as they are

/** A text of the extension with its Markdown; without any mark it is drawn as it is. */
export function prose(text) {
  if (text.length > MOST || !hasMarks(text)) return longText(text);
  const blocks = parseBlocks(text);
  const whole = sizeOfAll(blocks);
  const holder = h("div", { class: "prose", dir: "auto" });
  const draw = (most) => {
    const { kept, left } = whole <= most * SLACK ? { kept: blocks, left: 0 } : take(blocks, most);
    refill(holder, kept.map(block(new Levels())));
    return left;
  };
  const left = draw(FIRST);
  return left ? h("div", null, holder, moreButton(draw, left, text.length)) : holder;
}

/** A long text of an answer: with its Markdown if it is prose, as it is if it may be code, a log or a table. */
export const proseOrText = (text) => (looksLikeProse(text) ? prose(text) : longText(text));

/** A short text with the marks of one line, without blocks: for errors at a field. */
export const line = (text) => inline(text).map(part);

const CODE =
  /[{};]\s*$|^\s*(?:import|from|use|def|fn|let|const|var|class|public|return|select|insert|<\/?[a-z]|#include)\b/i;

function looksLikeProse(text) {
  const lines = text
    .slice(0, 4000)
    .replace(/^```[^]*?^```/gm, "")
    .split("\n")
    .filter((one) => one.trim());
  return lines.filter((one) => CODE.test(one)).length <= lines.length / 5;
}

function moreButton(draw, left, length) {
  const button = h("button", { type: "button", class: "quiet small" });
  let shown = FIRST;
  const set = (rest) => {
    left = rest;
    const many = `Show more of ${length.toLocaleString()} characters`;
    button.textContent = !rest ? "Show less" : rest <= MORE ? "Show all" : many;
    button.setAttribute("aria-expanded", String(shown > FIRST));
  };
  set(left);
  button.addEventListener("click", () => {
    shown = left ? shown + MORE : FIRST;
    set(draw(shown));
  });
  return button;
}

/** The first blocks, up to a size, and the size of the rest. */
function take(blocks, most) {
  const kept = [];
  let room = most;
  let left = 0;
  for (const one of blocks) {
    const size = sizeOf(one);
    if (room <= 0) left += size;
    else if (size <= room) kept.push(one);
    else {
      const part = cut(one, room, kept.length === 0);
      if (part) kept.push(part);
      if (part !== one) left += part ? Math.max(1, size - sizeOf(part)) : size;
    }
    room -= size;
  }
  return { kept, left };
}

/** The part of a block that fits; null if it waits for the next step. */
function cut(one, room, first) {
  if (one.kind === "paragraph") {
    const end = fitting(one.text, room);
    return end > 0 ? { ...one, text: `${beginning(one.text, end).trimEnd()}…` } : null;
  }
  if (one.kind === "quote") return { ...one, blocks: take(one.blocks, room).kept };
  if (one.kind === "list") return { ...one, items: someItems(one.items, room) };
  if (one.kind === "table") {
    const rows = one.rows.slice(0, Math.max(1, Math.floor(room / LINE)));
    return rows.length < one.rows.length ? { ...one, rows } : one;
  }
  return first ? one : null; // code is drawn whole, in its own steps
}

function someItems(items, room) {
  const kept = [];
  for (const item of items) {
    const size = sizeOfAll(item);
    if (size > room) {
      if (room > 0) kept.push(take(item, room).kept);
      return kept.filter((part) => part.length > 0);
    }
    kept.push(item);
    room -= size;
  }
  return kept;
}

/** How much of a text fits: whole lines, or a part of a long one. */
function fitting(text, room) {
  let at = 0;
  for (const line of text.split("\n")) {
    const size = sizeOfLine(line);
    if (size > room) return room > LINE ? at + room : at;
    room -= size;
    at += line.length + 1;
  }
  return text.length;
}

const sizeOfLine = (line) => Math.max(LINE, line.length);
const sizeOfText = (text) => text.split("\n").reduce((sum, line) => sum + sizeOfLine(line), 0);
const sizeOfAll = (blocks) => blocks.reduce((sum, one) => sum + sizeOf(one), 0);

/** How much room a block takes, in characters. */
function sizeOf({ kind, text, blocks, items, head, rows }) {
  if (kind === "list") return items.reduce((sum, item) => sum + sizeOfAll(item), 0);
  if (kind === "quote") return sizeOfAll(blocks);
  if (kind === "table") return [head, ...rows].reduce((sum, row) => sum + sizeOfLine(row.join()), 0);
  if (kind === "code") return Math.max(text.length / 16, Math.min(CODE_MOST, sizeOfText(text)));
  return kind === "rule" ? LINE : sizeOfText(text) + (kind === "heading" ? LINE : 0);
}

/** Levels of headings without a gap, whatever a text begins with: screen readers list them as a tree. */
class Levels {
  constructor() {
    this.open = [];
  }

  of(level) {
    while (this.open.at(-1) >= level) this.open.pop();
    this.open.push(level);
    return this.open.length + 1;
  }
}

const block = (levels) => (one) => DRAW[one.kind](one, levels);

const DRAW = {
  paragraph: ({ text }) => h("p", null, inline(text).map(part)),
  heading: ({ level, text }, levels) =>
    h("div", { class: "prose-heading", role: "heading", "aria-level": levels.of(level) }, inline(text).map(part)),
  rule: () => h("hr"),
  quote: ({ blocks }, levels) => h("blockquote", null, blocks.map(block(levels))),
  code: ({ text, language }) =>
    h(
      "div",
      { class: "code-block" },
      h(
        "div",
        { class: "code-head" },
        h("span", null, language || "code"),
        copyButton(() => text, "code"),
      ),
      verbatim(text),
    ),
  list: ({ ordered, start, items }, levels) =>
    h(
      ordered ? "ol" : "ul",
      { start: ordered && start !== 1 && start },
      items.map((item) => h("li", null, item.map(block(levels)))),
    ),
  table: ({ head, rows, aligns }) => {
    const cell = (tag, scope) => (text, column) =>
      h(tag, { scope, class: aligns[column] !== "left" && aligns[column] }, inline(text).map(part));
    return h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "group", "aria-label": `Table, ${count(rows.length, "row")}` },
      h(
        "table",
        null,
        h("thead", null, h("tr", null, head.map(cell("th", "col")))),
        h(
          "tbody",
          null,
          rows.map((row) => h("tr", null, row.map(cell("td")))),
        ),
      ),
    );
  },
};

function part(one) {
  if (typeof one === "string") return one;
  if (one.kind === "code") return h("code", { class: "code-span" }, one.text);
  if (one.kind === "address") return link(one.url, one.url);
  if (one.kind === "link") return link(one.url, one.parts.map(part));
  return h(one.kind, null, one.parts.map(part));
}
