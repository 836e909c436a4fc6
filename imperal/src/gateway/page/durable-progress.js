// A durable task on its card: the finished steps, the running one with its tries, and, while no process runs the task, the
// reason of the wait and the next event. Five lines at most. Time without a process is no work: its clock stands still
// (work-clock.js). The list of steps is step-list.js, the card task-card.js.

import { isCutOff, lastHeard } from "./clocks.js";
import { h, icon, refill, setText } from "./dom.js";
import { idleFor } from "./end-words.js";
import { Estimate } from "./estimate.js";
import { clock, moment, time, zonedTime } from "./format.js";
import { plainWords } from "./plain-words.js";
import { runsFor, StepList } from "./step-list.js";
import { readAllSteps } from "./stored-steps.js";
import { Bar, CANCELLING, leftWords, SOON_MS, wholePercent } from "./task-progress.js";
import { currentStep, stepNumber, tries } from "./task-words.js";
import { attemptOf, isHeld, limitAt, worked, workFromSteps } from "./work-clock.js";
import { waitWords } from "./wait-words.js";

export class DurableProgress {
  /** `above` and `below` are the parts for the card. */
  constructor(store, task) {
    this.store = store;
    this.wentOn = h("p", { class: "went-on" });
    this.wait = h("p", { class: "wait" });
    this.bar = new Bar(task.name);
    this.steps = new StepList(task);
    this.clock = h("span", { class: "clock" });
    this.sign = h("span", { class: "step-sign", "aria-hidden": "true" });
    this.name = h("span", { class: "step-name", dir: "auto" });
    this.tried = h("span", { class: "tried" });
    this.note = h("span", { class: "step-note", dir: "auto" });
    this.left = h("span", { class: "left" });
    this.step = h(
      "div",
      { class: "task-line step-now" },
      h("span", { class: "step-what" }, this.sign, this.name),
      this.tried,
    );
    this.foot = h("div", { class: "task-line step-foot" }, this.note, this.left);
    this.head = h("div", { class: "task-line steps-line" }, this.steps.button, this.clock);
    this.above = [this.wentOn, this.wait, this.bar.el, this.head, this.steps.el, this.step, this.foot];
    this.below = [];
  }

  update(task) {
    if (this.attempt !== attemptOf(task)) {
      this.estimate = estimateOf(task, this.attempt === undefined);
      this.attempt = attemptOf(task);
    }
    const held = isHeld(task);
    const step = currentStep(task);
    const reported = typeof task.percent === "number";
    this.estimate.report(task.percent, lastHeard());
    this.bar.el.hidden = !reported || !held;
    if (reported) this.bar.show(task.percent, [stepNumber(task), step?.name].filter(Boolean).join(", "));
    this.steps.update(task);
    this.step.hidden = !held;
    this.foot.hidden = !held;
    this.wait.hidden = held;
    this.showWentOn(task);
    if (step?.error !== this.trouble || !this.sign.firstChild) {
      this.trouble = step?.error;
      refill(this.sign, step?.error ? icon("alert") : h("span", { class: "ring" }));
    }
    this.step.classList.toggle("trouble", Boolean(step?.error));
  }

  showWentOn(task) {
    const again = isHeld(task) && attemptOf(task) > 1;
    this.wentOn.hidden = !again;
    const { from } = task.work;
    const kept = task.steps?.kept ?? 0;
    const at = from === null ? "" : ` at ${moment(new Date(from).toISOString())}`;
    const after = task.waited ? "its wait" : "a restart";
    const words = kept || task.waited ? `Went on after ${after}${at}, ${kept} kept` : `Began again after ${after}${at}`;
    if (!again || this.wentOnWords === words) return;
    this.wentOnWords = words;
    refill(this.wentOn, icon("again"), words);
  }

  tick(task) {
    const now = lastHeard();
    const lost = isCutOff();
    const idle = idleFor(task, now);
    if ((isHeld(task) || idle !== null) && worked(task, now) === null) this.learn(task);
    this.showClock(task, now, lost);
    if (isHeld(task)) this.showStep(task, now, lost);
    else this.showWait(task, now);
  }

  /** Reads how long earlier attempts took, once for each attempt that the page did not see from its beginning. */
  learn(task) {
    if (this.learning === attemptOf(task)) return;
    this.learning = attemptOf(task);
    readAllSteps(task.task_id).then(
      (steps) => {
        const current = this.store.tasks.get(task.task_id) ?? task;
        current.work = workFromSteps(current, steps);
        this.showWentOn(current);
        this.tick(current);
      },
      () => {}, // the card says when it was started instead
    );
  }

  showClock(task, now, lost) {
    const { created_at: started } = task;
    const ms = worked(task, now);
    const percent = wholePercent(task.percent);
    const share = isHeld(task) && percent !== null && `${percent} %`;
    const known = attemptOf(task) > 0 && ms !== null;
    const kind = lost ? "when the connection was lost" : isHeld(task) && attemptOf(task) < 2 ? "so far" : "of work";
    const idle = idleFor(task, now);
    const since = `${attemptOf(task) === 0 ? "since" : "started"} ${moment(started)}`;
    const parts = [share, isHeld(task) && stepNumber(task), known ? `${clock(ms)} ${kind}` : since];
    if (idle !== null) parts.push(`no process for ${clock(idle)}`);
    setText(this.clock, parts.filter(Boolean).join(" · "));
    const until = limitAt(task);
    const limit = until === null ? "" : ` Its time limit is at ${time(new Date(until).toISOString())}.`;
    this.clock.title = `Started ${zonedTime(started)}. Time in which no process runs it is not counted.${limit}`;
  }

  showStep(task, now, lost) {
    const { cancel_requested_at: asked, message } = task;
    const step = currentStep(task);
    const others = (task.steps?.current?.length ?? 0) - 1;
    setText(this.name, step ? `${step.name}${others > 0 ? ` and ${others} more` : ""}` : "Between two steps");
    const waits = step?.next_at ? Date.parse(step.next_at) - now : null;
    setText(this.tried, step ? [tries(step), waits === null && runsFor(step, now)].filter(Boolean).join(" · ") : "");
    const left = (limitAt(task) ?? Infinity) - now;
    const note = asked ? CANCELLING : plainWords(step?.error ?? message ?? "");
    setText(this.note, note);
    this.note.title = note;
    this.left.classList.toggle("soon", !lost && !asked && waits === null && left < SOON_MS);
    const next = waits > 0 ? `Next try in ${clock(waits + 999)}` : "Next try now";
    const rest = waits === null ? leftWords(left, this.estimate.left(now)) : next;
    setText(this.left, lost ? "" : asked ? `asked at ${time(asked)}` : rest);
  }

  showWait(task, now) {
    const { word, text, tone, sign } = waitWords(task, now);
    this.wait.className = `wait ${tone}`;
    const shown = `${word} ${text}`;
    if (this.waitShown === shown) return;
    this.waitShown = shown;
    refill(this.wait, icon(sign), h("span", null, h("strong", null, `${word}.`), ` ${text}`));
  }
}

/** The estimate of an attempt. Work before the attempt took no time of it. */
function estimateOf(task, isFirstSight) {
  if (attemptOf(task) < 2) return new Estimate(task.work.from ?? lastHeard(), 0);
  return new Estimate(lastHeard(), isFirstSight ? null : (task.percent ?? 0));
}
