// Creates elements. Owns h(), which inserts text only as text nodes; visible(), which shows dangerous characters as their
// numbers; and the page's line icons. All other modules build elements with these.
//
// Text of other users may contain characters that reorder a line or are invisible, so that one name looks like another.
// Each element is isolated for text direction (base.css), and characters with an effect beyond their element are shown
// as their numbers.

import { reconcile } from "./reconcile.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `props` holds attributes, `on..` listeners, and `class`; null, undefined and false are left out. Children are
 * nodes, texts, lists of them, or nothing.
 */
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value === true ? "" : WORDS.has(key) ? visible(String(value)) : String(value));
  }
  fill(el, children);
  return el;
}

// Embeddings, overrides and isolates (the page sets its own where they are needed), and invisible characters that belong to
// no word. Marks that languages and emoji need (joiners, U+200E and U+200F) stay: inside one element they do no harm.
const UNSEEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]/;
const EACH_UNSEEN = new RegExp(UNSEEN.source, "g");

/** A text with characters that reorder or hide shown as their numbers. */
export const visible = (text) =>
  UNSEEN.test(text)
    ? text.replace(EACH_UNSEEN, (c) => `<U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`)
    : text;

const WORDS = new Set(["title", "aria-label", "alt", "placeholder"]);

/** Children of the kinds that h() accepts, as nodes. */
const nodesOf = (children) =>
  children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (child instanceof Node ? child : document.createTextNode(visible(String(child)))));

/** Appends children of the kinds that h() accepts. */
export function fill(el, children) {
  el.append(...nodesOf(children));
  return el;
}

/** Replaces the content of an element; what is in it already and stays is not touched (reconcile.js). */
export const refill = (el, ...children) => reconcile(el, nodesOf(children));

/** Sets the text of an element, if it changed: progress comes often and mostly says the same. */
export function setText(el, text) {
  const shown = visible(text);
  if (el.textContent !== shown) el.textContent = shown;
}

let last = 0;

/** A fresh element id. */
export function newId(stem) {
  last += 1;
  return `${stem}-${last}`;
}

const ICONS = {
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.3 15.3L20 20",
  back: "M14.5 5.5L8 12l6.5 6.5",
  chevron: "M9 5.5l6.5 6.5L9 18.5",
  down: "M12 5v13M6.5 12.5L12 18l5.5-5.5",
  close: "M6 6l12 12M18 6L6 18",
  tasks: "M4 6.5l1.5 1.5L8 5.5M4 16.5L5.5 18 8 15.5M12 7h8M12 17h8",
  audit: "M12 3.5l7 2.5v5.5c0 4.2-2.8 7.4-7 9-4.2-1.6-7-4.8-7-9V6zM9 12l2.2 2.2L15.2 10",
  again: "M5 12a7 7 0 1 0 2.3-5.2M5 4.5V8.5h4",
  edit: "M5 19l.8-3.6L16 5.2l2.8 2.8L8.6 18.2zM13.8 7.4l2.8 2.8",
  stop: "M7 7h10v10H7z",
  plus: "M12 5.5v13M5.5 12h13",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7",
  alert: "M12 4.5L21 19.5H3zM12 10v4.5M12 17v.4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  info: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 11v5M12 8v.2",
  question: "M4.5 5.5h15v11h-8L7 20v-3.5H4.5zM10 9.3a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3M12 14.2v.2",
  up: "M12 19V6M6.5 11.5L12 6l5.5 5.5",
  copy: "M9 9h10.5v10.5H9zM5.5 15H4.5V4.5H15v1",
  braces:
    "M9 4.5c-2 0-2.5 1-2.5 2.5v2.5C6.5 11 5.5 12 4.5 12c1 0 2 1 2 2.5V17c0 1.5.5 2.5 2.5 2.5M15 4.5c2 0 2.5 1 2.5 2.5v2.5c0 1.5 1 2.5 2 2.5-1 0-2 1-2 2.5V17c0 1.5-.5 2.5-2.5 2.5",
  clock: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 7.5V12l3 2",
  eye: "M3 12c2.2-4 5.2-6 9-6s6.8 2 9 6c-2.2 4-5.2 6-9 6s-6.8-2-9-6zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z",
  shield: "M12 3.5l7 2.5v5.5c0 4.2-2.8 7.4-7 9-4.2-1.6-7-4.8-7-9V6z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  message: "M4.5 5.5h15v11h-8L7 20v-3.5H4.5z",
  background: "M4.5 8.5h11v11h-11zM8.5 5h11v11",
  person: "M12 4.5a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.5 20c1-3.6 3.9-5.5 7.5-5.5s6.5 1.9 7.5 5.5",
  key: "M15 4a5 5 0 1 1-4.6 6.9L4.5 16.8V20H8v-2.2h2V15.5h2l.9-1A5 5 0 0 1 15 4zM16 8v.2",
  repeat: "M5 11V9.5A2.5 2.5 0 0 1 7.5 7H18M15 4l3 3-3 3M19 13v1.5a2.5 2.5 0 0 1-2.5 2.5H6M9 20l-3-3 3-3",
  plug: "M9 3.5v4M15 3.5v4M6.5 7.5h11V11a5.5 5.5 0 0 1-11 0zM12 16.5v4",
  pause: "M8.5 6v12M15.5 6v12",
  play: "M8 5.5l10.5 6.5L8 18.5z",
  more: "M6 12v.2M12 12v.2M18 12v.2",
  ring: "M12 6.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11z",
  file: "M6.5 3.5h7l4.5 4.5v12.5h-11.5zM13.5 3.5v4.5h4.5",
  download: "M12 4v11.5M7 11l5 5 5-5M5 20h14",
  upload: "M12 16V4.5M7 9l5-5 5 5M5 20h14",
  external: "M13.5 5H19v5.5M19 5l-8 8M16.5 14v5h-11V8H10.5",
};

/** A line icon, hidden from screen readers: its control has a text. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
