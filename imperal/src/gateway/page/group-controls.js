// Controls that contain others: objects, lists, tuples, maps and variants. Owns their layout, adding and removing, and
// finding the control at a path. Single values are field-controls.js.

import { h, icon, newId, refill } from "./dom.js";
import { isExact } from "./exact-json.js";
import { describe } from "./schema.js";
import { humanise } from "./format.js";

const KINDS = { object, list, tuple, map, variants };

/** The control of a group; `make(field, value, filled)` makes the controls inside. */
export function groupControl(field, value, make, filled) {
  const start = value === null ? undefined : value;
  const mayBeAbsent =
    field.name !== "" && (!field.required || field.nullable) && field.kind !== "list" && field.kind !== "map";
  const made = mayBeAbsent ? optional(field, start, make, filled) : KINDS[field.kind](field, start, make, filled);
  if (value !== null && !(field.required && field.nullable)) return made;
  const blank = (read) => read === undefined || (value === null && Object.keys(read).length === 0);
  return { ...made, read: (problems) => ((read) => (blank(read) ? null : read))(made.read(problems)) };
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isExact(value);
const own = (value, key) => (Object.hasOwn(value, key) ? value[key] : undefined);

/** Sets a key of any name, including names with a meaning for objects. */
const put = (out, key, value) =>
  Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });

/** The frame of a group: legend, help, body, and a place for its error. */
function frame(field, ...body) {
  const id = newId("group");
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const bare = field.name === "";
  const el = bare
    ? h("div", { class: "group bare" }, body, error)
    : h(
        "fieldset",
        { class: "group", tabindex: "-1", "aria-describedby": `${id}-error` },
        h(
          "legend",
          { class: "label" },
          field.title,
          !field.required && [" ", h("span", { class: "optional" }, "optional")],
        ),
        field.help && h("p", { class: "help" }, field.help),
        body,
        error,
      );
  return {
    el,
    field,
    fail(message) {
      refill(error, icon("alert"), h("span", null, message));
      error.hidden = false;
    },
    clear: () => (error.hidden = true),
    focus: () => el.querySelector("input, textarea, select, button")?.focus(),
  };
}

/** An optional group: a button creates it, another removes it. */
function optional(field, value, make, filled) {
  let inner = null;
  const slot = h("div", { class: "optional-group" });
  const add = (start) => {
    inner = KINDS[field.kind]({ ...field }, start, make, filled && start !== undefined);
    const drop = h(
      "button",
      { type: "button", class: "quiet small", onclick: remove },
      icon("trash"),
      `Remove ${field.title.toLowerCase()}`,
    );
    refill(slot, inner.el, drop);
  };
  const button = h(
    "button",
    { type: "button", class: "quiet", onclick: () => (add(undefined), inner.focus()) },
    icon("plus"),
    `Add ${field.title.toLowerCase()}`,
  );
  function remove() {
    inner = null;
    refill(slot, h("p", { class: "help" }, field.help), button);
    if (document.activeElement === document.body) button.focus();
  }
  if (value === undefined) remove();
  else add(value);
  return {
    el: slot,
    read: (problems) => inner?.read(problems),
    find: (path) => inner?.find(path) ?? null,
    fail(message) {
      if (!inner) add(undefined);
      inner.fail(message);
    },
    clear: () => inner?.clear(),
    focus: () => (inner ? inner.focus() : button.focus()),
  };
}

function object(field, value, make, filled) {
  const given = isObject(value) ? value : {};
  const fields = field.fields();
  const names = new Set(fields.map((sub) => sub.name));
  const controls = new Map(fields.map((sub) => [sub.name, make(sub, own(given, sub.name), filled)]));
  const others = Object.fromEntries(Object.entries(given).filter(([key]) => !names.has(key)));
  const also =
    field.also &&
    make(
      { ...field.also, name: "", title: "", help: "", required: true, root: field.root, schema: {} },
      value === undefined ? undefined : others,
      filled,
    );
  const rest =
    !also && (field.rest !== null || Object.keys(others).length > 0) ? restOf(field, others, make, names) : null;
  const self = frame(
    field,
    [...controls.values()].map((c) => c.el),
    also?.el,
    rest?.el,
  );
  return {
    ...self,
    read(problems) {
      const out = {};
      for (const [key, c] of controls) {
        const part = c.read(problems);
        if (part !== undefined) put(out, key, part);
      }
      const more = { ...also?.read(problems), ...rest?.read(problems) };
      for (const key of Object.keys(more)) put(out, key, more[key]);
      return out;
    },
    find([key, ...deeper]) {
      if (key === undefined) return this;
      if (controls.has(key)) return controls.get(key).find(deeper) ?? controls.get(key);
      return also?.find([key, ...deeper]) ?? rest?.find([key, ...deeper]) ?? this;
    },
  };
}

