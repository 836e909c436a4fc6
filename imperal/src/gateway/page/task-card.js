// One task: a live card while it runs, one line after it has ended. Owns progress bars, clocks and the cancel button. The state
// of tasks is store.js, their list task-list.js.
//
// During an outage the state is unknown: clocks stop at the last known time and the card says so, instead of counting for work
// that may have ended.

import { post, serverNow } from "./api.js";
import { explain } from "./calls.js";
import { h, icon, refill, visible } from "./dom.js";
import { clock, durationWords, humanise, taskStateLabel, time, taskDuration } from "./format.js";

const SOON_MS = 30_000; // a time limit this close is highlighted

const ticking = new Set(); // cards that count seconds: {el, tick()}
let offlineSince = null; // start of the outage, null while connected

setInterval(() => offlineSince === null && tickAll(), 1000);

function tickAll() {
  for (const one of ticking) if (one.el.isConnected) one.tick();
}

/** Tells all cards whether the page is connected. */
export function setOnline(up) {
  if (up === (offlineSince === null)) return;
  offlineSince = up ? null : serverNow();
  tickAll();
}

/** The current time, or the start of the outage. */
const lastHeard = () => offlineSince ?? serverNow();

/** The "working" sign of a call, with its time once it takes long. */
export function workingSign(since) {
  const shown = h("span", { class: "elapsed" });
  const el = h(
    "div",
    { class: "working" },
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    "Working…",
    shown,
  );
  const one = {
    el,
    tick() {
      const ms = lastHeard() - Date.parse(since);
      shown.textContent =
        offlineSince !== null ? "not heard of since the connection was lost" : ms > 3000 ? clock(ms) : "";
    },
  };
  ticking.add(one);
  queueMicrotask(() => one.tick());
  return { el, stop: () => ticking.delete(one) };
}

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
  constructor(store, task, reveal) {
    Object.assign(this, { store, task, reveal });
    this.asking = false;
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
      h("div", { class: "task-foot" }, this.clock, this.left),
      this.error,
    );
    ticking.add(this);
    this.update(this.task);
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
      if (ticking.delete(this) || !this.ended) this.buildEnded();
      return;
    }
    const known = typeof task.percent === "number";
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
    const lost = offlineSince !== null;
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
    this.set(
      "left",
      this.left,
      lost ? "" : asked ? `asked at ${time(asked)}` : left > 0 ? `at most ${clock(left)} more` : "at its time limit",
    );
    this.left.title = `Its limit is ${durationWords(Date.parse(until) - Date.parse(from))}, at ${time(until)}.`;
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
        "span",
        { class: `state ${tone}` },
        icon(tone === "good" ? "check" : tone === "bad" ? "alert" : "close"),
        finished_at ? `${word} after ${taskDuration(this.task)}` : word,
      ),
      see,
    );
    if (held) see.focus();
  }

  /** Stops the clock of a card that is no longer shown. */
  stop() {
    ticking.delete(this);
  }
}
