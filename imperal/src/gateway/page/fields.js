// Makes a control for each field that schema.js describes: one value each. Owns reading, writing,
// checking and marking of texts, numbers, choices, yes/no and JSON; what holds other fields
// (objects, lists, variants) is in groups.js.
//
// Every control has: el, read(problems) -> value or undefined for absent, fail(message), clear(),
// find(steps) -> the control at a path, focus().
//
// A value that a control was filled with comes back as it was until somebody changes it. What a
// control cannot show (another type than the schema's, a value of an enum that is gone, a list that
// is too long to draw) is in a box for JSON instead, and is sent unchanged.

import { fill, h, icon, newId, visible } from "./dom.js";
import { groupControl } from "./groups.js";
import { approximate, isExact, numberOf, parse, same, write } from "./numbers.js";

const GROUPS = new Set(["object", "list", "tuple", "map", "variants"]);

const MANY = 200; // items and entries that are drawn as rows

/**
 * The control of a field. `value` is what it starts with; undefined means its default, or nothing
 * where the form is `filled` with the parameters of an earlier call.
 */
export function control(field, value, filled = false) {
  const start = value === undefined && !filled ? field.fallback : value;
  if (start === undefined) return make(field, start, filled);
  if (isLarge(start)) return asJson(field, start);
  const made = make(field, start, filled);
  return !made.cannotShow && same(made.read([]), start) ? made : asJson(field, start);
}

const isLarge = (value) =>
  value !== null &&
  typeof value === "object" &&
  !isExact(value) &&
  (Array.isArray(value) ? value : Object.keys(value)).length > MANY;

function make(field, start, filled) {
  if (GROUPS.has(field.kind)) return groupControl(field, start, control, filled);
  if (field.kind === "constant") return constant(field, filled && start === undefined && !field.required);
  const single = new Single(
    filled && start === undefined && field.kind === "boolean" && !field.required
      ? { ...field, fallback: undefined }
      : field,
  );
  if (start !== undefined) single.write(start);
  // A text that the browser's own control for its format cannot hold: a plain box can.
  if (single.cannotShow && field.kind === "string" && typeof start === "string") {
    const plain = new Single({
      ...field,
      long: field.schema.writeOnly !== true && /[\r\n]/.test(start),
      schema: { ...field.schema, format: undefined },
    });
    plain.write(start);
    return plain;
  }
  return single;
}

/** A box for JSON in place of a control that cannot hold this value. */
function asJson(field, value) {
  const help = [field.help, "shown as JSON, because the form has no fields for this value"].filter(Boolean).join(" · ");
  const made = new Single({ ...field, kind: "json", help, title: field.title || "Value" });
  made.write(value);
  return made;
}

/** A value that is fixed by the schema, as the tag of a variant: sent, not shown. */
function constant(field, absent) {
  return {
    el: h("span", { hidden: true }),
    read: () => (absent ? undefined : field.value),
    fail() {},
    clear() {},
    find: () => null,
    focus() {},
  };
}

class Single {
  constructor(field) {
    this.field = field;
    this.id = newId("field");
    this.input = KINDS[field.kind](this, field);
    this.error = h("p", { class: "field-error", id: `${this.id}-error`, hidden: true });
    const about = [`${this.id}-help`, `${this.id}-error`].join(" ");
    const target = this.input.target ?? this.input.el;
    target.setAttribute("aria-describedby", about);
    if (field.required && field.kind !== "boolean") target.setAttribute("aria-required", "true");
    const head = this.input.bare ? null : this.label();
    const parts = this.input.bare ? [this.input.el, this.help()] : [head, this.help(), this.input.el];
    this.el = h("div", { class: `field field-${field.kind}` }, parts, this.count(), this.error);
    this.given = undefined; // the value it was filled with, until somebody changes it
    this.el.addEventListener("input", () => {
      this.given = undefined;
      if (this.touched) this.recheck();
    });
    this.el.addEventListener("change", () => {
      this.given = undefined;
      this.touched = true;
      this.recheck();
    });
  }

  label() {
    const { title, required } = this.field;
    const mark = required ? null : [" ", h("span", { class: "optional" }, "optional")];
    if (this.input.group) {
      this.input.el.setAttribute("aria-labelledby", `${this.id}-label`);
      return h("div", { class: "label", id: `${this.id}-label` }, title, mark);
    }
    return h("label", { class: "label", for: this.id }, title, mark);
  }

  help() {
    const bounds = this.input.hint ?? "";
    const text = [this.field.help, bounds].filter(Boolean).join(" · ");
    return h("p", { class: "help", id: `${this.id}-help`, hidden: !text }, text);
  }

  /** A counter where a text has an upper bound that one could reach. */
  count() {
    const max = this.field.schema.maxLength;
    if (this.field.kind !== "string" || !max || !this.field.long) return null;
    const shown = h("span", { class: "counter" });
    const update = () => {
      const used = [...this.input.el.value].length;
      shown.textContent = `${used.toLocaleString()} / ${max.toLocaleString()}`;
      shown.classList.toggle("over", used > max);
    };
    this.input.el.addEventListener("input", update);
    this.recount = update;
    update();
    return shown;
  }

  read(problems) {
    if (this.given === null) return null;
    try {
      const value = this.input.read();
      if (this.given !== undefined) return this.given;
      if (value === undefined && this.field.required) {
        if (this.field.nullable) return null;
        throw new Problem(this.input.missing ?? "This is needed.");
      }
      return value;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      problems.push({ control: this, message: problem.message });
      // Nothing is sent with a problem; a draft and the JSON keep what is there.
      return this.given ?? problem.value;
    }
  }

