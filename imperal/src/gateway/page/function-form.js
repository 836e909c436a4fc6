// The form of one function. Owns its text, its submit button, the switch to JSON, the place of errors, and when what a
// person has written is kept, set aside or emptied. The controls are field-controls.js, stored drafts drafts.js.

import { explain, isLost } from "./action-error.js";
import { ApiError, onceReachable } from "./api.js";
import { copySign } from "./copy-button.js";
import { h, icon, newId, refill } from "./dom.js";
import { Drafts } from "./drafts.js";
import { NEEDED, control } from "./field-controls.js";
import { takeFiles } from "./file-picker.js";
import { same } from "./exact-json.js";
import { describe, steps } from "./schema.js";
import { verbatim } from "./show-more.js";
import { plainWords } from "./plain-words.js";
import { line } from "./prose.js";
import { humanise } from "./format.js";

const KEPT = "Your input is kept. Send it again: it cannot run twice.";
const KEPT_OFFLINE = "Your input is kept: send it when you are back.";
const BACK = "You are connected again. Run sends it now: it cannot run twice.";

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

export class FunctionForm {
  /** `run(params)` resolves when the call is accepted; `confirm(params)` asks before a destructive one; `repeat(params)` makes a schedule. */
  constructor({ owner, app, fn, run, confirm, repeat, announce, accepted }) {
    Object.assign(this, { owner, app, fn, run, confirm, repeat, announce, accepted });
    this.schema = fn.params_schema ?? {};
    this.asJson = false;
    this.edited = false; // whether a person wrote what is in the form
    this.drafts = new Drafts({
      owner,
      name: `${app.app_id}/${fn.name}`,
      schema: this.schema,
      read: () => this.control.read([]),
    });
    this.asideLine = h("div", { class: "set-aside", role: "status" });
    this.unread = h("div");
    this.body = h("div", { class: "fields" });
    this.error = h("div", { class: "form-error", role: "alert", hidden: true });
    this.submit = h("button", { type: "submit", class: `primary${fn.action_type === "destructive" ? " danger" : ""}` });
    this.mode = h("button", { type: "button", class: "quiet small", onclick: () => this.toggle() });
    const again = h(
      "button",
      {
        type: "button",
        class: "secondary repeat",
        title: "Run it later or repeatedly",
        onclick: () => this.repeat(this.control.read([])),
      },
      icon("repeat"),
      "Repeat…",
      h("span", { class: "hidden" }, ` ${humanise(fn.name)}`),
    );
    this.foot = h(
      "div",
      { class: "form-foot" },
      this.error,
      h("div", { class: "actions" }, this.submit, again, this.mode),
    );
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
      this.asideLine,
      this.unread,
      this.body,
      this.foot,
    );
    takeFiles(this.el, app.app_id);
    // it lies over the fields: what gets the focus is scrolled above it
    new ResizeObserver(() => this.el.parentElement?.style.setProperty("--foot", `${this.foot.offsetHeight}px`)).observe(
      this.foot,
    );
    this.el.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault(); // or the same key presses the button that the question focuses
      this.el.requestSubmit();
    });
    for (const kind of ["input", "change", "click"])
      this.body.addEventListener(kind, (event) => {
        if (kind === "click" && !event.target.closest("button")) return; // a row was added or removed
        this.edited = true;
        this.drafts.keepSoon();
      });
    const draft = this.drafts.stored();
    this.build(draft);
    this.edited = draft !== undefined;
    this.showAside();
    this.showUnread();
    this.idle();
  }

  /**
   * Fills the form with the parameters of an earlier call. A draft that is in it is set aside and can be put back; the stored
   * draft stays until the first edit.
   */
  fill(params) {
    this.setAside(params);
    this.drafts.keepNow();
    this.build(params);
    this.edited = false;
    this.showAside();
  }

  /** Sets aside what a person wrote, before `value` takes its place. */
  setAside(value) {
    const draft = this.edited ? this.control.read([]) : undefined;
    if (draft !== undefined && !same(draft, value) && !same(draft, this.empty())) this.drafts.setAside(draft);
  }

  /** What the form has before anything is written into it. */
  empty() {
    if (this.asJson) return {};
    return control({ ...describe(this.schema, this.schema, "", true), title: "", help: "" }).read([]);
  }

  showAside() {
    refill(
      this.asideLine,
      this.drafts.aside.length > 0 && [
        icon("info"),
        h("span", null, "Your draft was set aside. "),
        h("button", { type: "button", class: "link", onclick: () => this.putBack() }, "Put it back"),
      ],
    );
  }

  /** A stored draft that cannot be read is shown as it is. It is stored under another name, and told of once. */
  showUnread() {
    if (!this.drafts.unread.length) return;
    const words = "A stored draft of this form cannot be read. It was set aside.";
    const one = (text) =>
      h(
        "details",
        { class: "unread-draft" },
        h("summary", null, "Show its text"),
        h(
          "div",
          { class: "raw" },
          copySign(() => text, "Copy the draft"),
          verbatim(text),
        ),
      );
    refill(this.unread, h("p", { class: "set-aside" }, icon("alert"), words), this.drafts.unread.map(one));
    this.announce(words);
  }

  putBack() {
    const draft = this.drafts.takeBack();
    this.setAside(draft);
    this.build(draft);
    this.edited = true;
    this.drafts.keep();
    this.showAside();
    this.control.focus();
    this.announce("Your draft is back.");
  }

  build(value) {
    this.hideError();
    if (this.asJson) {
      this.control = jsonControl(value ?? {});
      refill(this.body, this.control.el);
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
      refill(this.body, empty ? h("p", { class: "help" }, "It has no parameters.") : this.control.el);
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
    const busy = problems.filter(({ control: c }) => c.input?.busy?.()); // an upload ends with its control
    if (this.asJson && problems.length) return this.show(problems);
    if (busy.length) return this.show(busy);
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
    if (this.fn.action_type === "destructive" && !(await this.confirm(params))) return;
    this.working();
    try {
      await this.run(params);
      this.sent(params);
      this.announce(`${humanise(this.fn.name)}: accepted`);
      this.accepted();
    } catch (error) {
      this.refused(error);
    } finally {
      this.idle();
    }
  }

  /** Empties the form after its call was accepted. What was written since it was sent is not the call's and stays. */
  sent(params) {
    if (!same(this.control.read([]), params)) return this.drafts.keepSoon();
    this.drafts.forget();
    this.build(undefined);
    this.edited = false;
  }

  /** Problems found in the browser, each at its field. */
  show(problems) {
    for (const { control: c, message } of problems) c.fail(message);
    problems[0].control.focus();
    const first = named(problems[0]);
    this.announce(problems.length === 1 ? first : `${problems.length} fields need attention. First: ${first}`);
  }

  /** A refusal of the platform, at its field if that is on the screen. */
  refused(error) {
    const place =
      error instanceof ApiError && error.field && !this.asJson ? this.control.find(steps(error.field)) : null;
    if (place && place !== this.control) {
      place.fail(line(error.message));
      place.focus();
      this.announce(plainWords(error.message));
      return;
    }
    const words = explain(error, navigator.onLine ? KEPT : KEPT_OFFLINE);
    refill(this.error, icon("alert"), h("span", null, line(words)));
    this.error.hidden = false;
    // an error of a lost connection becomes the way on
    if (isLost(error)) this.forget = onceReachable(() => refill(this.error, icon("again"), h("span", null, BACK)));
  }

  hideError() {
    this.forget?.();
    this.error.hidden = true;
    refill(this.error);
  }

  working() {
    this.busy = true;
    this.submit.setAttribute("aria-disabled", "true");
    refill(this.submit, h("span", { class: "spinner", "aria-hidden": "true" }), "Sending…");
  }

  idle() {
    this.busy = false;
    this.submit.removeAttribute("aria-disabled");
    refill(
      this.submit,
      "Run",
      h("kbd", { "aria-hidden": "true" }, /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵"),
    );
  }
}

/** A problem with the name of its field: `Title is needed.`, `Limit: This must be at most 500.` */
function named({ control: c, message }) {
  const title = c.field?.title;
  if (!title) return message;
  return message === NEEDED ? `${title} is needed.` : `${title}: ${message}`;
}

/** The chip of a function that is declared to work in the background. */
export function pace(fn) {
  if (!fn.background && !fn.long_running) return null;
  return h(
    "span",
    { class: "chip plain", title: "You can close the page while it runs." },
    icon("background"),
    fn.long_running ? "Takes long, in the background" : "In the background",
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
