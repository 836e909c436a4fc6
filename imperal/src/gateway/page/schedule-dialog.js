// The dialog "Run … repeatedly": makes a schedule or changes one. Owns its text, its drafts, the question before a destructive
// function, and the places of errors. Closing it keeps what was written; only Cancel throws it away. What runs is
// schedule-what.js, when schedule-when.js, the next times schedule-preview.js.

import { explain, isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";
import { h, icon, newId, refill } from "./dom.js";
import { Drafts } from "./drafts.js";
import { same } from "./exact-json.js";
import { humanise } from "./format.js";
import { namedParams } from "./param-list.js";
import { line } from "./prose.js";
import { SchedulePreview } from "./schedule-preview.js";
import { shortIn } from "./schedule-times.js";
import { firstRule } from "./schedule-rule.js";
import { ScheduleWhat } from "./schedule-what.js";
import { ScheduleWhen, stateOf } from "./schedule-when.js";
import { ownZone } from "./zone-box.js";

const KEPT = "What you wrote is kept. Send it again: it cannot be made twice.";
const BACK = "You are connected again. Send it now: it cannot be made twice.";
const NAME_LENGTH = 100;
const REST =
  "If it is still running at its time, that time is skipped. If nothing could run it, it runs once, at most 12 h late.";

const beginning = () => ({
  rule: firstRule(),
  zone: ownZone(),
  starts: "",
  ends: { kind: "never", date: "", runs: "" },
});

export class ScheduleDialog {
  /** `confirm(question)` asks, `find(app_id, function)` gives `{app, fn}`, `made(schedule, words)` is told of the end. */
  constructor(dialog, { owner, extensions, schedules, confirm, find, made }) {
    Object.assign(this, { dialog, owner, schedules, confirm, find, made });
    this.choices = extensions.flatMap((app) => app.functions.map((fn) => ({ app, fn })));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
  }

  /** For a function, with parameters of its form or of a call. */
  repeat(appId, name, params) {
    const chosen = this.find(appId, name);
    if (chosen) this.open({ chosen, params, draft: `schedule/${appId}/${name}` });
  }

  /** For a function that is chosen in the dialog. */
  create() {
    this.open({ canPick: true, draft: "schedule/new" });
  }

  edit(schedule) {
    const chosen = this.find(schedule.app_id, schedule.function);
    if (chosen) this.open({ chosen, params: schedule.params, schedule, draft: `schedule/edit/${schedule.id}` });
  }

  duplicate(schedule) {
    const chosen = this.find(schedule.app_id, schedule.function);
    if (chosen) this.open({ chosen, params: schedule.params, like: schedule, draft: `schedule/copy/${schedule.id}` });
  }

  open(task) {
    this.task = task;
    this.build();
    this.start();
    const stored = this.drafts.stored();
    if (stored) this.restore(stored);
    if (!this.dialog.open) this.dialog.showModal();
    this.name.focus();
    this.name.select();
    this.preview.now();
  }

  build() {
    const { schedule, like, chosen } = this.task;
    this.isEdited = false;
    const changed = () => this.changed();
    this.what = new ScheduleWhat({ choices: this.choices, changed: () => (this.suggestName(), this.changed()) });
    this.when = new ScheduleWhen({ changed });
    this.preview = new SchedulePreview({
      request: () => this.previewRequest(),
      ask: (body) => this.schedules.preview(body),
      refused: (error) => this.showAtField(error),
    });
    this.name = h("input", {
      id: newId("name"),
      type: "text",
      autocomplete: "off",
      dir: "auto",
      oninput: () => this.named(),
    });
    this.nameError = h("p", { class: "field-error", id: newId("error"), role: "alert", hidden: true });
    this.name.setAttribute("aria-describedby", this.nameError.id);
    this.draftLine = h("div", { class: "set-aside", role: "status" });
    this.error = h("div", { class: "form-error", role: "alert", hidden: true });
    this.submit = h("button", { type: "submit", class: "primary" });
    this.cron = h("button", {
      type: "button",
      class: "link",
      onclick: () => (this.when.toggleCron(), this.showCron()),
    });
    const title = schedule
      ? `Edit ${schedule.name}`
      : chosen
        ? `Run ${humanise(chosen.fn.name)} repeatedly`
        : "New schedule";
    this.form = h(
      "form",
      { novalidate: true, class: "schedule-form", onsubmit: (event) => (event.preventDefault(), this.send()) },
      this.draftLine,
      h(
        "div",
        { class: "field schedule-row" },
        h("label", { class: "label", for: this.name.id }, "Name"),
        this.name,
        this.nameError,
      ),
      this.what.el,
      this.when.el,
      this.preview.el,
      h("p", { class: "help" }, REST),
      h("div", { class: "inline help" }, h("span", null, "It runs as you, also while this page is closed."), this.cron),
    );
    refill(
      this.dialog,
      h(
        "div",
        { class: "head-row" },
        h("h2", { id: "schedule-title" }, like ? `Copy ${like.name}` : title),
        h(
          "button",
          { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => this.dialog.close() },
          icon("close"),
        ),
      ),
      this.form,
      h(
        "div",
        { class: "schedule-foot" },
        this.error,
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "secondary", onclick: () => this.cancel() }, "Cancel"),
          this.submit,
        ),
      ),
    );
    this.submit.setAttribute("form", (this.form.id = newId("schedule")));
  }

  /** The dialog as it begins without a draft. */
  start() {
    const { schedule, like, chosen, params, canPick } = this.task;
    this.what.begin(chosen, params, canPick);
    this.when.write(schedule || like ? stateOf(schedule ?? like) : beginning());
    this.isNamed = Boolean(schedule);
    this.name.value = schedule ? schedule.name : like ? `Copy of ${like.name}`.slice(0, NAME_LENGTH) : "";
    this.suggestName();
    this.drafts = new Drafts({ owner: this.owner, name: this.task.draft, schema: {}, read: () => this.state() });
    this.first = schedule ? this.request([]) : null;
    refill(this.draftLine);
    this.showCron();
    this.idle();
  }

  /** What is kept of an unfinished dialog. */
  state() {
    const { chosen } = this.what;
    const of = this.task.canPick && chosen ? { app_id: chosen.app.app_id, function: chosen.fn.name } : {};
    return { name: this.name.value, ...this.when.state(), params: this.what.state(), ...of };
  }

  /** Parameters that came with the way in are newer than those of a draft. */
  restore({ name, params, app_id: appId, function: fn, ...when }) {
    const { canPick, chosen, params: given, schedule } = this.task;
    try {
      this.when.write({ ...beginning(), ...when });
      this.name.value = String(name ?? "");
      if (canPick && appId) this.what.begin(this.find(appId, fn), params, true);
      else if (chosen && params !== undefined && (given === undefined || schedule)) this.what.show(chosen, params);
    } catch {
      return this.start(); // another version of the page wrote it
    }
    this.isNamed = this.isEdited = true;
    const over = () => {
      this.drafts.forget();
      this.start();
      this.preview.now();
      this.name.focus();
    };
    refill(
      this.draftLine,
      icon("info"),
      h("span", null, "This is your draft. "),
      h("button", { type: "button", class: "link", onclick: over }, "Start over"),
    );
    this.showCron();
    this.idle();
  }

  /** The function's name, until a person writes another one. */
  suggestName() {
    if (!this.isNamed && !this.task.like) this.name.value = this.what.chosen ? humanise(this.what.chosen.fn.name) : "";
    if (this.submit) this.idle();
  }

  named() {
    this.isNamed = true;
    this.nameError.hidden = true;
    this.name.removeAttribute("aria-invalid");
    this.drafts.keepSoon();
    this.isEdited = true;
  }

  changed() {
    this.isEdited = true;
    this.drafts.keepSoon();
    this.showCron();
    this.preview.soon();
  }

  showCron() {
    refill(this.cron, this.when.isCron ? "Choose without cron" : "Edit as cron");
    this.cron.hidden = this.when.state().rule.kind === "every";
  }

  // --- sending ---

  /** The body of the request; problems are `{show(), focus()}`, in the order of the dialog. */
  request(problems) {
    const name = this.name.value.trim();
    const long = [...name].length > NAME_LENGTH;
    if (!name || long) {
      const words = long ? `At most ${NAME_LENGTH} characters.` : "A name is needed.";
      problems.push({ show: () => this.failName(words), focus: () => this.name.focus() });
    }
    const what = this.what.read(problems);
    const found = [];
    const when = this.when.read(found);
    for (const { part, message } of found)
      problems.push({ show: () => this.when.fail(part, message), focus: () => this.when.fail(part, message, true) });
    return { name, ...what, ...when };
  }

  previewRequest() {
    const found = [];
    const { when, zone, starts_at, ends_at } = this.when.read(found);
    if (!when || !zone) return { problem: found.map(({ message }) => message).join(" ") };
    return { when, zone, starts_at, ends_at };
  }

  async send() {
    if (this.busy || this.what.isSecret) return;
    this.hideError();
    const problems = [];
    const body = this.request(problems);
    for (const problem of problems.toReversed()) problem.show();
    if (problems.length) return problems[0].focus();
    this.working();
    try {
      const approve = await this.approval(body);
      if (approve === null) return this.submit.focus();
      await this.save(approve ? { ...body, approve } : body);
    } catch (error) {
      this.refused(error);
    } finally {
      this.idle();
    }
  }

  async save(body) {
    const { schedule } = this.task;
    const saved = schedule ? await this.saveChanges(schedule, body) : await this.schedules.make(body);
    this.drafts.forget();
    this.isEdited = false;
    this.dialog.close();
    this.made(saved, `${saved.name} is ${schedule ? "saved" : "created"}.`);
  }

  /** Sends what was changed. What the dialog cannot show exactly, such as the hour of a first day, stays. */
  async saveChanges(schedule, body) {
    const names = ["name", "params", "when", "zone", "starts_at", "ends_at", "max_runs"];
    const changes = names.filter((name) => !same(body[name] ?? null, this.first[name] ?? null));
    const sent = Object.fromEntries(changes.map((name) => [name, body[name] ?? null]));
    let saved = schedule;
    if (changes.length || body.approve)
      saved = await this.schedules.change(schedule.id, { ...sent, approve: body.approve, version: schedule.version });
    if (saved.state === "needs_you") saved = await this.schedules.act(saved.id, "resume", { approve: body.approve });
    return saved;
  }

  /** The consent to a destructive function: its digest, null for no, undefined if none is needed. */
  async approval(body) {
    const { fn } = this.what.chosen;
    if (fn.action_type !== "destructive") return undefined;
    const { approval, words, zone, next } = await this.schedules.preview({ ...previewed(body), count: 3 });
    if (!approval?.needed) return undefined;
    const { schedule } = this.task;
    if (schedule?.approval?.given && schedule.approval.digest === approval.digest) return undefined;
    const entries = Object.entries(body.params ?? {});
    const isSure = await this.confirm({
      title: [icon("trash"), `Let ${humanise(fn.name)} run by itself?`],
      about: [
        entries.length > 0 ? namedParams(entries) : h("p", { class: "muted" }, "It has no parameters."),
        h(
          "p",
          null,
          "It will run ",
          h("strong", null, words),
          ` ${zone}, `,
          h("strong", null, "without asking again"),
          ":",
        ),
        h(
          "ul",
          null,
          next.map(({ at }) => h("li", null, shortIn(at, zone))),
        ),
        h("p", { class: "muted" }, "What it removes may be lost permanently."),
      ],
      no: "Don’t",
      yes: schedule ? "Save schedule" : "Create schedule",
      danger: true,
    });
    return isSure ? approval.digest : null;
  }

  // --- errors ---

  failName(message) {
    refill(this.nameError, icon("alert"), h("span", null, message));
    this.nameError.hidden = false;
    this.name.setAttribute("aria-invalid", "true");
  }

  /** Shows a refusal at the field that it names. False if there is no place for it. */
  showAtField({ code, field, message }, focus = false) {
    if (!field || code !== "SCHEDULE_INVALID") return false;
    if (field === "name") {
      this.failName(line(message));
      if (focus) this.name.focus();
      return true;
    }
    const place = this.when.placeOf(field);
    if (place) this.when.fail(place, line(message), focus);
    return Boolean(place);
  }

  refused(error) {
    if (this.showAtField(error, true)) return;
    if (/^VALIDATION_/.test(error.code) && error.field && this.what.fail(error.field, line(error.message))) return;
    const isOld = error.code === "SCHEDULE_CHANGED" && this.task.schedule;
    const words = isOld ? "It was changed in another window meanwhile." : explain(error, KEPT);
    refill(
      this.error,
      icon("alert"),
      h(
        "span",
        null,
        line(words),
        isOld && [
          " ",
          h("button", { type: "button", class: "link", onclick: () => this.reload() }, "Load what it is now"),
        ],
      ),
    );
    this.error.hidden = false;
    if (isLost(error)) this.forget = onceReachable(() => refill(this.error, icon("again"), h("span", null, BACK)));
  }

  async reload() {
    try {
      const schedule = this.schedules.keep(await get(`v1/schedules/${encodeURIComponent(this.task.schedule.id)}`));
      this.drafts.forget();
      this.drafts.stop();
      this.preview.stop();
      this.edit(schedule);
    } catch (error) {
      this.refused(error);
    }
  }

  hideError() {
    this.forget?.();
    this.error.hidden = true;
    refill(this.error);
  }

  // --- the end ---

  working() {
    this.busy = true;
    this.submit.setAttribute("aria-disabled", "true");
    refill(this.submit, h("span", { class: "spinner", "aria-hidden": "true" }), "Saving…");
  }

  idle() {
    this.busy = false;
    const { schedule } = this.task;
    const word = !schedule ? "Create schedule" : schedule.state === "needs_you" ? "Save and resume" : "Save";
    if (this.what.isSecret) this.submit.setAttribute("aria-disabled", "true");
    else this.submit.removeAttribute("aria-disabled");
    const danger = this.what.chosen?.fn.action_type === "destructive";
    this.submit.classList.toggle("danger", danger);
    refill(
      this.submit,
      word,
      h("kbd", { "aria-hidden": "true" }, /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵"),
    );
  }

  cancel() {
    this.drafts.forget();
    this.isEdited = false;
    this.dialog.close();
  }

  closed() {
    this.preview.stop();
    if (this.isEdited) this.drafts.keep();
    this.drafts.stop();
    this.hideError();
    refill(this.dialog); // a hidden dialog has no fields that scripts or people could find
  }
}

/** The parts of a request that a preview takes. */
const previewed = ({ when, zone, starts_at, ends_at, app_id, function: fn, params }) => ({
  when,
  zone,
  starts_at,
  ends_at,
  app_id,
  function: fn,
  params,
});
