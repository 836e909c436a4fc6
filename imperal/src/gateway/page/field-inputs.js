// The inputs of a form, one for each kind of single value: text, number, choice, yes/no, JSON. Owns
// what a person types into, how it becomes a value, and the checks that need no platform. Labels
// and errors around an input are field-controls.js.
//
// An input has: el, read() -> value or undefined (throws InvalidInput), write(value), shows(value)
// -> whether it can hold a value; optional: target, about, hint, missing, first(), lost(value), busy(). Files are file-picker.js.

import { fill, h, visible } from "./dom.js";
import { approximate, isExact, numberOf, parse, same, write } from "./exact-json.js";

/** The problem of an input, and the value it has nevertheless, if any. One that `waits` passes by itself, such as an upload. */
export class InvalidInput extends Error {
  constructor(message, value, waits = false) {
    super(message);
    Object.assign(this, { value, waits });
  }
}

export const INPUTS = { string, integer: number, number, boolean, choice, several, json, any };

const INPUT_TYPES = {
  email: "email",
  uri: "url",
  url: "url",
  date: "date",
  "date-time": "datetime-local",
  time: "time",
  password: "password",
};
const PATTERNS = {
  email: [/^[^\s@]+@[^\s@]+$/, "Enter an e-mail address, such as anna@example.com."],
  uri: [/^[a-z][a-z0-9+.-]*:\S+$/i, "Enter a full address, such as https://example.com."],
  uuid: [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "Enter a UUID."],
};

function string(self, { schema: s, long, required }) {
  const el = long
    ? h("textarea", { id: self.id, rows: 4, spellcheck: "true", dir: "auto" })
    : h("input", {
        id: self.id,
        type: s.writeOnly === true ? "password" : (INPUT_TYPES[s.format] ?? "text"),
        autocomplete: s.writeOnly === true ? "new-password" : "off",
        step: s.format === "time" ? 1 : null,
        dir: s.format === undefined ? "auto" : null,
      });
  const at = s.format === "date-time";
  return {
    el,
    hint: [s.writeOnly === true && "not kept in the chat", lengths(s, long)].filter(Boolean).join(" · "),
    read() {
      if (el.value === "" && (el.type !== "text" || !required || s.minLength !== 0)) return undefined;
      const length = [...el.value].length;
      if (s.minLength > length)
        throw new InvalidInput(`At least ${s.minLength} characters; this has ${length}.`, el.value);
      if (s.maxLength < length)
        throw new InvalidInput(
          `At most ${s.maxLength.toLocaleString()} characters; this has ${length.toLocaleString()}.`,
          el.value,
        );
      const [pattern, message] =
        (Object.hasOwn(PATTERNS, s.format === "url" ? "uri" : s.format) &&
          PATTERNS[s.format === "url" ? "uri" : s.format]) ||
        [];
      if (pattern && !pattern.test(el.value)) throw new InvalidInput(message, el.value);
      if (s.pattern && !matches(s.pattern, el.value)) throw new InvalidInput(`This must match ${s.pattern}`, el.value);
      return at ? new Date(el.value).toISOString() : el.value;
    },
    shows: (value) => typeof value === "string",
    lost: (value) => (at ? el.value === "" : el.value !== (long ? value.replace(/\r\n?/g, "\n") : value)),
    write(value) {
      el.value = at ? localTime(value) : value;
    },
  };
}

function lengths({ minLength: min, maxLength: max, pattern }, long) {
  if (pattern) return `matches ${pattern}`;
  if (min > 1 && max) return `${min} to ${max.toLocaleString()} characters`;
  if (min > 1) return `at least ${min} characters`;
  return max && !long ? `up to ${max.toLocaleString()} characters` : "";
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true; // a pattern that this browser cannot compile: the platform checks it
  }
}

