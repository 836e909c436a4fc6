// The form of one function. Owns its text, its submit button, the switch to JSON, the place of errors, and the draft that
// survives a reload. The controls are field-controls.js.

import { ApiError } from "./api.js";
import { explain } from "./calls.js";
import { h, icon, newId } from "./dom.js";
import { control } from "./field-controls.js";
import { parse, same, write } from "./exact-json.js";
import { describe, steps } from "./schema.js";
import { kept } from "./secrets.js";
import { count, humanise } from "./format.js";

const ACTIONS = {
  read: ["Reads", "plain", "Changes nothing.", "eye"],
  write: ["Writes", "live", "Changes something.", "edit"],
  destructive: ["Destructive", "bad", "What it removes may be lost permanently.", "trash"],
};

const actionOf = (type) => ACTIONS[type] ?? [humanise(type ?? "read"), "plain", "", "chevron"];

/** The icon tile of an action type, for lists; its word is for screen readers. */
export function actionTile(type) {
  const [word, tone, title, sign] = actionOf(type);
  return h(
    "span",
    { class: `tile ${tone}`, title: `${word}. ${title}` },
    icon(sign),
    h("span", { class: "hidden" }, word),
  );
}

/** The chip that names a function's action type. */
export function actionChip(type) {
  const [word, tone, title, sign] = actionOf(type);
  return h("span", { class: `chip ${tone}`, title }, icon(sign), word);
}

// a draft belongs to its user: another user who signs in with the same tab must not find it
const draftKey = (owner, app, fn) => `draft:${owner}:${app.app_id}/${fn.name}`;

