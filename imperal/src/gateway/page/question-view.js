// One question of a task: its text, the buttons or the form for an answer, and, once it is no longer open, what became of it. Lives
// as long as it is drawn: what was written survives it in the drafts, and an answer that waits for the connection in answers.js.
// Questions are read by questions.js, their words are question-words.js, those of one task task-questions.js.

import { ErrorLine } from "./action-error.js";
import { ApiError } from "./api.js";
import { NO_YES_MS, approvalText } from "./approval-view.js";
import { lastHeard } from "./clocks.js";
import { h, icon, newId, refill, setText } from "./dom.js";
import { Drafts } from "./drafts.js";
import { same } from "./exact-json.js";
import { control } from "./field-controls.js";
import { takeFiles } from "./file-picker.js";
import { count, humanise, zonedTime } from "./format.js";
import { line, proseOrText } from "./prose.js";
import {
  BY_HAND,
  answerField,
  answerWords,
  approvalOf,
  choicesOf,
  closedWords,
  deadlineWords,
} from "./question-words.js";
import { steps } from "./schema.js";
import { verbatim } from "./show-more.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** What a person hears who has answered for a call of the assistant. */
const decisionWords = (approval, value) =>
  value === "keep" ? "Kept. It was not run." : `Allowed. ${humanise(approval.function)} runs.`;

const alive = new Set();

/** Stores what was written and is not stored yet, before another view of the same question reads it. */
function keepDrafts(id) {
  for (const view of alive) if (view.question.question_id === id) view.drafts?.keepNow();
}

export class QuestionView {
  /**
   * `answers` are those of the page, `name` and `appId` are the task's, `owner` whose drafts are kept, `announce` tells what a person
   * did, `change(question, approval)` opens the form of a call that waits for a yes.
   */
  constructor(question, { answers, name, appId, owner, announce, change }) {
    Object.assign(this, { question, answers, appId, owner, announce, change });
    keepDrafts(question.question_id);
    alive.add(this);
    this.made = performance.now();
    this.approval = approvalOf(question);
    const [title, text] = [newId("question"), newId("question")];
    this.head = h(
      "div",
      { class: "question-head" },
      icon("question"),
      h("span", { class: "hidden", id: title }, `${humanise(name)} asks`),
      h(
        "div",
        { class: "question-text", id: text, dir: "auto" },
        this.approval ? approvalText(this.approval) : proseOrText(question.text),
      ),
    );
    this.deadline = h("p", { class: "question-deadline" });
    this.note = h("p", { class: "question-note", role: "status" });
    this.error = new ErrorLine();
    this.el = h("div", {
      class: "question",
      role: "group",
      tabindex: "-1",
      "aria-labelledby": title,
      "aria-describedby": text,
      "data-question": question.question_id,
    });
    this.busy = false;
    if (!choicesOf(question.schema)) this.drafts = this.draftsOf(question);
    if (question.state === "open") this.buildOpen();
    else this.buildClosed();
  }

  buildOpen() {
    const choices = choicesOf(this.question.schema);
    this.deadline.title = `Until ${zonedTime(this.question.until)}`;
    refill(
      this.el,
      this.head,
      choices ? this.buildChoices(choices) : this.buildForm(),
      this.deadline,
      this.note,
      this.error.el,
    );
    this.tick();
    this.showWaiting();
  }

  // --- buttons ---

  buildChoices(choices) {
    this.buttons = choices.map((choice) => ({ ...choice, el: this.choiceButton(choice) }));
    return h(
      "div",
      { class: "choices" },
      this.buttons.map(({ el }) => el),
    );
  }

  choiceButton({ value, title, help }) {
    const isByHand = this.approval && value === BY_HAND && this.change;
    if (isByHand) {
      const open = () => this.change(this.question, this.approval);
      return h("button", { type: "button", class: "secondary choice", onclick: open }, "Change…");
    }
    const isFallback = "fallback" in this.question && same(value, this.question.fallback);
    return h(
      "button",
      { type: "button", class: "secondary choice", onclick: () => this.send(value) },
      h("span", { class: "choice-word" }, title),
      help && h("span", { class: "choice-help" }, help),
      isFallback && h("span", { class: "choice-fallback" }, "if nobody answers"),
    );
  }

  // --- a form ---

  draftsOf({ schema, question_id: id }) {
    return new Drafts({ owner: this.owner, name: `question/${id}`, schema, read: () => this.control.read([]) });
  }