/** The keys that the object's schema does not name. */
function restOf(field, others, make, taken) {
  const title = field.fields().length ? "Other fields" : field.title || "Fields";
  const help = field.rest === null ? "not in the function's description, and sent as they are" : "";
  return map(
    { ...field, name: "rest", title, help, required: true, nullable: false, items: field.rest ?? true, schema: {} },
    others,
    make,
    true,
    taken,
  );
}

/** Rows that can be added and removed; `row(value)` makes one. For lists and maps. */
function rows(field, row, word) {
  const { minItems = 0, maxItems = Infinity } = field.schema;
  const items = [];
  const listed = h("ol", { class: "items" });
  const more = h(
    "button",
    { type: "button", class: "quiet", onclick: () => add(undefined).focus() },
    icon("plus"),
    `Add ${word}`,
  );
  const renumber = () => {
    more.disabled = items.length >= maxItems;
    items.forEach((item, index) => {
      item.drop.setAttribute("aria-label", `Remove ${word} ${index + 1}`);
      item.drop.disabled = items.length <= minItems && field.required;
    });
  };
  const add = (value) => {
    const made = row(value, items.length);
    const drop = h("button", { type: "button", class: "icon-button", onclick: () => remove(item) }, icon("trash"));
    const item = { made, drop, el: h("li", null, h("div", { class: "item" }, made.el), drop) };
    items.push(item);
    listed.append(item.el);
    renumber();
    return made;
  };
  const remove = (item) => {
    const index = items.indexOf(item);
    items.splice(index, 1);
    item.el.remove();
    renumber();
    (items[Math.min(index, items.length - 1)]?.drop ?? more).focus();
  };
  return {
    items,
    add,
    parts: [listed, more],
  };
}

function bounds({ minItems: min, maxItems: max }) {
  if (min && max) return min === max ? `exactly ${min}` : `${min} to ${max} items`;
  if (min) return `at least ${min}`;
  return max ? `at most ${max} items` : "";
}

/** `Tags` -> `tag`: the name of one item of a list. */
const singular = (title) =>
  title
    .toLowerCase()
    .replace(/ies$/, "y")
    .replace(/([^s])s$/, "$1");

function list(field, value, make, filled) {
  const word = singular(field.title);
  const row = (start, index) => {
    const item = describe(field.items, field.root, word, true);
    item.title = `${humanise(word)} ${index + 1}`;
    return make(item, start, start !== undefined);
  };
  const isEmpty = Array.isArray(value) && value.length === 0; // empty is not absent
  const table = rows(field, row, word);
  const self = frame({ ...field, help: [field.help, bounds(field.schema)].filter(Boolean).join(" · ") }, table.parts);
  const first = Array.isArray(value)
    ? value
    : Array.from({ length: field.required && !filled ? (field.schema.minItems ?? 0) : 0 });
  first.forEach((one) => table.add(one));
  return {
    ...self,
    read(problems) {
      const out = table.items.map((item) => item.made.read(problems));
      if (!out.length && !field.required && !isEmpty) return undefined;
      const { minItems, maxItems } = field.schema;
      if (out.length < minItems || out.length > maxItems)
        problems.push({ control: self, message: `This needs ${bounds(field.schema)}.` });
      return out;
    },
    find([index, ...rest]) {
      const item = table.items[index]?.made;
      return item ? (item.find(rest) ?? item) : self;
    },
  };
}

function tuple(field, value, make, filled) {
  const given = Array.isArray(value) ? value : [];
  const parts = field.parts.map((part, index) =>
    make({ ...describe(part, field.root, String(index + 1), true) }, given[index], filled),
  );
  const self = frame(
    field,
    h(
      "div",
      { class: "parts" },
      parts.map((part) => part.el),
    ),
  );
  return {
    ...self,
    read: (problems) => parts.map((part) => part.read(problems)),
    find: ([index, ...rest]) => parts[index]?.find(rest) ?? parts[index] ?? self,
  };
}

