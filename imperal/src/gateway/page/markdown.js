// Parses the Markdown of a text into blocks, in time linear in the text. Creates no elements: prose.js draws the blocks.
//
// The text is not trusted. It has no HTML and no pictures, and each limit below bounds what a hostile text can cost: the
// depth of nesting, the columns of a table, the marks of a text. Marks beyond a limit stay as they were typed.
//
// It differs from CommonMark where a text that is no Markdown would change its look: a single line break stays one, an
// indented line is no code, a setext underline is no heading, and `2*3*4` and `__init__` have no marks.

import { inline } from "./markdown-inline.js";

const DEPTH = 5; // lists and quotes inside one another
const COLUMNS = 20;

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(?=\S)/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,3}[.)])([ \t]+(?=\S)|$)/;
const QUOTE = /^ {0,3}> ?/;
const DIVIDER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/**
 * The blocks of a text: {kind: "paragraph" | "heading", text}, {kind: "code", text, language}, {kind: "rule"},
 * {kind: "quote", blocks}, {kind: "list", ordered, start, items: [blocks]}, {kind: "table", head, rows, aligns}.
 */
export const parseBlocks = (text) => blocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);

/** Whether a text has a mark that drawing it as Markdown would show. */
export const hasMarks = (text) => {
  const found = parseBlocks(text);
  return found.some(({ kind }) => kind !== "paragraph") || found.some((block) => inline(block.text).some(isMark));
};

const isMark = (part) => typeof part !== "string" && part.kind !== "address";

const isBlank = (line) => line.trim() === "";

function blocks(lines, depth) {
  const found = [];
  let paragraph = [];
  const close = () => {
    const text = paragraph.join("\n");
    paragraph = [];
    if (!isBlank(text)) found.push({ kind: "paragraph", text: text.replace(/^\n+/, "").trimEnd() });
  };
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    const read = isBlank(line) ? [at + 1, null] : special(lines, at, depth, paragraph.length > 0);
    if (!read) {
      paragraph.push(line);
      at += 1;
      continue;
    }
    close();
    if (read[1]) found.push(read[1]);
    at = read[0];
  }
  close();
  return found;
}

/** The block that begins at a line and is no paragraph, as [the line after it, the block]; null if there is none. */
function special(lines, at, depth, inParagraph) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [at + 1, { kind: "heading", level: heading[1].length, text: headingText(line, heading) }];
  if (RULE.test(line)) return [at + 1, { kind: "rule" }];
  if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) {
    const read = table(lines, at);
    if (read) return read;
  }
  if (depth >= DEPTH) return null;
  if (QUOTE.test(line)) return quote(lines, at, depth);
  const item = ITEM.exec(line);
  // Inside a paragraph a number may be the wrapped end of a sentence: "in the year\n2026. It was".
  if (item && !(inParagraph && /\d/.test(item[2]) && item[2].slice(0, -1) !== "1") && !(inParagraph && !item[3]))
    return list(lines, at, depth);
  return null;
}

function headingText(line, [before]) {
  const text = line.slice(before.length).trimEnd();
  let end = text.length;
  while (end > 0 && text[end - 1] === "#") end -= 1;
  return end === 0 || /[ \t]/.test(text[end - 1]) ? text.slice(0, end).trimEnd() : text;
}

function code(lines, at, [, mark, language]) {
  const closes = (line) => {
    const text = line.trim();
    return text.length >= mark.length && text === mark[0].repeat(text.length);
  };
  let end = at + 1;
  while (end < lines.length && !closes(lines[end])) end += 1;
  const text = lines.slice(at + 1, end).join("\n");
  return [Math.min(end + 1, lines.length), { kind: "code", text, language: language.trim().split(/\s/)[0] }];
}

function quote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [end, { kind: "quote", blocks: blocks(inner, depth + 1) }];
}

const typeOf = (marker) => (/\d/.test(marker) ? marker.at(-1) : marker);

/** Items of one kind of marker. A line that is indented by two belongs to its item; so does one right after its text. */
function list(lines, at, depth) {
  const [, , first] = ITEM.exec(lines[at]);
  const items = [];
  let end = at;
  let blank = false;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    const item = ITEM.exec(line);
    if (isBlank(line)) {
      blank = true;
      items.at(-1).push("");
      continue;
    }
    if (item && item[1].length < 2 && typeOf(item[2]) === typeOf(first) && !RULE.test(line)) {
      items.push([line.slice(item[0].length)]);
      items.at(-1).indent = Math.max(2, item[0].length);
    } else if (/^(?: {2}|\t)/.test(line)) items.at(-1).push(dedent(line, items.at(-1).indent));
    else if (!blank && !item && !special([line, lines[end + 1] ?? ""], 0, DEPTH, true)) items.at(-1).push(line);
    else break;
    blank = false;
  }
  const ordered = /\d/.test(first);
  const inner = items.map((one) => blocks(one, depth + 1));
  return [end, { kind: "list", ordered, start: ordered ? Number.parseInt(first, 10) : 1, items: inner }];
}

function dedent(line, most) {
  if (line[0] === "\t") return line.slice(1);
  let n = 0;
  while (n < most && line[n] === " ") n += 1;
  return line.slice(n);
}

function table(lines, at) {
  const head = cells(lines[at]);
  const marks = cells(lines[at + 1]);
  if (head.length !== marks.length || head.length > COLUMNS) return null;
  const aligns = marks.map((mark) => (mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "right") : "left"));
  const rows = [];
  let end = at + 2;
  for (; end < lines.length && !isBlank(lines[end]) && lines[end].includes("|"); end += 1) {
    const row = cells(lines[end]);
    rows.push(head.map((_, column) => row[column] ?? ""));
  }
  return [end, { kind: "table", head, rows, aligns }];
}

/** The cells of a row; `\|` is no border. */
function cells(line) {
  const text = line.trim();
  const found = [];
  let from = text[0] === "|" ? 1 : 0;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "|") {
      found.push(text.slice(from, at));
      from = at + 1;
    }
  }
  if (from < text.length) found.push(text.slice(from));
  return found.map((one) => one.trim().replaceAll("\\|", "|"));
}
