// Shows tasks: a live card while one runs, a line when it has ended, and the list of both.
// Owns bars, clocks and the cancel button; the state of a task is feed.js.

import { post, serverNow } from "./api.js";
import { explain } from "./calls.js";
import { h, icon, refill } from "./dom.js";
import { longText, showData } from "./results.js";
import { clock, humanise, moment, span, stateWord, took } from "./words.js";

const ticking = new Set();
setInterval(() => ticking.forEach((card) => (card.el.isConnected ? card.tick() : null)), 1000);

/** Asks for a task to be cancelled. Resolves to a text for the user when that failed. */
async function cancel(feed, task) {
  try {
    feed.say("task", feed.keep(await post(`/v1/tasks/${encodeURIComponent(task.task_id)}/cancel`, {})));
    return null;
  } catch (error) {
    return explain(error);
  }
}

/** A task in the chat or in the drawer: live while it runs, one line afterwards. */
export class TaskCard {
  constructor(feed, task, reveal) {
    Object.assign(this, { feed, task, reveal });
    this.asking = false;
    this.el = h("div", { class: "task", "data-task": task.task_id });
    if (task.state === "running") this.buildRunning();
    else this.buildEnded();
  }

  buildRunning() {
    this.stage = h("span", { class: "stage" });
    this.percent = h("span", { class: "percent" });
    this.fill = h("div", { class: "bar-fill" });
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-label": `Progress of ${humanise(this.task.name)}`, "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.clock = h("span", { class: "clock" });
    this.error = h("p", { class: "field-error", role: "alert", hidden: true });
    this.button = h("button", { type: "button", class: "secondary small", onclick: () => this.cancel() });
    const cap = Date.parse(this.task.deadline_at) - Date.parse(this.task.created_at);
    refill(
      this.el,
      h("div", { class: "task-head" }, h("span", { class: "task-name" }, humanise(this.task.name)), this.button),
      this.bar,
      h("div", { class: "task-line" }, this.stage, this.percent),
      h("div", { class: "task-foot" }, this.clock, h("span", null, `at most ${span(cap)}`)),
      this.error,
    );
    ticking.add(this);
    this.update(this.task);
  }

  update(task) {
    this.task = task;
    if (task.state !== "running") {
      if (ticking.delete(this) || !this.ended) this.buildEnded();
      return;
    }
    const known = typeof task.percent === "number";
    const cancelling = Boolean(task.cancel_requested_at);
    this.el.classList.toggle("cancelling", cancelling);
    this.bar.classList.toggle("unknown", !known);
    this.fill.style.width = known ? `${Math.min(100, Math.max(0, task.percent))}%` : "";
    if (known) this.bar.setAttribute("aria-valuenow", String(Math.round(task.percent)));
    this.bar.setAttribute("aria-valuetext", [known && `${Math.round(task.percent)} percent`, task.message].filter(Boolean).join(", ") || "at work");
    this.percent.textContent = known ? `${Math.round(task.percent)} %` : "";
    this.stage.textContent = cancelling ? "Cancelling…" : task.message || "At work…";
    const asked = cancelling || this.asking;
    if (asked) this.button.setAttribute("aria-disabled", "true");
    else this.button.removeAttribute("aria-disabled");
    refill(this.button, icon("stop"), asked ? "Cancelling…" : "Cancel", h("span", { class: "hidden" }, ` ${humanise(task.name)}`));
    this.tick();
  }

  tick() {
    if (this.task.state === "running") this.clock.textContent = clock(serverNow() - Date.parse(this.task.created_at));
  }

  async cancel() {
    if (this.asking || this.task.cancel_requested_at) return;
    this.asking = true;
    this.update(this.task);
    const message = await cancel(this.feed, this.task);
    this.asking = false;
    if (this.task.state !== "running") return;
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
    this.update(this.task);
  }

  buildEnded() {
    this.ended = true;
    const held = this.el.contains(document.activeElement);
    const { state, finished_at, task_id } = this.task;
    const { word, tone } = stateWord(state);
    const see = h("button", { type: "button", class: "link", onclick: () => this.reveal(task_id) }, "See outcome", icon("down"));
    this.el.className = "task ended";
    refill(this.el, h("span", { class: `state ${tone}` }, icon(tone === "good" ? "check" : tone === "bad" ? "alert" : "close"), finished_at ? `${word} after ${took(this.task)}` : word), see);
    if (held) see.focus();
  }
}

/** All tasks: those that run as cards, then the ended ones, newest first. */
export class TaskList {
  constructor(feed, reveal) {
    Object.assign(this, { feed, reveal });
    this.el = h("div", { class: "task-list" });
    this.cards = new Map();
  }

  render() {
    const running = this.feed.running();
    const ended = this.feed.finished();
    refill(
      this.el,
      h("h3", null, "Running"),
      running.length ? h("ul", { class: "bare" }, running.map((task) => h("li", null, this.card(task).el))) : h("p", { class: "help" }, "Nothing runs right now."),
      h("h3", null, "Ended"),
      ended.length ? h("ul", { class: "bare" }, ended.map((task) => this.endedRow(task))) : h("p", { class: "help" }, "Tasks that have ended are kept here."),
    );
  }

  card(task) {
    const card = this.cards.get(task.task_id) ?? new TaskCard(this.feed, task, this.reveal);
    this.cards.set(task.task_id, card);
    return card;
  }

  /** A change of one task: progress in place, a start or an end redraws. */
  update(task) {
    const card = this.cards.get(task.task_id);
    if (card && task.state === "running") return card.update(task);
    if (card) {
      ticking.delete(card);
      this.cards.delete(task.task_id);
    }
    const focused = this.el.contains(document.activeElement);
    this.render();
    if (focused && document.activeElement === document.body) this.el.querySelector("button, summary")?.focus();
  }

  endedRow(task) {
    const { word, tone } = stateWord(task.state);
    const text = task.result?.error ?? task.result?.summary ?? "";
    const data = showData(task.result?.data);
    return h(
      "li",
      null,
      h(
        "details",
        { class: "ended-task" },
        h("summary", null, h("span", { class: `chip ${tone}` }, word), h("span", { class: "task-name" }, humanise(task.name)), h("span", { class: "muted when" }, moment(task.created_at))),
        h(
          "div",
          { class: "ended-body" },
          text && longText(text),
          data && [data.block, data.tools, data.raw],
          h("p", { class: "help" }, h("code", null, task.function), task.finished_at && ` · took ${took(task)}`, ` · started ${moment(task.created_at)}`),
          h("button", { type: "button", class: "link", onclick: () => this.reveal(task.task_id) }, "Show in the chat"),
        ),
      ),
    );
  }
}
