// The controls of a form: one for each field that schema.js describes. Owns labels, errors, marking,
// and when a value falls back to a box for JSON. What a person types into is field-inputs.js;
// objects, lists and variants are group-controls.js.
//
// Every control has: el, read(problems) -> value or undefined for absent, fail(message), clear(),
// find(steps) -> the control at a path, focus().
//
// A value that a control was filled with is read back unchanged until a person edits it. A box for
// JSON holds every value that a control cannot show (another type than the schema's, an enum value
// that no longer exists, a list too long to draw), and sends it unchanged.

import { h, icon, newId, refill } from "./dom.js";
import { isExact, same } from "./exact-json.js";
import { InvalidInput, INPUTS } from "./field-inputs.js";
import { FILE_INPUTS } from "./file-picker.js";
import { groupControl } from "./group-controls.js";

const ALL_INPUTS = { ...INPUTS, ...FILE_INPUTS };
const GROUPS = new Set(["object", "list", "tuple", "map", "variants"]);

/** The problem of a required field without a value. */
export const NEEDED = "This is needed.";

const MANY = 200; // items and entries that are drawn as rows

/**
 * The control of a field. `value` is its start; undefined means the default, or nothing if the form is `filled` with the
 * parameters of an earlier call.
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
  const single = new SingleControl(
    filled && start === undefined && field.kind === "boolean" && !field.required
      ? { ...field, fallback: undefined }
      : field,
  );
  if (start !== undefined) single.write(start);
  // Some texts do not fit the browser's control for their format; a plain box holds them.
  if (single.cannotShow && field.kind === "string" && typeof start === "string") {
    const plain = new SingleControl({
      ...field,
      long: field.schema.writeOnly !== true && /[\r\n]/.test(start),
      schema: { ...field.schema, format: undefined },
    });
    plain.write(start);
    return plain;
  }
  return single;
}

/** A box for JSON, for a value that the field's control cannot hold. */
function asJson(field, value) {
  const help = [field.help, "shown as JSON, because the form has no fields for this value"].filter(Boolean).join(" · ");
  const made = new SingleControl({ ...field, kind: "json", help, title: field.title || "Value" });
  made.write(value);
  return made;
}

/** A value that the schema fixes, such as the tag of a variant: sent, not shown. */
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

class SingleControl {
  constructor(field) {
    this.field = field;
    this.id = newId("field");
    this.input = ALL_INPUTS[field.kind](this, field);
    this.error = h("p", { class: "field-error", id: `${this.id}-error`, hidden: true });
    const about = [this.input.about, `${this.id}-help`, `${this.id}-error`].filter(Boolean).join(" ");
    const target = this.input.target ?? this.input.el;
    target.setAttribute("aria-describedby", about);
    if (field.required && field.kind !== "boolean") target.setAttribute("aria-required", "true");
    const head = this.input.bare ? null : this.label();
    const parts = this.input.bare ? [this.input.el, this.help()] : [head, this.help(), this.input.el];
    this.el = h("div", { class: `field field-${field.kind}` }, parts, this.count(), this.error);
    this.given = undefined; // the value it was filled with, until a person edits it
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

  /** A counter for texts with a limit that a person could reach. */
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
        throw new InvalidInput(this.input.missing ?? NEEDED);
      }
      return value;
    } catch (problem) {
      if (!(problem instanceof InvalidInput)) throw problem;
      problems.push({ control: this, message: problem.message, waits: problem.waits });
      // A problem stops the request. Drafts and the JSON view keep the value.
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
    // while typing, an error disappears once it is fixed, and a new one waits for the end
    const [first] = problems;
    if (first && this.touched && !(first.waits && this.error.hidden)) this.fail(problems[0].message);
    else this.clear();
  }

  /** Shows a problem: a text, or its nodes. */
  fail(message) {
    this.touched = true;
    refill(this.error, icon("alert"), h("span", null, message));
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
