// A text with Markdown in plain words, for places that draw no elements: screen readers, tooltips, the row of a folded task. Owns
// which mark becomes which words; parsing is markdown.js.

import { beginning } from "./cut-text.js";
import { hasMarks, parseBlocks } from "./markdown.js";
import { inline } from "./markdown-inline.js";

const MOST = 4000; // characters that are read; such places show less

/** The words of a text, without its marks. A text without marks stays as it is. */
export function plainWords(text) {
  const read = beginning(text, MOST);
  return hasMarks(read) ? parseBlocks(read).map(blockWords).filter(Boolean).join(" ") : text;
}

const words = (text) => inline(text).map(partWords).join("").replace(/\s+/g, " ").trim();

const sentence = (text) => (text && !/[.!?:;,…]$/.test(text) ? `${text}.` : text);

function blockWords({ kind, text, blocks, items, head, rows }) {
  if (kind === "rule") return "";
  if (kind === "code") return text;
  if (kind === "quote") return blocks.map(blockWords).join(" ");
  if (kind === "list") return items.map((item) => sentence(item.map(blockWords).join(" "))).join(" ");
  if (kind === "table") return [head, ...rows].map((row) => sentence(row.map(words).join(", "))).join(" ");
  return kind === "heading" ? sentence(words(text)) : words(text);
}

const partWords = (part) =>
  typeof part === "string" ? part : (part.text ?? (part.parts ? part.parts.map(partWords).join("") : part.url));