  write(value) {
    if (value !== null) {
      this.cannotShow = !this.input.shows(value);
      if (!this.cannotShow) this.input.write(value);
      this.cannotShow ||= this.input.lost?.(value) ?? false;
    }
    this.given = value;
    this.recount?.();
  }

  recheck() {
    const problems = [];
    this.read(problems);
    // while typing, an error goes away as soon as it is mended, and a new one waits for the end
    if (problems.length && this.touched) this.fail(problems[0].message);
    else this.clear();
  }

  fail(message) {
    this.touched = true;
    this.error.replaceChildren(icon("alert"), visible(message));
    this.error.hidden = false;
    (this.input.target ?? this.input.el).setAttribute("aria-invalid", "true");
    this.el.classList.add("bad");
  }

  clear() {
    this.error.hidden = true;
    (this.input.target ?? this.input.el).removeAttribute("aria-invalid");
    this.el.classList.remove("bad");
  }

  find() {
    return this;
  }

  focus() {
    (this.input.first?.() ?? this.input.el).focus();
  }
}

/** What is wrong with an input, and the value it has all the same, where it has one. */
class Problem extends Error {
  constructor(message, value) {
    super(message);
    this.value = value;
  }
}

const KINDS = { string, integer: number, number, boolean, choice, several, json, any };

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
  email: [/^[^\s@]+@[^\s@]+$/, "This is not an e-mail address."],
  uri: [/^[a-z][a-z0-9+.-]*:\S+$/i, "This is not a full address, such as https://example.com."],
  uuid: [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "This is not a UUID."],
};

function string(self, { schema: s, long, required }) {
  const el = long
    ? h("textarea", { id: self.id, rows: 4, spellcheck: "true" })
    : h("input", {
        id: self.id,
        type: s.writeOnly === true ? "password" : (INPUT_TYPES[s.format] ?? "text"),
        autocomplete: s.writeOnly === true ? "new-password" : "off",
        step: s.format === "time" ? 1 : null,
      });
  const at = s.format === "date-time";
  return {
    el,
    hint: [s.writeOnly === true && "not kept in the chat", lengths(s, long)].filter(Boolean).join(" · "),
    read() {
      if (el.value === "" && (el.type !== "text" || !required || s.minLength !== 0)) return undefined;
      const length = [...el.value].length;
      if (s.minLength > length) throw new Problem(`At least ${s.minLength} characters; this has ${length}.`, el.value);
      if (s.maxLength < length)
        throw new Problem(
          `At most ${s.maxLength.toLocaleString()} characters; this has ${length.toLocaleString()}.`,
          el.value,
        );
      const [pattern, message] =
        (Object.hasOwn(PATTERNS, s.format === "url" ? "uri" : s.format) &&
          PATTERNS[s.format === "url" ? "uri" : s.format]) ||
        [];
      if (pattern && !pattern.test(el.value)) throw new Problem(message, el.value);
      if (s.pattern && !matches(s.pattern, el.value)) throw new Problem(`This must match ${s.pattern}`, el.value);
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
    return true; // a pattern that this browser cannot read: the platform checks it
  }
}

/** An instant as the local wall time that `datetime-local` takes. */
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
      if (!form.test(text)) throw new Problem(whole ? "This must be a whole number." : "This must be a number.");
      const value = numberOf(text.replace(",", "."), !whole);
      const size = Number(text.replace(",", "."));
      if (size < s.minimum || size <= s.exclusiveMinimum)
        throw new Problem(`This must be ${s.minimum === undefined ? "more than" : "at least"} ${low}.`, value);
      if (size > s.maximum || size >= s.exclusiveMaximum)
        throw new Problem(`This must be ${s.maximum === undefined ? "less than" : "at most"} ${high}.`, value);
      if (s.multipleOf && Math.abs(size / s.multipleOf - Math.round(size / s.multipleOf)) > 1e-9)
        throw new Problem(`This must be a multiple of ${s.multipleOf}.`, value);
      return value;
    },
    shows: (value) => (typeof value === "number" || isExact(value)) && (!whole || /^-?\d+$/.test(digitsOf(value))),
    write(value) {
      el.value = digitsOf(value);
    },
  };
}

const digitsOf = (value) => (isExact(value) ? value.rawJSON : String(value));

// The bounds of a Rust integer type say nothing to a person: 4294967295 is not a hint.
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
      if (chosen.length < minItems || chosen.length > maxItems) throw new Problem(`Choose ${bounds}.`, chosen);
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
        throw new Problem(`This is not JSON: ${error.message}.`);
      }
    },
    shows: () => true,
    write: (value) => (el.value = write(value, null, 2)),
  };
}

const ONE_LINE = 40; // characters of JSON that stand in one line

/** A value of any kind in one box: JSON, or a text without quotes where it cannot be taken for JSON. */
function any(self) {
  const el = h("textarea", { id: self.id, class: "any", rows: 1, spellcheck: "false", autocomplete: "off" });
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
        if (/^["{[]/.test(text)) throw new Problem(`This begins like JSON and is not: ${error.message}.`, el.value);
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

/** Whether a text without quotes is read as itself. */
function isPlain(text) {
  if (text === "" || text !== text.trim() || /^["{[]|\r/.test(text)) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}
