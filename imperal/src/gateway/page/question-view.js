// One question of a task: its text, the buttons or the form for an answer, and, once it is no longer open, what became of it. Owns
// sending: an answer that no server took is sent when the connection is back, which is safe, because the same answer counts
// once. Questions are read by questions.js, their words are question-words.js.

import { ErrorLine, isLost } from "./action-error.js";
import { ApiError, onceReachable } from "./api.js";
import { lastHeard } from "./clocks.js";
import { h, icon, newId, refill, setText } from "./dom.js";
import { Drafts } from "./drafts.js";
import { same } from "./exact-json.js";
import { control } from "./field-controls.js";
import { count, humanise, zonedTime } from "./format.js";
import { line, proseOrText } from "./prose.js";
import { answerField, answerWords, choicesOf, closedWords, deadlineWords } from "./question-words.js";
import { steps } from "./schema.js";
import { verbatim } from "./show-more.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export class QuestionView {
  /** `questions` answers, `name` is the task's, `owner` whose drafts are kept, `announce` tells what a person did wrong. */
  constructor(question, { questions, name, owner, announce }) {
    Object.assign(this, { question, questions, owner, announce });
    const [title, text] = [newId("question"), newId("question")];
    this.head = h(
      "div",
      { class: "question-head" },
      icon("question"),
      h("span", { class: "hidden", id: title }, `${humanise(name)} asks`),
      h("div", { class: "question-text", id: text, dir: "auto" }, proseOrText(question.text)),
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
    this.parked = undefined; // an answer that waits for the connection
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

  buildForm() {
    const { schema, question_id: id } = this.question;
    this.field = answerField(schema);
    this.drafts = new Drafts({ owner: this.owner, name: `question/${id}`, schema, read: () => this.control.read([]) });
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
    for (const kind of ["input", "change", "click"])
      form.addEventListener(kind, (event) => {
        if (kind === "click" && (!event.target.closest("button") || event.target.closest("[type=submit]"))) return;
        this.edited = true;
        this.unpark(); // what waits to be sent is no longer what is written
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
    this.unpark();
    this.error.clear();
    this.busy = true;
    this.drawBusy(value);
    try {
      await this.questions.answer(this.question, value);
    } catch (error) {
      this.refused(error, value);
    }
    this.busy = false;
    if (this.question.state === "open") this.drawBusy();
  }

  refused(error, value) {
    if (isLost(error)) return this.park(value);
    const path = error instanceof ApiError && error.field ? steps(error.field) : null;
    const place = path && this.control ? this.control.find(path) : null;
    const at = place ?? (this.control && this.field.kind !== "object" && error.status === 422 ? this.control : null);
    if (!at || (at === this.control && this.field.kind === "object")) return this.error.show(error);
    at.fail(line(error.message));
    at.focus();
    this.announce(error.message);
  }

  /** Nothing answered: the answer may or may not be stored. The same again is safe. */
  park(value) {
    this.parked = onceReachable(() => this.send(value));
    const why = navigator.onLine ? "The server does not answer." : "You are offline.";
    setText(this.note, `${why} “${answerWords(this.question.schema, value)}” is sent when you are back.`);
    this.el.classList.add("parked");
  }

  unpark() {
    this.parked?.();
    this.parked = undefined;
    setText(this.note, "");
    this.el.classList.remove("parked");
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
    const wasOpen = this.question.state === "open";
    this.question = question;
    if (question.state === "open") return this.tick();
    if (wasOpen) this.unpark();
    this.buildClosed();
  }

  buildClosed() {
    const isOwn = this.questions.own.has(this.question.question_id);
    const words = closedWords(this.question, isOwn);
    if (this.closed === words) return;
    this.closed = words;
    this.el.classList.add("closed");
    const written = !isOwn && this.edited ? answerWords(this.question.schema, this.control.read([]) ?? "") : "";
    this.drafts?.forget();
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
    this.el.scrollIntoView({ block: "nearest" });
    this.el.focus({ preventScroll: true });
  }
}

/** The questions on the card of a task: those that are open, and those that were when the card was made. */
export class TaskQuestions {
  constructor(task, parts) {
    Object.assign(this, { task, parts });
    this.views = new Map(); // question_id -> its view
    this.el = h("div", { class: "questions" });
    this.update();
  }

  update() {
    const { questions } = this.parts;
    for (const question of questions.of(this.task.task_id)) {
      const view = this.views.get(question.question_id);
      if (view) view.update(question);
      else if (question.state === "open")
        this.views.set(question.question_id, new QuestionView(question, { ...this.parts, name: this.task.name }));
    }
    // several answers long ago are no news: of those that are not open the last one stays
    const all = [...this.views.values()];
    const last = all.findLast((view) => view.question.state !== "open");
    refill(
      this.el,
      all.filter((view) => view.question.state === "open" || view === last).map((view) => view.el),
    );
  }

  tick() {
    for (const view of this.views.values()) view.tick();
  }

  focus(questionId) {
    (this.views.get(questionId) ?? this.views.values().next().value)?.focus();
  }
}
