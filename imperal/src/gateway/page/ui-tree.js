// Draws the UI tree of an answer: nodes of the form {type, props}. Owns the looks of each type; data without a tree is
// result-data.js, clicks are actions.js.
//
// A tree comes from the extension and is not trusted. Text becomes text nodes; class names and styles of the tree are ignored;
// addresses and images follow the rules of links.js and images.js; a click can do no more than the user could by hand. An unknown
// type shows its children, or its properties by shape. Depth and size are limited.

import { actionOf, button, linkTo } from "./actions.js";
import { beginning, shortened } from "./cut-text.js";
import { h, icon } from "./dom.js";
import { item, list, pairs, table, timeline } from "./ui-collections.js";
import { fieldNodes } from "./ui-inputs.js";
import { isNode, listOf, toneOf } from "./ui-props.js";
import { relaxed, write } from "./exact-json.js";
import { folded, longText, verbatim } from "./show-more.js";
import { fileView } from "./file-view.js";
import { isFileRef } from "./file-words.js";
import { imageFor, pictureFor } from "./images.js";
import { shape } from "./result-data.js";

const DEPTH = 16;
const NODES = 600;
const JSON_TEXT = 2000; // longest JSON in place of a text

/** The element of a tree, or null if the value is not one. `acts` has call() and edit(), see actions.js. */
export function showTree(tree, appId, acts) {
  if (!isNode(tree)) return null;
  const room = { appId, acts, left: NODES };
  return h("div", { class: "ui" }, draw(tree, room, 0));
}

function draw(node, room, depth) {
  if (node === null || node === undefined) return null;
  if (!isNode(node)) return typeof node === "object" ? shape(node, 1) : String(node);
  room.left -= 1;
  if (room.left < 0 || depth > DEPTH)
    return room.left === -1
      ? h("p", { class: "help" }, "The page does not draw all of it. Open the JSON to see the rest.")
      : null;
  const at = { ...room, text: (value) => plain(value), draw: (child) => draw(child, room, depth + 1) };
  Object.defineProperty(at, "all", {
    value: (children) => listOf(children).map((child) => draw(child, room, depth + 1)),
  });
  const known = Object.hasOwn(TYPES, node.type) ? TYPES[node.type] : null;
  try {
    return known ? known(numbersOf(node.props ?? {}), at) : unknown(node, at);
  } catch {
    return unknown(node, at); // the properties do not have the form that the type needs
  }
}

/** Properties as numbers that a node can compute with; values that it passes on stay exact. */
const numbersOf = (props) => Object.fromEntries(Object.entries(props).map(([key, value]) => [key, relaxed(value)]));

const plain = (value) =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? shortened(write(value), JSON_TEXT)
      : String(value);

function unknown({ type, props = {} }, at) {
  const children = props.children ?? props.content;
  if (Array.isArray(children) || isNode(children)) return h("div", { class: "ui-v" }, at.all(children));
  if (!Object.keys(props).length) return null;
  return h("div", { class: "ui-unknown" }, h("p", { class: "help" }, type), shape(props, 1));
}

const gap = ({ gap: n }) => ([0, 1, 2, 4].includes(n) ? ` gap-${n}` : n > 4 ? " gap-4" : "");

function stack(props, at) {
  const across = /^(h|horizontal|row)$/.test(props.direction ?? "v");
  const justify =
    { between: " between", "space-between": " between", end: " end", center: " center" }[props.justify] ?? "";
  const align = across && /^(start|top)$/.test(props.align ?? "") ? " top" : "";
  return h(
    "div",
    {
      class: `${across ? "ui-h" : "ui-v"}${gap(props)}${across ? justify + align : ""}${across && props.wrap === false ? " nowrap" : ""}`,
    },
    at.all(props.children),
  );
}

function grid(props, at) {
  const n = Number(props.columns) || 2;
  return h(
    "div",
    { class: `ui-grid${gap(props)}${n <= 2 ? " wide" : n > 4 ? " narrow" : ""}` },
    at.all(props.children),
  );
}

function text({ content, variant, truncate }, at) {
  const kind = /caption|muted|small|secondary/.test(variant)
    ? " caption"
    : /label|strong|bold|subheading/.test(variant)
      ? " strong"
      : /code|mono/.test(variant)
        ? " mono"
        : "";
  if (/^(heading|title|h[1-6])$/.test(variant ?? "")) return header({ text: content }, at);
  const value = at.text(content);
  if (truncate) return h("div", { class: `ui-text one-line${kind}`, title: value }, value);
  return h("div", { class: `ui-text${kind}` }, longText(value));
}

function header({ text: words, content, level, subtitle }, at) {
  return h(
    "div",
    { class: "ui-head" },
    h("h3", { class: `l${Math.min(4, Math.max(1, Number(level) || 2))}` }, at.text(words ?? content)),
    subtitle && h("div", { class: "sub" }, folded(at.text(subtitle))),
  );
}

function badge({ label, value, color, dot }, at) {
  return h(
    "span",
    { class: `chip ${toneOf(color)}` },
    dot && h("span", { class: "ui-dot", "aria-hidden": "true" }),
    [label, value]
      .map((part) => at.text(part))
      .filter(Boolean)
      .join(" "),
  );
}

const ARROWS = { up: ["↑", "up"], down: ["↓", "down"], neutral: ["→", "unchanged"] };

