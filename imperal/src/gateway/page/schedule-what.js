// The part of the schedule dialog that says what runs: the function and its parameters, folded to one line while they are right.
// Owns their controls. A function with parameters that are not stored cannot run by itself. When it runs is schedule-when.js.

import { h, icon, newId, refill } from "./dom.js";
import { control } from "./field-controls.js";
import { humanise } from "./format.js";
import { describe, steps } from "./schema.js";
import { kept, secrets } from "./secrets.js";
import { excerpt } from "./task-words.js";

export class ScheduleWhat {
  /** `choices` are `{app, fn}` to choose from, if the function is not given; `changed()` is called after each change. */
  constructor({ choices, changed }) {
    Object.assign(this, { choices, changed });
    this.pick = h(
      "select",
      { id: newId("function"), onchange: () => this.choose(this.choices[this.pick.value], undefined) },
      h("option", { value: "" }, "Choose…"),
    );
    this.picker = h(
      "div",
      { class: "field schedule-row" },
      h("label", { class: "label", for: this.pick.id }, "Function"),
      this.pick,
      (this.missing = h("p", { class: "field-error", role: "alert", hidden: true })),
    );
    this.line = h("p", { class: "schedule-what" });
    this.body = h("div", { class: "schedule-params", id: newId("params") });
    this.toggle = h(
      "button",
      { type: "button", class: "link", "aria-controls": this.body.id, onclick: () => this.fold(!this.body.hidden) },
      "Change…",
      h("span", { class: "hidden" }, " what runs"),
    );
    this.secret = h("p", { class: "form-error", role: "note", hidden: true });
    this.summary = h(
      "div",
      { class: "field schedule-row" },
      h("div", { class: "label" }, "What"),
      h("div", { class: "inline" }, this.line, this.toggle),
    );
    this.el = h("div", null, this.picker, this.summary, this.secret, this.body);
    for (const kind of ["input", "change", "click"])
      this.body.addEventListener(kind, (event) => {
        if (kind === "click" && !event.target.closest("button")) return; // a row was added or removed
        this.changed();
      });
  }

  /** Begins with a function, or with the choice of one. */
  begin(chosen, params, canPick) {
    this.picker.hidden = !canPick;
    this.missing.hidden = true;
    if (canPick) this.listChoices(chosen);
    this.show(chosen, params);
  }

  listChoices(chosen) {
    const one = ({ fn }, index) => h("option", { value: index }, humanise(fn.name));
    const group = (app) =>
      h(
        "optgroup",
        { label: app.name },
        this.choices.map((each, n) => each.app === app && one(each, n)),
      );
    const apps = [...new Set(this.choices.map(({ app }) => app))];
    refill(this.pick, this.pick.firstChild, apps.length > 1 ? apps.map(group) : this.choices.map(one));
    const at = this.choices.findIndex(({ app, fn }) => app === chosen?.app && fn === chosen?.fn);
    this.pick.value = at < 0 ? "" : String(at);
  }

  choose(chosen, params) {
    this.missing.hidden = true;
    this.show(chosen, params);
    this.changed();
  }

  /** The function and its parameters; folded if they are complete. */
  show(chosen, params) {
    this.chosen = chosen;
    this.summary.hidden = !chosen;
    const schema = chosen?.fn.params_schema ?? {};
    const [secret] = chosen ? secrets(schema) : [];
    this.isSecret = secret !== undefined;
    this.secret.hidden = !this.isSecret;
    refill(
      this.secret,
      this.isSecret && [
        icon("lock"),
        h(
          "span",
          null,
          `${humanise(chosen.fn.name)} needs “${humanise(secret)}”, which is not stored. It cannot run by itself.`,
        ),
      ],
    );
    this.control = null;
    if (!chosen || this.isSecret) {
      refill(this.body);
      return this.fold(true);
    }
    const field = { ...describe(schema, schema, "", true), title: "", help: "" };
    this.control = control(field, params, params !== undefined);
    this.isEmpty = field.kind === "object" && !field.also && !field.rest && field.fields().length === 0;
    refill(this.body, !this.isEmpty && this.control.el);
    const problems = [];
    this.control.read(problems);
    this.fold(params !== undefined && problems.length === 0);
  }

  fold(isFolded) {
    this.body.hidden = isFolded || !this.control || this.isEmpty;
    this.toggle.hidden = !this.control || this.isEmpty;
    this.toggle.setAttribute("aria-expanded", String(!this.body.hidden));
    if (!this.chosen) return;
    const name = humanise(this.chosen.fn.name);
    const words = this.control ? excerpt(this.control.read([])) : "";
    refill(this.line, h("strong", null, name), this.body.hidden && words && ` · ${words}`);
  }

  /** The parameters as they may be stored. */
  state() {
    if (!this.control) return undefined;
    return kept(this.control.read([]), this.chosen.fn.params_schema);
  }

  /** The request's part: `{app_id, function, params}`. Problems are `{focus(), show()}`. */
  read(problems) {
    if (!this.chosen) {
      problems.push({
        show: () => {
          refill(this.missing, icon("alert"), h("span", null, "Choose a function."));
          this.missing.hidden = false;
        },
        focus: () => this.pick.focus(),
      });
      return {};
    }
    const found = [];
    const params = this.control?.read(found) ?? {};
    for (const { control: at, message } of found)
      problems.push({ show: () => (this.fold(false), at.fail(message)), focus: () => at.focus() });
    return { app_id: this.chosen.app.app_id, function: this.chosen.fn.name, params };
  }

  /** Shows a refusal at the parameter that it names. False if there is no such place. */
  fail(field, message) {
    const place = this.control?.find(steps(field));
    if (!place || place === this.control) return false;
    this.fold(false);
    place.fail(message);
    place.focus();
    return true;
  }
}