/** An instant as the local time that `datetime-local` takes. */
function localTime(iso) {
  const d = new Date(iso);
  return Number.isNaN(d.getTime())
    ? ""
    : new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function number(self, { kind, schema: s }) {
  const whole = kind === "integer";
  const el = h("input", {
    id: self.id,
    type: "text",
    inputmode: whole ? "numeric" : "decimal",
    autocomplete: "off",
    class: "number",
  });
  const bounds = Object.fromEntries(
    ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"].map((key) => [
      key,
      approximate(s[key]),
    ]),
  );
  return { el, ...numberRules(el, whole, { ...s, ...bounds }) };
}

function numberRules(el, whole, s) {
  const low = s.minimum ?? s.exclusiveMinimum;
  const high = s.maximum ?? s.exclusiveMaximum;
  return {
    hint: range(s, low, high, whole),
    read() {
      const text = el.value.trim().replace(/^\+/, "");
      if (text === "") return undefined;
      const form = whole ? /^-?\d+$/ : /^-?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i;
      if (!form.test(text)) throw new InvalidInput(whole ? "This must be a whole number." : "This must be a number.");
      const value = numberOf(text.replace(",", "."), !whole);
      const size = Number(text.replace(",", "."));
      if (size < s.minimum || size <= s.exclusiveMinimum)
        throw new InvalidInput(`This must be ${s.minimum === undefined ? "more than" : "at least"} ${low}.`, value);
      if (size > s.maximum || size >= s.exclusiveMaximum)
        throw new InvalidInput(`This must be ${s.maximum === undefined ? "less than" : "at most"} ${high}.`, value);
      if (s.multipleOf && Math.abs(size / s.multipleOf - Math.round(size / s.multipleOf)) > 1e-9)
        throw new InvalidInput(`This must be a multiple of ${s.multipleOf}.`, value);
      return value;
    },
    shows: (value) => (typeof value === "number" || isExact(value)) && (!whole || /^-?\d+$/.test(digitsOf(value))),
    write(value) {
      el.value = digitsOf(value);
    },
  };
}

const digitsOf = (value) => (isExact(value) ? value.rawJSON : String(value));

// The bounds of a Rust integer type are no help for a person: 4294967295.
function range(s, low, high, whole) {
  const near = (n) => n !== undefined && Math.abs(n) < 1e9;
  const open = s.minimum === undefined && s.exclusiveMinimum !== undefined;
  const below = s.maximum === undefined && s.exclusiveMaximum !== undefined;
  if (near(low) && near(high))
    return open || below
      ? `${open ? "more than" : "at least"} ${low}, ${below ? "less than" : "at most"} ${high}`
      : `${low} to ${high}`;
  if (near(low) && !(low === 0 && !open && /^u(int|size)/.test(s.format ?? "")))
    return open ? `more than ${low}` : `${low} or more`;
  if (near(high)) return below ? `less than ${high}` : `${high} or less`;
  return whole ? "a whole number" : "";
}

function boolean(self, { title, required, nullable, fallback }) {
  if (nullable || (!required && fallback === undefined))
    return select(
      self,
      [
        { value: true, title: "Yes" },
        { value: false, title: "No" },
      ],
      false,
    );
  const box = h("input", { id: self.id, type: "checkbox" });
  return {
    el: h("label", { class: "check" }, box, h("span", null, title)),
    target: box,
    bare: true,
    first: () => box,
    read: () => box.checked,
    shows: (value) => typeof value === "boolean",
    write: (value) => (box.checked = value === true),
  };
}

function choice(self, { options, required }) {
  return required && options.length <= 4 ? radios(self, options) : select(self, options, required);
}

function radios(self, options) {
  const boxes = options.map((_, index) =>
    h("input", { type: "radio", name: self.id, id: index ? null : self.id, value: index }),
  );
  const rows = options.map((one, index) =>
    h("label", { class: "check" }, boxes[index], h("span", null, one.title, one.help && h("small", null, one.help))),
  );
  return {
    el: h("div", { class: "radios", role: "radiogroup" }, rows),
    group: true,
    missing: "Choose one.",
    first: () => boxes.find((box) => box.checked) ?? boxes[0],
    read: () => options[boxes.findIndex((box) => box.checked)]?.value,
    shows: (value) => options.some((one) => same(one.value, value)),
    write: (value) => boxes.forEach((box, index) => (box.checked = same(options[index].value, value))),
  };
}

