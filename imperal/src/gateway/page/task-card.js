// One task: a live card while it is open, one line after it has ended. Owns the cancel button and the name of the card. What a card
// shows of the work is task-progress.js, of a durable task durable-progress.js; the state of tasks is store.js, their list
// task-list.js, the clocks clocks.js.

import { post } from "./api.js";
import { ErrorLine } from "./action-error.js";
import { isCutOff, startTicking, stopTicking } from "./clocks.js";
import { h, icon, refill, setText, visible } from "./dom.js";
import { DurableProgress } from "./durable-progress.js";
import { count, endedWhen, endLabel, humanise, moment, zonedTime } from "./format.js";
import { knownResult, outcomePlace } from "./outcome.js";
import { TaskProgress } from "./task-progress.js";
import { cardName, excerpt, isOpen, shortId } from "./task-words.js";

/** A task in the chat or the activity panel: live while it is open, one line afterwards. */
export class TaskCard {
  /**
   * `reveal(task_id)` shows the outcome turn. In the chat, `acts` are what turns can do; in the list, `showCall(call_id)`
   * shows where the task began.
   */
  constructor(store, task, reveal, { acts = null, showCall = null } = {}) {
    Object.assign(this, { store, task, reveal, acts, showCall });
    this.asking = false;
    this.el = h("div", { class: "task", role: "article", "data-task": task.task_id });
    this.shown = {};
    this.questions = acts?.questionsOf?.(task) ?? null;
    this.showName();
    if (isOpen(task)) this.buildOpen();
    else this.buildEnded();
  }

  buildOpen() {
    this.error = new ErrorLine();
    this.button = h("button", { type: "button", class: "secondary small", onclick: () => this.cancel() });
    this.progress = this.task.durable ? new DurableProgress(this.store, this.task) : new TaskProgress(this.task);
    refill(
      this.el,
      h(
        "div",
        { class: "task-head" },
        h("span", { class: "task-name", dir: "auto" }, humanise(this.task.name)),
        this.button,
      ),
      this.progress.above,
      this.questions?.el,
      this.showCall && this.which(),
      this.progress.below,
      this.error.el,
    );
    startTicking(this);
    this.update(this.task);
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
    this.showCancel();
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

  showCancel() {
    const asked = this.task.cancel_requested_at;
    const word = asked ? "Asked to stop" : this.asking ? "Asking…" : "Cancel";
    this.show("cancel", word, () => this.drawCancel(word));
  }

  drawCancel(word) {
    if (word === "Cancel") this.button.removeAttribute("aria-disabled");
    else this.button.setAttribute("aria-disabled", "true");
    refill(
      this.button,
      word === "Cancel" ? icon("stop") : h("span", { class: "spinner", "aria-hidden": "true" }),
      word,
      h("span", { class: "hidden" }, ` ${humanise(this.task.name)}`),
    );
  }

  tick() {
    if (!isOpen(this.task)) return;
    this.el.classList.toggle("unheard", isCutOff());
    this.progress.tick(this.task);
    this.questions?.tick();
  }

  async cancel() {
    if (this.asking || this.task.cancel_requested_at) return;
    const { store, task, error } = this;
    this.asking = true;
    error.clear();
    this.update(task);
    try {
      store.say("task", store.keep(await post(`v1/tasks/${encodeURIComponent(task.task_id)}/cancel`, {})));
    } catch (failed) {
      error.show(failed);
    }
    this.asking = false;
    if (isOpen(this.task)) this.update(this.task);
  }

  buildEnded() {
    this.ended = true;
    const held = this.el.contains(document.activeElement);
    const { task_id } = this.task;
    const { tone } = endLabel(this.task);
    this.word = h("span");
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
    refill(
      this.el,
      h(
        "div",
        { class: "ended-line" },
        h(
          "span",
          { class: `state ${tone}` },
          icon(tone === "good" ? "check" : tone === "bad" ? "alert" : "close"),
          this.word,
        ),
        unfold,
        see,
      ),
      place.el,
      this.questions?.el,
    );
    this.showEnd();
    if (held) see.focus();
  }

  /** How it ended. Its code comes with the outcome turn, after the end. */
  showEnd() {
    const { finished_at, durable, steps } = this.task;
    const { word } = endLabel(this.task, this.code);
    const done = durable && steps?.done > 0 ? ` · ${count(steps.done, "step")}` : "";
    setText(this.word, `${finished_at ? `${word} ${endedWhen(this.task)}` : word}${done}`);
  }

  /** What is known of the task's questions has changed. */
  updateQuestions() {
    this.questions?.update();
  }

  /** Stops the clock of a card that is no longer shown. */
  stop() {
    stopTicking(this);
  }
}
