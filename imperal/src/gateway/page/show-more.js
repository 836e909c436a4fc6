// Content that is too long to draw at once. Owns how much of a list, a text or JSON is drawn first, and the buttons for more: a
// large answer costs no more than the part that is shown.

import { beginning, isWorthFolding, LEAST_LINES, partLength } from "./cut-text.js";
import { h, refill } from "./dom.js";
import { linked } from "./links.js";
import { write } from "./exact-json.js";

export const ROWS = 25; // rows of a list at first
const MORE_ROWS = 200;
export const MOST_LINES = 60; // of all rows that are drawn at first
const SLACK = 12;
const TEXT = 1200; // characters of a text at first
const LINES = 24; // and its lines
const JSON_TEXT = 20_000;
const MORE_TEXT = 50_000;
const INDENTED = 65_536; // longer JSON is not indented: a deep value would be mostly blanks

/** The first rows, and a button for more of them and back. `linesOf(value)` is about how many lines a row takes, if not one. */
export function more(values, render, { most = ROWS, linesOf = () => 1 } = {}) {
  const first = firstRows(values, most, linesOf);
  if (values.length <= first) return render(values);
  const holder = h("div", { class: "more" });
  const button = h("button", { type: "button", class: "quiet small" });
  let shown = first;
  const show = () => {
    const left = values.length - shown;
    button.textContent =
      left <= 0
        ? "Show less"
        : left <= MORE_ROWS
          ? `Show all ${values.length.toLocaleString()}`
          : `Show ${MORE_ROWS} more of ${values.length.toLocaleString()}`;
    button.setAttribute("aria-expanded", String(shown > first));
    refill(holder, render(values.slice(0, shown)), button);
  };
  button.addEventListener("click", () => {
    shown = shown >= values.length ? first : shown + MORE_ROWS;
    if (values.length - shown < LEAST_LINES) shown = Math.max(shown, values.length);
    show();
    if (shown === first) button.scrollIntoView({ block: "nearest" });
  });
  show();
  return holder;
}

/** How many rows are drawn at first: at least one, and no rest of a few lines is left out. */
function firstRows(values, most, linesOf) {
  const room = [];
  for (let lines = 0; room.length < Math.min(most, values.length) && lines <= MOST_LINES + SLACK; room.push(lines))
    lines += linesOf(values[room.length]);
  if (room.length === values.length && room.at(-1) <= MOST_LINES + SLACK) return values.length;
  const first = Math.max(1, room.filter((lines) => lines <= MOST_LINES).length);
  const rest = values.slice(first, first + LEAST_LINES).reduce((sum, value) => sum + linesOf(value), 0);
  return rest < LEAST_LINES ? values.length : first;
}

/** Shows a text in steps; `draw(part)` returns the content of the element. The button stays, so that it keeps the focus. */
export function stepped(holder, text, { first, draw, look = "quiet small" }) {
  if (!isWorthFolding(text, first)) return refill(holder, draw(text));
  const button = h("button", { type: "button", class: look });
  let shown = 0;
  const set = (n) => {
    shown = isWorthFolding(text, n) ? n : text.length;
    const whole = shown === text.length;
    refill(holder, draw(whole ? text : `${beginning(text, shown).trimEnd()}…`));
    const left = text.length - shown;
    button.textContent = whole
      ? "Show less"
      : left <= MORE_TEXT
        ? `Show all ${text.length.toLocaleString()} characters`
        : `Show more: ${shown.toLocaleString()} of ${text.length.toLocaleString()} characters`;
    button.setAttribute("aria-expanded", String(shown > first));
  };
  button.addEventListener("click", () => {
    set(shown === text.length ? first : shown + MORE_TEXT);
    if (shown === first) button.scrollIntoView({ block: "nearest" });
  });
  set(first);
  return h("div", { class: "stepped" }, holder, button);
}

const firstPart = (text) => partLength(text, TEXT, LINES);

/** About how many lines a text takes at first, in a column of this many characters. */
export function linesOfText(text, column) {
  const part = text.slice(0, firstPart(text));
  return Math.min(
    LINES,
    part.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / column)), 0),
  );
}

/** Whether a text is folded at first. */
export const isLong = (text) => firstPart(text) < text.length;

/** A text that may be long: its beginning, and a button for the rest. */
export const longText = (text) =>
  stepped(h("div", { class: "long-text", dir: "auto" }), text, { first: firstPart(text), draw: linked });

/** A text that is mostly short, inside of something else: as it is, or folded. */
export const folded = (text) => (isLong(text) ? longText(text) : text);

/** A text as it is, line by line. */
export const verbatim = (text) =>
  stepped(h("pre", { class: "json", tabindex: "0" }), text, { first: JSON_TEXT, draw: (part) => [part] });

/** Any value as JSON. */
export const code = (value) => verbatim(jsonOf(value));

/** Readable JSON: indented unless it is so long that indentation would dominate. */
export function jsonOf(value) {
  const compact = write(value) ?? "";
  return compact.length > INDENTED ? compact : (write(value, null, 2) ?? "");
}