export class FunctionForm {
  /** `run(params)` resolves when the call is accepted; `confirm()` asks before a destructive one. */
  constructor({ owner, app, fn, run, confirm, announce, accepted }) {
    Object.assign(this, { owner, app, fn, run, confirm, announce, accepted });
    this.schema = fn.params_schema ?? {};
    this.asJson = false;
    this.body = h("div", { class: "fields" });
    this.error = h("div", { class: "form-error", role: "alert", hidden: true });
    this.submit = h("button", { type: "submit", class: `primary${fn.action_type === "destructive" ? " danger" : ""}` });
    this.mode = h("button", { type: "button", class: "quiet small", onclick: () => this.toggle() });
    this.title = h("h2", { id: newId("function"), tabindex: "-1" }, humanise(fn.name));
    this.el = h(
      "form",
      {
        class: "function-form",
        novalidate: true,
        "aria-labelledby": this.title.id,
        onsubmit: (event) => this.onSubmit(event),
      },
      h(
        "div",
        { class: "form-head" },
        this.title,
        h("div", { class: "about" }, h("code", null, fn.name), actionChip(fn.action_type), pace(fn)),
      ),
      h("p", { class: "lead" }, fn.description),
      this.body,
      h("div", { class: "form-foot" }, this.error, h("div", { class: "actions" }, this.submit, this.mode)),
    );
    this.el.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.el.requestSubmit();
    });
    for (const kind of ["input", "change"]) this.el.addEventListener(kind, () => this.draftSoon());
    addEventListener("pagehide", () => this.draftTimer && this.keepDraft());
    this.build(this.draft());
    this.idle();
  }

  /** Fills the form, from the parameters of an earlier call for example. */
  fill(params) {
    this.build(params);
    this.keepDraft();
  }

  build(value) {
    this.body.replaceChildren();
    this.hideError();
    if (this.asJson) {
      this.control = jsonControl(value ?? {});
      this.body.append(this.control.el);
    } else {
      const field = { ...describe(this.schema, this.schema, "", true), title: "", help: "" };
      this.control = control(field, value, value !== undefined);
      if (value !== undefined && !same(this.control.read([]), value)) return this.buildJson(value);
      const empty =
        field.kind === "object" &&
        !field.also &&
        !field.rest &&
        field.fields().length === 0 &&
        !Object.keys(value ?? {}).length;
      this.body.append(empty ? h("p", { class: "help" }, "It has no parameters.") : this.control.el);
    }
    this.mode.textContent = this.asJson ? "Back to the form" : "Edit as JSON";
  }

  /** The form cannot hold these parameters unchanged: the JSON view can. */
  buildJson(value) {
    this.asJson = true;
    this.build(value);
  }

  toggle() {
    const problems = [];
    const value = this.control.read(problems);
    if (this.asJson && problems.length) return this.show(problems);
    this.asJson = !this.asJson;
    this.build(value);
    this.control.focus();
  }

  async onSubmit(event) {
    event.preventDefault();
    if (this.busy) return;
    this.hideError();
    const problems = [];
    const params = this.control.read(problems);
    if (problems.length) return this.show(problems);
    if (this.fn.action_type === "destructive" && !(await this.confirm(this.fn))) return;
    this.working();
    try {
      await this.run(params);
      this.forgetDraft();
      this.build(undefined);
      this.announce(`${humanise(this.fn.name)}: accepted`);
      this.accepted();
    } catch (error) {
      this.refused(error);
    } finally {
      this.idle();
    }
  }

  /** Problems found in the browser, each at its field. */
  show(problems) {
    for (const { control: c, message } of problems) c.fail(message);
    problems[0].control.focus();
    this.announce(
      problems.length === 1
        ? problems[0].message
        : `${count(problems.length, "field")} to look at. ${problems[0].message}`,
    );
  }

  /** A refusal of the platform, at its field if that is on the screen. */
  refused(error) {
    const place =
      error instanceof ApiError && error.field && !this.asJson ? this.control.find(steps(error.field)) : null;
    if (place && place !== this.control) {
      place.fail(error.message);
      place.focus();
      this.announce(error.message);
      return;
    }
    this.error.replaceChildren(icon("alert"), h("span", null, explain(error)));
    this.error.hidden = false;
  }

  hideError() {
    this.error.hidden = true;
    this.error.replaceChildren();
  }

  working() {
    this.busy = true;
    this.submit.setAttribute("aria-disabled", "true");
    this.submit.replaceChildren(h("span", { class: "spinner", "aria-hidden": "true" }), "Sending…");
  }

  idle() {
    this.busy = false;
    this.submit.removeAttribute("aria-disabled");
    this.submit.replaceChildren(
      "Run",
      h("kbd", { "aria-hidden": "true" }, /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵"),
    );
  }

  draft() {
    try {
      const text = sessionStorage.getItem(draftKey(this.owner, this.app, this.fn));
      return text ? parse(text, true) : undefined;
    } catch {
      return undefined; // storage is blocked or holds an older format: start empty
    }
  }

  draftSoon() {
    clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => this.keepDraft(), 300);
  }

  keepDraft() {
    this.draftTimer = null;
    try {
      sessionStorage.setItem(draftKey(this.owner, this.app, this.fn), write(kept(this.control.read([]), this.schema)));
    } catch {
      // storage is blocked or full: the draft lasts as long as the page
    }
  }

  forgetDraft() {
    clearTimeout(this.draftTimer);
    this.draftTimer = null;
    try {
      sessionStorage.removeItem(draftKey(this.owner, this.app, this.fn));
    } catch {
      // as above
    }
  }
}

/** The chip of a function that is declared to work in the background. */
export function pace(fn) {
  if (!fn.background && !fn.long_running) return null;
  return h(
    "span",
    { class: "chip plain", title: "You can close the page while it runs." },
    icon("background"),
    fn.long_running ? "Long background" : "Background",
  );
}

function jsonControl(value) {
  const field = {
    kind: "json",
    name: "params",
    title: "Parameters",
    help: "",
    required: true,
    nullable: false,
    schema: {},
    root: {},
  };
  const made = control(field, value);
  made.el.classList.add("whole");
  return made;
}