  buildForm() {
    const { schema, question_id: id } = this.question;
    this.field = answerField(schema);
    const draft = this.drafts.stored();
    this.edited = draft !== undefined;
    this.control = control(this.field, draft, this.edited);
    this.submit = h(
      "button",
      { type: "submit", class: "primary small" },
      "Answer",
      h("kbd", { "aria-hidden": "true" }, isMac ? "⌘ ↵" : "Ctrl ↵"),
    );
    const form = h(
      "form",
      { class: "question-form", novalidate: true, onsubmit: (event) => this.onSubmit(event) },
      h("div", { class: "fields" }, this.control.el),
      this.submit,
    );
    takeFiles(form, this.appId);
    for (const kind of ["input", "change", "click"])
      form.addEventListener(kind, (event) => {
        if (kind === "click" && (!event.target.closest("button") || event.target.closest("[type=submit]"))) return;
        this.edited = true;
        this.answers.unpark(id); // what waits to be sent is no longer what is written
        this.showParked();
        this.drafts.keepSoon();
      });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    return form;
  }

  onSubmit(event) {
    event.preventDefault();
    const problems = [];
    const value = this.control.read(problems);
    if (!problems.length) return this.send(value);
    for (const { control: c, message } of problems) c.fail(message);
    problems[0].control.focus();
    const { message } = problems[0];
    this.announce(
      problems.length === 1 ? message : `${count(problems.length, "field")} need attention. First: ${message}`,
    );
  }

  // --- sending ---

  async send(value) {
    if (this.busy || this.question.state !== "open") return;
    if (this.approval && value !== "keep" && performance.now() - this.made < NO_YES_MS) return;
    this.error.clear();
    this.busy = true;
    this.drawBusy(value);
    const sent = this.answers.send(this.question, value);
    this.showParked();
    await sent.catch((error) => this.refused(error, true));
    if (this.approval && this.answers.own.has(this.question.question_id))
      this.announce(decisionWords(this.approval, value));
    this.busy = false;
    if (this.question.state === "open") this.drawBusy();
  }

  /** `isNews` if the person has just pressed the button. */
  refused(error, isNews) {
    const path = error instanceof ApiError && error.field ? steps(error.field) : null;
    const place = path && this.control ? this.control.find(path) : null;
    const at = place ?? (this.control && this.field.kind !== "object" && error.status === 422 ? this.control : null);
    if (!at || (at === this.control && this.field.kind === "object")) return this.error.show(error);
    at.fail(line(error.message));
    if (isNews) at.focus();
    this.announce(error.message);
  }

  /** Whether an answer waits for the connection. */
  showParked() {
    const parked = this.answers.parked(this.question.question_id);
    this.el.classList.toggle("parked", Boolean(parked));
    if (!parked) return setText(this.note, "");
    const why = navigator.onLine ? "The server does not answer." : "You are offline.";
    setText(this.note, `${why} “${answerWords(this.question.schema, parked.answer)}” is sent when you are back.`);
  }

  /** The buttons while an answer is sent, or as they are without. */
  drawBusy(value) {
    const set = (el, busy) => (busy ? el.setAttribute("aria-disabled", "true") : el.removeAttribute("aria-disabled"));
    this.el.classList.toggle("sending", this.busy);
    for (const one of this.buttons ?? []) {
      set(one.el, this.busy);
      one.el.classList.toggle("chosen", this.busy && same(one.value, value));
    }
    if (this.submit) set(this.submit, this.busy);
  }

  // --- its end ---

  update(question) {
    this.question = question;
    if (question.state !== "open") return this.buildClosed();
    this.tick();
    this.showWaiting();
  }

  /** What became of an answer that was given without a connection. */
  showWaiting() {
    this.showParked();
    const refusal = this.answers.takeRefusal(this.question.question_id);
    if (refusal) this.refused(refusal.error, false);
  }

  buildClosed() {
    const isOwn = this.answers.own.has(this.question.question_id);
    const words = closedWords(this.question, this.answers.isOwn(this.question));
    if (this.closed === words) return;
    this.closed = words;
    this.el.classList.add("closed");
    const draft = isOwn ? undefined : this.control ? this.edited && this.control.read([]) : this.drafts?.stored();
    const written = draft ? answerWords(this.question.schema, draft) : "";
    this.drafts?.forget();
    this.drafts?.stop();
    refill(
      this.el,
      this.head,
      h(
        "p",
        { class: "question-end" },
        icon(this.question.state === "answered" ? "check" : "info"),
        h("span", null, words),
      ),
      written && h("details", { class: "unsent" }, h("summary", null, "What you had written"), verbatim(written)),
    );
  }

  tick() {
    if (this.question.state === "open") setText(this.deadline, deadlineWords(this.question, lastHeard()));
  }

  focus() {
    this.el.scrollIntoView({ block: this.el.offsetHeight > innerHeight / 2 ? "start" : "nearest" });
    this.el.focus({ preventScroll: true });
  }

  /** Ends the view. The text of the user stays in the draft. */
  dispose() {
    this.drafts?.keepNow();
    this.drafts?.stop();
    alive.delete(this);
  }
}
