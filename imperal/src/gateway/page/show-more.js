// Content that is too long to draw at once. Owns how much of a list, a text or JSON is drawn first, and the buttons for more: a
// large answer costs no more than the part that is shown.

import { h, visible } from "./dom.js";
import { linked } from "./links.js";
import { write } from "./exact-json.js";

const ROWS = 25; // rows of a list at first
const MORE_ROWS = 200;
const TEXT = 1200; // characters of a text at first
const JSON_TEXT = 20_000;
const MORE_TEXT = 50_000;
const INDENTED = 65_536; // longer JSON is not indented: a deep value would be mostly blanks

/** The first rows, and a button for more of them. */
export function more(values, render, first = ROWS) {
  if (values.length <= first) return render(values);
  const holder = h("div", { class: "more" });
  const show = (n, grown) => {
    const left = values.length - n;
    const words =
      left <= MORE_ROWS
        ? `Show all ${values.length.toLocaleString()}`
        : `Show ${MORE_ROWS} more of ${values.length.toLocaleString()}`;
    const button =
      left > 0 &&
      h("button", { type: "button", class: "quiet small", onclick: () => show(n + MORE_ROWS, true) }, words);
    holder.replaceChildren(...[render(values.slice(0, n)), button].filter(Boolean));
    if (grown && button) button.focus();
  };
  show(first, false);
  return holder;
}

/** Shows a text in steps; `draw(part)` returns the content of the element. */
function stepped(holder, text, first, draw) {
  if (text.length <= first) return (holder.replaceChildren(...draw(text)), holder);
  const button = h("button", { type: "button", class: "quiet small", "aria-expanded": "false" });
  let shown = 0;
  const set = (n) => {
    shown = Math.min(n, text.length);
    const whole = shown === text.length;
    holder.replaceChildren(...draw(whole ? text : `${cleanCut(text, shown)}…`));
    const left = text.length - shown;
    button.textContent = whole
      ? "Show less"
      : left <= MORE_TEXT
        ? `Show all ${text.length.toLocaleString()} characters`
        : `Show more: ${shown.toLocaleString()} of ${text.length.toLocaleString()} characters`;
    button.setAttribute("aria-expanded", String(shown > first));
  };
  button.addEventListener("click", () => set(shown === text.length ? first : shown + MORE_TEXT));
  set(first);
  return h("div", null, holder, button);
}

/** The beginning of a text, without half of a character at the end. */
const cleanCut = (text, n) => text.slice(0, /[\ud800-\udbff]/.test(text[n - 1]) ? n - 1 : n);

/** A text that may be long: its beginning, and a button for the rest. */
export const longText = (text) =>
  stepped(h("div", { class: "long-text", dir: "auto" }), text, TEXT, (part) => linked(part).map(node));

/** A text as it is, line by line. */
export const verbatim = (text) =>
  stepped(h("pre", { class: "json", tabindex: "0" }), text, JSON_TEXT, (part) => [node(part)]);

/** Any value as JSON. */
export const code = (value) => verbatim(jsonOf(value));

/** Readable JSON: indented unless it is so long that indentation would dominate. */
export function jsonOf(value) {
  const compact = write(value) ?? "";
  return compact.length > INDENTED ? compact : (write(value, null, 2) ?? "");
}

const node = (part) => (part instanceof Node ? part : document.createTextNode(visible(part)));
