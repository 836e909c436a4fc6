// Makes a control for each field that schema.js describes: one value each. Owns reading, writing,
// checking and marking of texts, numbers, choices, yes/no and JSON; what holds other fields
// (objects, lists, variants) is in groups.js.
//
// Every control has: el, read(problems) -> value or undefined for absent, write(value),
// fail(message), clear(), find(steps) -> the control at a path, focus().

import { integer, isExact, parse } from "./api.js";
import { fill, h, icon, newId } from "./dom.js";
import { groupControl } from "./groups.js";

const GROUPS = new Set(["object", "list", "tuple", "map", "variants"]);

/** The control of a field. `value` is what it starts with; undefined means its default. */
export function control(field, value) {
  const start = value === undefined ? field.fallback : value;
  if (GROUPS.has(field.kind)) return groupControl(field, start, control);
  const made = field.kind === "constant" ? constant(field) : new Single(field);
  if (start !== undefined && start !== null) made.write(start);
  return made;
}

/** A value that is fixed by the schema, as the tag of a variant: sent, not shown. */
function constant(field) {
  const self = { el: h("span", { hidden: true }), read: () => field.value, write() {}, fail() {}, clear() {}, find: () => null, focus() {} };
  return self;
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
    this.el.addEventListener("input", () => this.touched && this.recheck());
    this.el.addEventListener("change", () => {
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
    try {
      const value = this.input.read();
      if (value === undefined && this.field.required) {
        if (this.field.nullable) return null;
        throw new Problem(this.input.missing ?? "This is needed.");
      }
      return value;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      problems.push({ control: this, message: problem.message });
      return undefined;
    }
  }

  write(value) {
    this.input.write(value);
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
    this.error.replaceChildren(icon("alert"), message);
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

class Problem extends Error {}

const KINDS = { string, integer: number, number, boolean, choice, several, json };

const INPUT_TYPES = { email: "email", uri: "url", url: "url", date: "date", "date-time": "datetime-local", time: "time", password: "password" };
const PATTERNS = {
  email: [/^[^\s@]+@[^\s@]+$/, "This is not an e-mail address."],
  uri: [/^[a-z][a-z0-9+.-]*:\S+$/i, "This is not a full address, such as https://example.com."],
  uuid: [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "This is not a UUID."],
};

function string(self, { schema: s, long, required }) {
  const el = long
    ? h("textarea", { id: self.id, rows: 4, spellcheck: "true" })
    : h("input", { id: self.id, type: s.writeOnly === true ? "password" : (INPUT_TYPES[s.format] ?? "text"), autocomplete: s.writeOnly === true ? "new-password" : "off", step: s.format === "time" ? 1 : null });
  const at = s.format === "date-time";
  return {
    el,
    hint: [s.writeOnly === true && "not kept in the chat", lengths(s, long)].filter(Boolean).join(" · "),
    read() {
      if (el.value === "" && (el.type !== "text" || !required || s.minLength !== 0)) return undefined;
      const length = [...el.value].length;
      if (s.minLength > length) throw new Problem(`At least ${s.minLength} characters; this has ${length}.`);
      if (s.maxLength < length) throw new Problem(`At most ${s.maxLength.toLocaleString()} characters; this has ${length.toLocaleString()}.`);
      const [pattern, message] = PATTERNS[s.format === "url" ? "uri" : s.format] ?? [];
      if (pattern && !pattern.test(el.value)) throw new Problem(message);
      if (s.pattern && !matches(s.pattern, el.value)) throw new Problem(`This must match ${s.pattern}`);
      return at ? new Date(el.value).toISOString() : el.value;
    },
    write(value) {
      el.value = at ? localTime(value) : String(value);
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
  return Number.isNaN(d.getTime()) ? "" : new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function number(self, { kind, schema: s }) {
  const whole = kind === "integer";
  const el = h("input", { id: self.id, type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", class: "number" });
  const low = s.minimum ?? s.exclusiveMinimum;
  const high = s.maximum ?? s.exclusiveMaximum;
  return {
    el,
    hint: range(s, low, high, whole),
    read() {
      const text = el.value.trim().replace(/^\+/, "");
      if (text === "") return undefined;
      const form = whole ? /^-?\d+$/ : /^-?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i;
      if (!form.test(text)) throw new Problem(whole ? "This must be a whole number." : "This must be a number.");
      const value = whole ? integer(text) : Number(text.replace(",", "."));
      const size = Number(text.replace(",", "."));
      if (size < s.minimum || size <= s.exclusiveMinimum) throw new Problem(`This must be ${s.minimum === undefined ? "more than" : "at least"} ${low}.`);
      if (size > s.maximum || size >= s.exclusiveMaximum) throw new Problem(`This must be ${s.maximum === undefined ? "less than" : "at most"} ${high}.`);
      if (s.multipleOf && Math.abs(size / s.multipleOf - Math.round(size / s.multipleOf)) > 1e-9) throw new Problem(`This must be a multiple of ${s.multipleOf}.`);
      return value;
    },
    write(value) {
      el.value = isExact(value) ? value.rawJSON : String(value);
    },
  };
}

// The bounds of a Rust integer type say nothing to a person: 4294967295 is not a hint.
function range(s, low, high, whole) {
  const near = (n) => n !== undefined && Math.abs(n) < 1e9;
  const open = s.minimum === undefined && s.exclusiveMinimum !== undefined;
  const below = s.maximum === undefined && s.exclusiveMaximum !== undefined;
  if (near(low) && near(high)) return open || below ? `${open ? "more than" : "at least"} ${low}, ${below ? "less than" : "at most"} ${high}` : `${low} to ${high}`;
  if (near(low) && !(low === 0 && !open && /^u(int|size)/.test(s.format ?? ""))) return open ? `more than ${low}` : `${low} or more`;
  if (near(high)) return below ? `less than ${high}` : `${high} or less`;
  return whole ? "a whole number" : "";
}

function boolean(self, { title, required, nullable, fallback }) {
  if (nullable || (!required && fallback === undefined)) return select(self, [{ value: true, title: "Yes" }, { value: false, title: "No" }], false);
  const box = h("input", { id: self.id, type: "checkbox" });
  return {
    el: h("label", { class: "check" }, box, h("span", null, title)),
    target: box,
    bare: true,
    first: () => box,
    read: () => box.checked,
    write: (value) => (box.checked = value === true),
  };
}

function choice(self, { options, required }) {
  return required && options.length <= 4 ? radios(self, options) : select(self, options, required);
}

function radios(self, options) {
  const boxes = options.map((_, index) => h("input", { type: "radio", name: self.id, id: index ? null : self.id, value: index }));
  const rows = options.map((one, index) =>
    h("label", { class: "check" }, boxes[index], h("span", null, one.title, one.help && h("small", null, one.help))),
  );
  return {
    el: h("div", { class: "radios", role: "radiogroup" }, rows),
    group: true,
    missing: "Choose one.",
    first: () => boxes.find((box) => box.checked) ?? boxes[0],
    read: () => options[boxes.findIndex((box) => box.checked)]?.value,
    write: (value) => boxes.forEach((box, index) => (box.checked = options[index].value === value)),
  };
}

/** Any number of a few constants, sent in the order of the choices. */
function several(self, { options, required, schema: { minItems = 0, maxItems = Infinity } }) {
  const boxes = options.map((_, index) => h("input", { type: "checkbox", id: index ? null : self.id }));
  const all = minItems > 0 ? `at least ${minItems}` : "";
  const most = maxItems < options.length ? `at most ${maxItems}` : "";
  const bounds = [all, most].filter(Boolean).join(", ");
  return {
    el: h("div", { class: "boxes", role: "group" }, options.map((one, index) => h("label", { class: "check" }, boxes[index], h("span", null, one.title, one.help && h("small", null, one.help))))),
    group: true,
    hint: bounds,
    first: () => boxes[0],
    read() {
      const chosen = options.filter((_, index) => boxes[index].checked).map((one) => one.value);
      if (!chosen.length && !required) return undefined;
      if (chosen.length < minItems || chosen.length > maxItems) throw new Problem(`Choose ${bounds}.`);
      return chosen;
    },
    write: (value) => boxes.forEach((box, index) => (box.checked = Array.isArray(value) && value.includes(options[index].value))),
  };
}

function select(self, options, required) {
  const none = h("option", { value: "" }, required ? "Choose…" : "Not set");
  const el = h("select", { id: self.id }, none, options.map((one, index) => h("option", { value: index }, one.title)));
  const note = h("small", { class: "choice-help" });
  const update = () => (note.textContent = options[el.value]?.help ?? "");
  el.addEventListener("change", update);
  return {
    el: fill(h("div", { class: "select" }), [el, note]),
    target: el,
    missing: "Choose one.",
    first: () => el,
    read: () => (el.value === "" ? undefined : options[el.value].value),
    write(value) {
      const index = options.findIndex((one) => one.value === value);
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
        return parse(el.value);
      } catch (error) {
        throw new Problem(`This is not JSON: ${error.message}.`);
      }
    },
    write: (value) => (el.value = JSON.stringify(value, null, 2)),
  };
}
