// Addresses in untrusted texts. Owns which of them become links and how a link leaves the page: http and https only, in a new
// tab without access to this one, without a referrer.

import { h, icon } from "./dom.js";

const MOST = 200; // most links in one text; the rest stays text

/** The address, if the whole text is one; null for other schemes, which could run code. */
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
