// One task: a live card while it is open, a line or two after it has ended. Owns the name and the heading of the card. The work on
// a card is task-progress.js, for a durable task durable-progress.js, its cancel cancel-button.js; the state of tasks is store.js,
// their list task-list.js, the clocks clocks.js.

import { AnswerProgress } from "./answer-progress.js";
import { isAnswering } from "./assistant-turns.js";
import { CancelButton } from "./cancel-button.js";
import { isCutOff, startTicking, stopTicking } from "./clocks.js";
import { h, icon, refill, setText, visible } from "./dom.js";
import { DurableProgress } from "./durable-progress.js";
import { endedWords, failureWords } from "./end-words.js";
import { count, endLabel, humanise, moment, zonedTime } from "./format.js";
import { comesFrom, FollowUp } from "./follow-up.js";
import { knownResult, outcomePlace } from "./outcome.js";
import { TaskProgress } from "./task-progress.js";
import { cardName, excerpt, isOpen, shortId } from "./task-words.js";

/** A task in the chat or the activity panel: live while it is open, a line or two afterwards. */
export class TaskCard {
  /**
   * `reveal(task_id)` shows the outcome turn. In the chat, `acts` are what turns can do; in the list, `showCall(call_id)`
   * shows where the task began. `details(task)` shows its timeline.
   */
  constructor(store, task, reveal, { acts = null, showCall = null, details = acts?.details } = {}) {
    Object.assign(this, { store, task, reveal, acts, showCall, details });
    this.el = h("div", { class: "task", role: "article", "data-task": task.task_id, tabindex: acts && "-1" });
    this.shown = {};
    this.questions = acts?.questionsOf?.(task) ?? null;
    this.asks = h("div", null, this.questions?.el);
    this.showName();
    if (isOpen(task)) this.buildOpen();
    else this.buildEnded();
  }

  buildOpen() {
    this.cancel = new CancelButton(this.store);
    this.progress = this.makeProgress();
    refill(
      this.el,
      h(
        "div",
        { class: "task-head" },
        h("h3", { class: "task-name", dir: "auto" }, humanise(this.task.name)),
        this.detailsButton(),
        this.cancel.el,
      ),
      comesFrom(this.task, this.acts),
      this.progress.above,
      this.asks,
      this.showCall && this.which(),
      this.progress.below,
      this.cancel.error.el,
    );
    startTicking(this);
    this.update(this.task);
  }

  /** In the chat an answer of the assistant shows its words and calls, so its card is small. */
  makeProgress() {
    if (this.acts && isAnswering(this.task)) return new AnswerProgress();
    return this.task.durable ? new DurableProgress(this.store, this.task) : new TaskProgress(this.task);
  }

  /** The way to the timeline. A background task has none. */
  detailsButton() {
    if (!this.details || !this.task.durable) return null;
    const of = h("span", { class: "hidden" }, ` of ${humanise(this.task.name)}`);
    return h(
      "button",
      { type: "button", class: "link details", onclick: () => this.details(this.task) },
      "Details",
      of,
    );
  }

  /** In a list of many tasks: what tells this one from others, and the way to it in the chat. */
  which() {
    const { task_id: id, call_id: callId, created_at: from, function: name } = this.task;
    const words = excerpt(this.store.asked.get(callId)?.params);
    return [
      words && h("p", { class: "task-words", dir: "auto" }, words),
      h(
        "p",
        { class: "task-which" },
        h("time", { datetime: from, title: zonedTime(from) }, `Started ${moment(from)}`),
        h("code", { title: `${name}, task ${id}` }, shortId(id)),
        h("button", { type: "button", class: "link", onclick: () => this.showCall(callId) }, "Show in the chat"),
      ),
    ];
  }

  update(task) {
    this.task = task;
    this.showName();
    if (!isOpen(task)) {
      if (stopTicking(this) || !this.ended) this.buildEnded();
      else this.showEnd();
      return;
    }
    this.el.classList.toggle("cancelling", Boolean(task.cancel_requested_at));
    this.el.classList.toggle("unheld", task.state !== "running");
    this.progress.update(task);
    this.cancel.update(task);
    this.tick();
  }

