// One task: a live card while it runs, one line after it has ended. Owns progress bars and the cancel button. The state of
// tasks is store.js, their list task-list.js, the clocks clocks.js, the estimate of the time left estimate.js.

import { post } from "./api.js";
import { explain } from "./calls.js";
import { isCutOff, lastHeard, startTicking, stopTicking } from "./clocks.js";
import { h, icon, refill, visible } from "./dom.js";
import { Estimate, roughly } from "./estimate.js";
import { endedWhen, clock, durationWords, humanise, moment, taskStateLabel, time, zonedTime } from "./format.js";
import { outcomePlace } from "./outcome.js";
import { excerpt, shortId } from "./task-words.js";

const SOON_MS = 30_000; // a time limit this close is highlighted

/** Cancels a task. Resolves to an error text for the user, if any. */
async function cancel(store, task) {
  try {
    store.say("task", store.keep(await post(`v1/tasks/${encodeURIComponent(task.task_id)}/cancel`, {})));
    return null;
  } catch (error) {
    return explain(error);
  }
}

/** A task in the chat or the activity panel: live while it runs, one line afterwards. */
export class TaskCard {
  /**
   * `reveal(task_id)` shows the outcome turn. In the chat, `acts` are what turns can do; in the list, `showCall(call_id)`
   * shows where the task began.
   */
  constructor(store, task, reveal, { acts = null, showCall = null } = {}) {
    Object.assign(this, { store, task, reveal, acts, showCall });
    this.asking = false;
    this.estimate = new Estimate(Date.parse(task.created_at));
    this.shown = {};
    this.el = h("div", { class: "task", "data-task": task.task_id });
    if (task.state === "running") this.buildRunning();
    else this.buildEnded();
  }

  buildRunning() {
    this.stage = h("span", { class: "stage" });
    this.percent = h("span", { class: "percent" });
    this.fill = h("div", { class: "bar-fill" });
    this.bar = h(
      "div",
      {
        class: "bar",
        role: "progressbar",
        "aria-label": `Progress of ${humanise(this.task.name)}`,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      },
      this.fill,
    );
    this.clock = h("span", { class: "clock" });
    this.left = h("span", { class: "left" });
    this.error = h("p", { class: "field-error", role: "alert", hidden: true });
    this.button = h("button", { type: "button", class: "secondary small", onclick: () => this.cancel() });
    refill(
      this.el,
      h("div", { class: "task-head" }, h("span", { class: "task-name" }, humanise(this.task.name)), this.button),
      this.bar,
      h("div", { class: "task-line" }, this.stage, this.percent),
      this.showCall && this.which(),
      h("div", { class: "task-foot" }, this.clock, this.left),
      this.error,
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

  /** Sets a text only if it changed: progress comes often and mostly says the same. */
  set(name, el, text) {
    if (this.shown[name] === text) return;
    this.shown[name] = text;
    el.textContent = visible(text);
  }

  update(task) {
    this.task = task;
    if (task.state !== "running") {
      if (stopTicking(this) || !this.ended) this.buildEnded();
      return;
    }
    const known = typeof task.percent === "number";
    this.estimate.report(task.percent, lastHeard());
    const whole = known ? Math.round(Math.min(100, Math.max(0, task.percent))) : null;
    this.el.classList.toggle("cancelling", Boolean(task.cancel_requested_at));
    this.bar.classList.toggle("unknown", !known);
    if (this.shown.done !== task.percent)
      this.fill.style.setProperty("--done", known ? String(Math.min(1, Math.max(0, task.percent / 100))) : "");
    this.shown.done = task.percent;
    const spoken = [known && `${whole} percent`, task.message].filter(Boolean).join(", ") || "at work";
    if (this.shown.spoken !== spoken) {
      this.shown.spoken = spoken;
      if (known) this.bar.setAttribute("aria-valuenow", String(whole));
      this.bar.setAttribute("aria-valuetext", visible(spoken));
    }
    this.set("percent", this.percent, known ? `${whole} %` : "");
    this.showCancel();
    this.tick();
  }

  showCancel() {
    const asked = this.task.cancel_requested_at;
    const word = asked ? "Asked to stop" : this.asking ? "Asking…" : "Cancel";
    if (this.shown.cancel === word) return;
    this.shown.cancel = word;
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
    const { state, created_at: from, deadline_at: until, cancel_requested_at: asked, message } = this.task;
    if (state !== "running") return;
    const now = lastHeard();
    const left = Date.parse(until) - now;
    const lost = isCutOff();
    this.el.classList.toggle("unheard", lost);
    this.left.classList.toggle("soon", !lost && !asked && left < SOON_MS);
    this.set("stage", this.stage, asked ? "It ends at its next step or is stopped soon." : message || "At work…");
    this.set(
      "clock",
      this.clock,
      lost
        ? `${clock(now - Date.parse(from))} when the connection was lost`
        : `${clock(now - Date.parse(from))} so far`,
    );
    this.set("left", this.left, lost ? "" : asked ? `asked at ${time(asked)}` : this.leftWords(left, now));
    const limit = durationWords(Date.parse(until) - Date.parse(from));
    this.left.title = `It may take ${limit} at most, until ${time(until)}.`;
    this.clock.title = this.left.title;
  }

  /** An estimate, once there is one; the time limit only when it is near. */
  leftWords(left, now) {
    if (left <= 0) return "at its time limit";
    if (left < SOON_MS) return `${clock(left)} to its time limit`;
    const estimate = this.estimate.left(now);
    return estimate === null ? "" : `about ${clock(roughly(Math.min(estimate, left)))} left`;
  }

  async cancel() {
    if (this.asking || this.task.cancel_requested_at) return;
    this.asking = true;
    this.update(this.task);
    const message = await cancel(this.store, this.task);
    this.asking = false;
    if (this.task.state !== "running") return;
    this.error.hidden = !message;
    this.error.textContent = visible(message ?? "");
    this.update(this.task);
  }

  buildEnded() {
    this.ended = true;
    const held = this.el.contains(document.activeElement);
    const { state, finished_at, task_id } = this.task;
    const { word, tone } = taskStateLabel(state);
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
          finished_at ? `${word} ${endedWhen(this.task)}` : word,
        ),
        unfold,
        see,
      ),
      place.el,
    );
    if (held) see.focus();
  }

  /** Stops the clock of a card that is no longer shown. */
  stop() {
    stopTicking(this);
  }
}
