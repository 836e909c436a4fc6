// Addresses in texts of others. Owns which of them become links, and how a link leaves the page:
// only http and https, in a new tab that cannot reach back, without telling where it came from.

import { h, icon } from "./dom.js";

const MOST = 200; // links that one text gets; the rest of it stays text

/** The address of a text that is one and nothing else; null for any scheme that could run code. */
export function urlOf(text) {
  if (!/^https?:\/\/\S+$/i.test(text)) return null;
  return URL.canParse(text) ? text : null;
}

/** A link that leaves this page. */
export function link(url, text) {
  return h(
    "a",
    { href: url, target: "_blank", rel: "noopener noreferrer" },
    text,
    icon("external"),
    h("span", { class: "hidden" }, "(opens in a new tab)"),
  );
}

/** A text with its addresses as links. */
export function linked(text) {
  const parts = [];
  let from = 0;
  let left = MOST;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g)) {
    if (left === 0) break;
    if (!URL.canParse(match[0])) continue;
    parts.push(text.slice(from, match.index), link(match[0], match[0]));
    from = match.index + match[0].length;
    left -= 1;
  }
  return [...parts, text.slice(from)];
}