  showName() {
    const name = cardName(this.task, this.code);
    this.show("name", name, () => this.el.setAttribute("aria-label", visible(name)));
  }

  /** The error code of the result, once that is known. */
  get code() {
    return knownResult(this.store, this.task.task_id)?.error_code;
  }

  /** Changes a part only if what it shows has changed. */
  show(part, value, change) {
    if (this.shown[part] === value) return;
    this.shown[part] = value;
    change(value);
  }

  tick() {
    if (!isOpen(this.task)) return;
    this.el.classList.toggle("unheard", isCutOff());
    this.progress.tick(this.task);
    this.questions?.tick();
  }

  buildEnded() {
    this.ended = true;
    const held = this.el.contains(document.activeElement);
    const { task_id } = this.task;
    const { tone } = endLabel(this.task);
    this.word = h("span", { dir: "auto" });
    this.reason = h("p", { class: "ended-reason", dir: "auto" });
    const place = outcomePlace(this.store, this.task, this.acts);
    const unfold = h("button", { type: "button", class: "link", "aria-expanded": "false" });
    const name = (shown) =>
      refill(
        unfold,
        shown ? "Hide outcome" : "Show outcome here",
        h("span", { class: "hidden" }, ` of ${humanise(this.task.name)}`),
      );
    unfold.addEventListener("click", async () => {
      const toggled = place.toggle();
      unfold.setAttribute("aria-expanded", String(!place.el.hidden));
      name(!place.el.hidden);
      this.questions?.read();
      await toggled;
    });
    name(false);
    const see = h(
      "button",
      { type: "button", class: "link", onclick: () => this.reveal(task_id) },
      "See outcome",
      icon("down"),
    );
    this.el.className = "task ended";
    const { durable, state } = this.task;
    this.followUp = durable && this.acts?.revealCard ? new FollowUp(this.store, this.task, this.acts) : null;
    const inLine = state === "succeeded";
    refill(
      this.el,
      h(
        "div",
        { class: "ended-line" },
        h(
          "h3",
          { class: `state ${tone}` },
          icon(tone === "good" ? "check" : tone === "bad" ? "alert" : "close"),
          this.word,
        ),
        unfold,
        see,
        this.detailsButton(),
        inLine && this.followUp?.el,
      ),
      this.reason,
      !inLine && this.followUp?.el,
      comesFrom(this.task, this.acts),
      place.el,
      this.asks,
    );
    this.showEnd();
    if (held) see.focus();
  }

  /** How it ended. Its code and its reason come with the outcome turn, after the end. */
  showEnd() {
    const { durable, steps, state, task_id: id } = this.task;
    const { word } = endLabel(this.task, this.code);
    const asked = this.questions?.count ?? 0;
    const facts = [
      endedWords(word, this.task),
      durable && steps?.done > 0 && count(steps.done, "step"),
      asked > 0 && `asked ${asked === 1 ? "once" : count(asked, "time")}`,
    ];
    setText(this.word, facts.filter(Boolean).join(" · "));
    const failed = !["succeeded", "cancelled"].includes(state);
    setText(this.reason, failed ? failureWords(this.task, knownResult(this.store, id)?.error ?? "") : "");
    this.reason.hidden = !this.reason.textContent;
    this.followUp?.update(this.task);
  }

  /** A task that follows this one has started or changed. */
  updateFollower() {
    this.followUp?.update();
  }

  /** What is known of the task's questions has changed. */
  updateQuestions() {
    this.questions?.update();
    if (this.ended) this.showEnd();
  }

  /** Shows a question of the task on a card that has none, and focuses it; `make()` returns the task's questions. */
  ask(questionId, make) {
    this.questions ??= make(this.task);
    refill(this.asks, this.questions.el);
    return this.questions.focus(questionId);
  }

  /** The card is no longer shown. */
  stop() {
    stopTicking(this);
    this.questions?.dispose();
  }
}