function stat({ label, value, trend, trend_direction: way, color, description }, at) {
  const [arrow, word] = ARROWS[way] ?? [];
  const tone = color && color !== "blue" ? toneOf(color) : "";
  return h(
    "dl",
    { class: "ui-stat" },
    h("dt", null, at.text(label)),
    h(
      "dd",
      null,
      h("span", { class: `value ${tone}` }, isNode(value) ? at.draw(value) : at.text(value)),
      (trend || arrow) &&
        h(
          "span",
          { class: "trend" },
          arrow && h("span", { "aria-hidden": "true" }, arrow),
          arrow && h("span", { class: "hidden" }, word),
          at.text(trend),
        ),
      description && h("div", { class: "note" }, folded(at.text(description))),
    ),
  );
}

function card(props, at) {
  const { title, subtitle, content, footer, border, on_click: click } = props;
  return h(
    "div",
    { class: `ui-card${border === false ? " bare" : ""}` },
    title && h("h3", null, at.text(title)),
    subtitle && h("div", { class: "help" }, folded(at.text(subtitle))),
    (content ?? props.children) && h("div", { class: "ui-card-body ui-v" }, at.all(content ?? props.children)),
    footer && h("div", { class: "ui-card-foot" }, at.all(footer)),
    click &&
      h(
        "div",
        { class: "ui-card-foot" },
        button({ label: actionOf(click).word, variant: "secondary", on_click: click }, at),
      ),
  );
}

function section({ title, collapsible, children }, at) {
  const body = h("div", { class: "ui-v" }, at.all(children));
  if (collapsible && title)
    return h("details", { class: "ui-section", open: true }, h("summary", null, at.text(title)), body);
  return h("section", { class: "ui-section" }, title && h("h3", null, at.text(title)), body);
}

function page({ title, subtitle, children }, at) {
  return h("div", { class: "ui-v" }, title && header({ text: title, level: 1, subtitle }, at), at.all(children));
}

function foldedParts(entries, at) {
  return entries.map(({ label, title, content, children }, index) =>
    h(
      "details",
      { class: "ui-section", open: index === 0 },
      h("summary", null, at.text(label ?? title)),
      h("div", { class: "ui-v" }, at.all(content ?? children)),
    ),
  );
}

function divider({ label }, at) {
  return h("div", { class: "ui-rule", role: "separator" }, label && h("span", null, at.text(label)));
}

function progress({ value, label, max, color, show_value: says }, at) {
  const top = Number(max) > 0 ? Number(max) : 100;
  const now = Math.min(top, Math.max(0, Number(value) || 0));
  const word = Number(max) > 0 ? `${now} of ${top}` : `${Math.round(now)} %`;
  const name = at.text(label);
  return h(
    "div",
    { class: `meter ${toneOf(color)}` },
    (name || says) && h("div", { class: "meter-line" }, h("span", null, name), h("span", null, word)),
    h("progress", { max: top, value: now, "aria-label": name || "Progress" }, word),
  );
}

function image({ src, alt, caption }, at) {
  const shown = isFileRef(src) ? fileView(src) : pictureFor(at.text(src), at.text(alt || caption));
  if (!shown) return shape(at.text(src), 2);
  return caption ? h("figure", null, shown, h("figcaption", null, at.text(caption))) : shown;
}

function alert({ message, title, variant, type }, at) {
  const tone = toneOf(variant || type || "info");
  return h(
    "div",
    { class: `ui-alert ${tone}` },
    icon(tone === "good" ? "check" : tone === "live" || tone === "plain" ? "info" : "alert"),
    h("div", null, title && h("strong", null, at.text(title)), folded(at.text(message))),
  );
}

function empty({ message, action }, at) {
  return h(
    "div",
    { class: "ui-empty" },
    h("div", null, folded(at.text(message)) || "Nothing here."),
    action && button({ label: actionOf(action).word, variant: "secondary", on_click: action }, at),
  );
}

const code = ({ content }, at) => verbatim(at.text(content));
const avatarOf = ({ fallback, src }, at) =>
  imageFor(at.text(src), "", "app-icon") ??
  h("span", { class: "tile", "aria-hidden": "true" }, beginning(at.text(fallback), 2));
const failure = ({ message, title, retry }, at) => [
  alert({ message, title, variant: "error" }, at),
  retry && button({ label: "Try again", variant: "secondary", on_click: retry }, at),
];

const TYPES = {
  Stack: stack,
  Row: (props, at) => stack({ ...props, direction: "h" }, at),
  Column: stack,
  Grid: grid,
  Stats: grid,
  Page: page,
  Section: section,
  Card: card,
  Tabs: ({ tabs }, at) => foldedParts(listOf(tabs), at),
  Accordion: ({ sections }, at) => foldedParts(listOf(sections), at),
  Text: text,
  Markdown: ({ content }, at) => text({ content }, at),
  Header: header,
  Heading: header,
  Code: code,
  Badge: badge,
  Stat: stat,
  List: list,
  ListItem: (props, at) => h("ul", { class: "ui-list" }, h("li", null, item(props, at))),
  DataTable: table,
  Table: table,
  KeyValue: pairs,
  Timeline: timeline,
  Avatar: avatarOf,
  Divider: divider,
  Progress: progress,
  Image: image,
  Link: linkTo,
  Button: button,
  Alert: alert,
  Toast: alert,
  Empty: empty,
  Error: failure,
  Icon: () => null,
  Html: ({ content }, at) => code({ content }, at),
  ...fieldNodes,
};