function map(field, value, make, filled, taken = new Set()) {
  const inside = describe(field.items, field.root, "value", true);
  const item = { ...inside, kind: inside.kind === "json" ? "any" : inside.kind, title: "Value" };
  const row = (start) => {
    const key = h("input", {
      type: "text",
      class: "key",
      dir: "auto",
      "aria-label": "Name",
      placeholder: "Name",
      autocomplete: "off",
      value: start?.[0] ?? "",
    });
    const inner = make(item, start?.[1], start !== undefined);
    // A one-line box cannot hold a line break: such a name cannot be edited.
    const fixed = start !== undefined && key.value !== start[0];
    key.readOnly = fixed;
    return {
      name: () => (fixed ? start[0] : key.value),
      wasEmpty: start?.[0] === "",
      inner,
      el: h("div", { class: "pair" }, key, inner.el),
      focus: () => key.focus(),
    };
  };
  const table = rows(field, row, "entry");
  const self = frame(field, table.parts);
  const first = isObject(value) ? Object.entries(value) : [];
  first.forEach((pair) => table.add(pair));
  const isEmpty = isObject(value) && !first.length;
  return {
    ...self,
    read(problems) {
      const out = {};
      for (const { made } of table.items) {
        const part = made.inner.read(problems);
        const name = made.name();
        const clash = Object.hasOwn(out, name) || taken.has(name);
        if (clash || (name === "" && !made.wasEmpty))
          problems.push({ control: self, message: "Every entry needs its own name." });
        if (!clash && part !== undefined) put(out, name, part);
      }
      return !table.items.length && !field.required && !isEmpty ? undefined : out;
    },
    find([key, ...rest]) {
      const inner = table.items.find(({ made }) => made.name() === key)?.made.inner;
      return inner ? (inner.find(rest) ?? inner) : self;
    },
  };
}

function variants(field, value, make, filled) {
  const pick = picker(field.options);
  const body = h("div", { class: "variant" });
  let inner = null;
  const show = (index, start) => {
    const one = field.options[index];
    inner = make(
      { ...describe(one.schema, field.root, "", true), title: one.title, help: "" },
      start,
      filled && start !== undefined,
    );
    refill(body, pick.help && one.help && h("p", { class: "help" }, one.help), inner.el);
  };
  // A value that fits no variant is not drawn here: reading gives another value, and the JSON box takes over.
  const found = value === undefined ? 0 : field.options.findIndex((one) => one.accepts(value));
  pick.choose(Math.max(0, found));
  show(Math.max(0, found), found < 0 ? undefined : value);
  pick.el.addEventListener("change", (event) => event.target.closest("[data-pick]") && show(pick.chosen()));
  const self = frame(field, pick.el, body);
  return { ...self, read: (problems) => inner.read(problems), find: (path) => inner.find(path) ?? self };
}

const RADIOS = 3; // most variants shown as radio buttons; more become a menu

/** Chooses a variant: {el, help, choose(index), chosen()}; `help` says whether the variant's description is shown separately. */
function picker(options) {
  const id = newId("variant");
  if (options.length > RADIOS) {
    const menu = h(
      "select",
      { id, "data-pick": true },
      options.map((one, index) => h("option", { value: index }, one.title)),
    );
    return {
      el: h("div", { class: "field" }, h("label", { class: "label minor", for: id }, "Which kind"), menu),
      help: true,
      choose: (index) => (menu.value = String(index)),
      chosen: () => Number(menu.value),
    };
  }
  const boxes = options.map((_, index) => h("input", { type: "radio", name: id, value: index, "data-pick": true }));
  const rows = options.map((one, index) =>
    h("label", { class: "check" }, boxes[index], h("span", null, one.title, one.help && h("small", null, one.help))),
  );
  return {
    el: h("div", { class: "radios", role: "radiogroup", "aria-label": "Which kind" }, rows),
    help: false,
    choose: (index) => (boxes[index].checked = true),
    chosen: () => boxes.findIndex((box) => box.checked),
  };
}
