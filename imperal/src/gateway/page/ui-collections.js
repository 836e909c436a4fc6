// The nodes of a UI tree that hold many rows: lists, tables, pairs, timelines. Owns sorting and how
// many rows are drawn first.

import { button, rowActions } from "./actions.js";
import { h, icon, refill } from "./dom.js";
import { relaxed } from "./exact-json.js";
import { humanise } from "./format.js";
import { shape } from "./result-data.js";
import { folded, more } from "./show-more.js";
import { isNode, listOf, toneOf } from "./ui-props.js";

const COLUMNS = 50; // of a table

export function list({ items, title, empty_text: empty }, at) {
  const all = listOf(items);
  const rows = all.length
    ? more(all, (part) =>
        h(
          "ul",
          { class: "ui-list" },
          part.map((one) =>
            h(
              "li",
              null,
              isNode(one) && one.type === "ListItem"
                ? item(one.props ?? {}, at)
                : h("div", { class: "ui-item" }, at.draw(one)),
            ),
          ),
        ),
      )
    : h("p", { class: "ui-empty" }, at.text(empty) || "Nothing in this list.");
  return title ? h("section", { class: "ui-section" }, h("h3", null, at.text(title)), rows) : rows;
}

export function item(
  { title, subtitle, meta, avatar, badge: mark, on_click: click, actions, expandable, expanded_content: inside },
  at,
) {
  const name = click
    ? button({ label: at.text(title), variant: "link", on_click: click }, at)
    : h("span", { class: "title" }, at.text(title));
  return [
    avatar && at.draw(avatar),
    h(
      "div",
      { class: "ui-item" },
      name,
      subtitle && h("div", { class: "sub" }, folded(at.text(subtitle))),
      expandable &&
        inside &&
        h("details", { class: "ui-section" }, h("summary", null, "More"), h("div", { class: "ui-v" }, at.all(inside))),
    ),
    mark && at.draw(mark),
    meta && h("span", { class: "at" }, at.text(meta)),
    rowActions(actions, at),
  ];
}

export function table({ columns, rows, empty_text: empty }, at) {
  const shown = listOf(columns)
    .slice(0, COLUMNS)
    .map((column) => (typeof column === "string" ? { key: column, label: humanise(column) } : column));
  const all = listOf(rows);
  if (!all.length) return h("p", { class: "ui-empty" }, at.text(empty) || "The table has no rows.");
  const numeric = new Set(
    shown
      .map(({ key }) => key)
      .filter((key) =>
        all.every((row) => row[key] === null || row[key] === undefined || typeof relaxed(row[key]) === "number"),
      ),
  );
  const cell = (value) => (isNode(value) ? at.draw(value) : shape(value ?? null, 2));
  let sorted = { key: null, up: true };
  const draw = () => {
    const value = (row) =>
      row[sorted.key]?.props?.value ??
      row[sorted.key]?.props?.label ??
      row[sorted.key]?.props?.content ??
      relaxed(row[sorted.key]) ??
      "";
    const order =
      sorted.key === null ? all : [...all].sort((a, b) => compare(value(a), value(b)) * (sorted.up ? 1 : -1));
    const body = more(order, (part) =>
      h(
        "div",
        { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Table" },
        h(
          "table",
          null,
          h("thead", null, h("tr", null, shown.map(head))),
          h(
            "tbody",
            null,
            part.map((row) =>
              h(
                "tr",
                null,
                shown.map(({ key }) =>
                  h("td", { class: numeric.has(key) && "num", dir: numeric.has(key) ? null : "auto" }, cell(row[key])),
                ),
              ),
            ),
          ),
        ),
      ),
    );
    refill(holder, body);
  };
  const head = ({ key, label, sortable }) => {
    const way = sorted.key !== key ? "none" : sorted.up ? "ascending" : "descending";
    const sort = () => {
      sorted = { key, up: sorted.key === key ? !sorted.up : true };
      draw();
      holder
        .querySelectorAll("th button")
        [shown.filter((one) => one.sortable !== false).findIndex((one) => one.key === key)]?.focus();
    };
    const words = at.text(label ?? humanise(key));
    return h(
      "th",
      { scope: "col", class: numeric.has(key) && "num", "aria-sort": sortable === false ? null : way },
      sortable === false ? words : h("button", { type: "button", class: "sort", onclick: sort }, words, icon("down")),
    );
  };
  const holder = h("div", { class: "ui-table" });
  draw();
  return holder;
}

const compare = (a, b) =>
  typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });

export function pairs({ items }, at) {
  return more(listOf(items), (part) =>
    h(
      "dl",
      { class: "pairs" },
      part.map(({ key, label, value }) =>
        h(
          "div",
          { class: "pair-row" },
          h("dt", null, at.text(label ?? key)),
          h("dd", { dir: "auto" }, isNode(value) ? at.draw(value) : shape(value ?? null, 2)),
        ),
      ),
    ),
  );
}

export function timeline({ items }, at) {
  return more(listOf(items), (part) =>
    h(
      "ol",
      { class: "ui-timeline" },
      part.map(({ title, description, time, color }) =>
        h(
          "li",
          { class: toneOf(color) },
          h("div", null, h("strong", null, at.text(title)), time && h("span", { class: "muted" }, ` ${at.text(time)}`)),
          description && h("div", { class: "sub muted" }, folded(at.text(description))),
        ),
      ),
    ),
  );
}