/** Any number of a few constants, sent in the order of the choices. */
function several(self, { options, required, schema: { minItems = 0, maxItems = Infinity } }) {
  const boxes = options.map((_, index) => h("input", { type: "checkbox", id: index ? null : self.id }));
  const all = minItems > 0 ? `at least ${minItems}` : "";
  const most = maxItems < options.length ? `at most ${maxItems}` : "";
  const bounds = [all, most].filter(Boolean).join(", ");
  return {
    el: h(
      "div",
      { class: "boxes", role: "group" },
      options.map((one, index) =>
        h(
          "label",
          { class: "check" },
          boxes[index],
          h("span", null, one.title, one.help && h("small", null, one.help)),
        ),
      ),
    ),
    group: true,
    hint: bounds,
    first: () => boxes[0],
    read() {
      const chosen = options.filter((_, index) => boxes[index].checked).map((one) => one.value);
      if (!chosen.length && !required) return undefined;
      if (chosen.length < minItems || chosen.length > maxItems) throw new InvalidInput(`Choose ${bounds}.`, chosen);
      return chosen;
    },
    shows: (value) =>
      Array.isArray(value) &&
      value.every(
        (one, index) =>
          options.some((known) => same(known.value, one)) && value.findIndex((other) => same(other, one)) === index,
      ),
    write: (value) =>
      boxes.forEach((box, index) => (box.checked = value.some((one) => same(one, options[index].value)))),
  };
}

function select(self, options, required) {
  const none = h("option", { value: "" }, required ? "Choose…" : "Not set");
  const el = h(
    "select",
    { id: self.id },
    none,
    options.map((one, index) => h("option", { value: index }, one.title)),
  );
  const note = h("small", { class: "choice-help" });
  const update = () => (note.textContent = visible(options[el.value]?.help ?? ""));
  el.addEventListener("change", update);
  return {
    el: fill(h("div", { class: "select" }), [el, note]),
    target: el,
    missing: "Choose one.",
    first: () => el,
    read: () => (el.value === "" ? undefined : options[el.value].value),
    shows: (value) => options.some((one) => same(one.value, value)),
    write(value) {
      const index = options.findIndex((one) => same(one.value, value));
      el.value = index < 0 ? "" : String(index);
      update();
    },
  };
}

function json(self) {
  const el = h("textarea", { id: self.id, class: "code", rows: 3, spellcheck: "false", autocomplete: "off" });
  return {
    el,
    hint: "JSON",
    read() {
      if (el.value.trim() === "") return undefined;
      try {
        return parse(el.value, true);
      } catch (error) {
        throw new InvalidInput(`This is not JSON: ${error.message}.`);
      }
    },
    shows: () => true,
    write: (value) => (el.value = write(value, null, 2)),
  };
}

const ONE_LINE = 40; // longest JSON that is written on one line

/** A value of any type in one box: JSON, or an unquoted text that cannot be mistaken for JSON. */
function any(self) {
  const el = h("textarea", {
    id: self.id,
    class: "any",
    rows: 1,
    dir: "auto",
    spellcheck: "false",
    autocomplete: "off",
  });
  const grow = () => (el.rows = Math.min(8, el.value.split("\n").length));
  el.addEventListener("input", grow);
  return {
    el,
    hint: "text, or JSON such as 5, true, [1, 2]",
    read() {
      const text = el.value.trim();
      if (text === "") return undefined;
      try {
        return parse(text, true);
      } catch (error) {
        if (/^["{[]/.test(text))
          throw new InvalidInput(`This starts like JSON but is invalid: ${error.message}.`, el.value);
        return el.value;
      }
    },
    shows: () => true,
    write(value) {
      const compact = typeof value === "string" && isPlain(value) ? value : write(value);
      el.value = compact === value || compact.length <= ONE_LINE ? compact : write(value, null, 2);
      grow();
    },
  };
}

/** Whether an unquoted text is read as itself. */
function isPlain(text) {
  if (text === "" || text !== text.trim() || /^["{[]|\r/.test(text)) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}
