// A running background task on its card: the bar, the stage, the clock and the estimate of the time left. The
// card is task-card.js, the same for durable tasks durable-progress.js.

import { isCutOff, lastHeard } from "./clocks.js";
import { h, setText, visible } from "./dom.js";
import { idleFor } from "./end-words.js";
import { plainWords } from "./plain-words.js";
import { Estimate, roughly } from "./estimate.js";
import { clock, durationWords, humanise, time } from "./format.js";
import { worked } from "./work-clock.js";

export const SOON_MS = 30_000; // a time limit this close is highlighted

/** A bar of percent. */
export class Bar {
  constructor(name) {
    this.fill = h("div", { class: "bar-fill" });
    this.el = h(
      "div",
      {
        class: "bar",
        role: "progressbar",
        "aria-label": `Progress of ${humanise(name)}`,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      },
      this.fill,
    );
  }

  /** Shows a percent, or that there is none; `words` is the rest of what screen readers hear. */
  show(percent, words) {
    const known = typeof percent === "number";
    const whole = wholePercent(percent);
    this.el.classList.toggle("unknown", !known);
    if (this.percent !== percent)
      this.fill.style.setProperty("--done", known ? String(Math.min(1, Math.max(0, percent / 100))) : "");
    this.percent = percent;
    const spoken = [known && `${whole} percent`, words].filter(Boolean).join(", ") || "at work";
    if (this.spoken === spoken) return;
    this.spoken = spoken;
    if (known) this.el.setAttribute("aria-valuenow", String(whole));
    this.el.setAttribute("aria-valuetext", visible(spoken));
  }
}

/** A percent as it is shown, or null. */
export const wholePercent = (percent) =>
  typeof percent === "number" ? Math.round(Math.min(100, Math.max(0, percent))) : null;

/** An estimate, once there is one; the time limit only when it is near. */
export function leftWords(left, estimate) {
  if (left <= 0) return "at its time limit";
  if (left < SOON_MS) return `${clock(left)} to its time limit`;
  return estimate === null ? "" : `about ${clock(roughly(Math.min(estimate, left)))} left`;
}

/** The text of a cancelled task that still runs. */
export const CANCELLING = "It ends at its next step or is stopped soon.";

export class TaskProgress {
  /** `above` and `below` are the parts for the card. */
  constructor(task) {
    this.stage = h("span", { class: "stage" });
    this.percent = h("span", { class: "percent" });
    this.bar = new Bar(task.name);
    this.clock = h("span", { class: "clock" });
    this.left = h("span", { class: "left" });
    this.estimate = new Estimate(Date.parse(task.created_at));
    this.above = [this.bar.el, h("div", { class: "task-line" }, this.stage, this.percent)];
    this.below = [h("div", { class: "task-foot" }, this.clock, this.left)];
  }

  update(task) {
    this.estimate.report(task.percent, lastHeard());
    const whole = wholePercent(task.percent);
    this.words = plainWords(task.message ?? "");
    this.bar.show(task.percent, this.words);
    setText(this.percent, whole === null ? "" : `${whole} %`);
  }

  tick(task) {
    const { created_at: from, deadline_at: until, cancel_requested_at: asked } = task;
    const now = lastHeard();
    const left = Date.parse(until) - now;
    const lost = isCutOff();
    const ran = clock(worked(task, now) ?? now - Date.parse(from));
    const idle = idleFor(task, now);
    this.left.classList.toggle("soon", !lost && !asked && left < SOON_MS);
    setText(this.stage, asked ? CANCELLING : this.words || "At work…");
    const kind = lost
      ? "when the connection was lost"
      : idle === null
        ? "so far"
        : `so far · no process for ${clock(idle)}`;
    setText(this.clock, `${ran} ${kind}`);
    setText(this.left, lost ? "" : asked ? `asked at ${time(asked)}` : leftWords(left, this.estimate.left(now)));
    const limit = durationWords(Date.parse(until) - Date.parse(from));
    this.left.title = `It may take ${limit} at most, until ${time(until)}.`;
    this.clock.title = this.left.title;
  }
}
