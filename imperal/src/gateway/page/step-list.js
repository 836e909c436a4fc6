// The steps of a durable task that are done, folded to their number: a disclosure with the list of them. Owns the list; the
// requests are stored-steps.js. Steps only append, so that nothing moves under the reader.

import { ErrorLine, failure } from "./action-error.js";
import { h, icon, newId, refill, setText } from "./dom.js";
import { collapsed, knownWords, rowName, UNKNOWN } from "./effect-words.js";
import { clock, fullTime, humanise, spanWords, time } from "./format.js";
import { line } from "./prose.js";
import { Keyed } from "./reconcile.js";
import { hasMore, readSteps, stepsOf } from "./stored-steps.js";
import { currentStep, tries } from "./task-words.js";
import { attemptOf, isHeld } from "./work-clock.js";

export class StepList {
  /** `button` and `el` are for the card. */
  constructor(task) {
    this.task = task;
    this.count = h("span", { class: "steps-done" });
    const id = newId("steps");
    this.button = h(
      "button",
      { type: "button", class: "link steps-toggle", "aria-expanded": "false", "aria-controls": id },
      icon("check"),
      h("span", null, this.count, h("span", { class: "hidden" }, ` of ${humanise(task.name)}`)),
      h("span", { class: "unfold-place", "aria-hidden": "true" }, icon("chevron")),
    );
    this.button.addEventListener("click", () => this.toggle());
    this.more = h(
      "button",
      { type: "button", class: "link", onclick: () => this.read() },
      "Show more steps",
      icon("down"),
    );
    this.error = new ErrorLine();
    this.list = h("ol", { class: "bare" });
    this.el = h(
      "div",
      {
        id,
        class: "steps",
        role: "group",
        "aria-label": `Steps of ${humanise(task.name)}`,
        tabindex: "0",
        hidden: true,
      },
      this.list,
      this.error.el,
    );
    this.rows = new Keyed({
      key: (step) => step.ordinal,
      make: () => h("li", { class: "step" }),
      draw: (el, step) => this.drawStep(el, step),
      look: (step) => `${this.isKept(step)} ${step.kind} ${step.done_at}`,
    });
    this.now = new Keyed({
      key: (step) => step.name,
      make: () => h("li", { class: "step now" }),
      draw: (el, step) => this.drawNow(el, step),
      look: (step) => `${isHeld(this.task)} ${JSON.stringify(step)}`,
    });
  }

  update(task) {
    this.task = task;
    const { done = 0, current = [] } = task.steps ?? {};
    this.button.hidden = done === 0 && !this.open;
    setText(this.count, `${done} done`);
    if (!this.open) return;
    this.draw(current);
    if (done > this.done && !hasMore(task.task_id)) this.read();
  }

  toggle() {
    this.open = !this.open;
    this.el.hidden = !this.open;
    this.button.setAttribute("aria-expanded", String(this.open));
    if (!this.open) return;
    this.update(this.task);
    this.read();
  }

  /** Reads the steps after those that are shown. */
  async read() {
    this.done = this.task.steps?.done ?? 0;
    this.error.clear();
    try {
      await readSteps(this.task.task_id);
    } catch (error) {
      const { message, lost } = failure(error);
      this.error.say({ message: `The steps could not be loaded. ${message}`, lost });
      this.done = 0; // the next change asks again
    }
    this.draw(this.task.steps?.current ?? []);
  }

  draw(current) {
    const held = isHeld(this.task);
    const now = new Set(held ? current.map((step) => step.name) : []);
    // an effect that runs is among the steps that run
    const stored = collapsed(stepsOf(this.task.task_id)).filter(
      ({ kind, name }) => kind !== "intent" || !now.has(name),
    );
    // the card itself shows one of those that run
    const shown = held ? currentStep(this.task) : null;
    const others = current.filter((step) => step !== shown);
    refill(this.list, this.rows.elements(stored), this.now.elements(others));
    refill(this.el, this.list, stored.length > 0 && hasMore(this.task.task_id) && this.more, this.error.el);
  }

  /** Whether an earlier attempt stored it, so that it does not run again. */
  isKept(step) {
    return !["intent", "not_done"].includes(step.kind) && step.attempt < attemptOf(this.task);
  }

  drawStep(el, step) {
    const kept = this.isKept(step);
    const said = step.kind === "message";
    const { sign, word, state, tone } = KINDS[step.kind] ?? { sign: "info", word: humanise(step.kind).toLowerCase() };
    const how = knownWords(step.known_by);
    el.className = ["step", tone].filter(Boolean).join(" ");
    refill(
      el,
      icon(sign),
      h(
        "span",
        { class: "step-name" },
        h("span", { dir: "auto" }, said ? messageName(step.name) : rowName(step.name)),
        state
          ? h("span", { class: "step-state", title: how || null }, `, ${state}`)
          : h("span", { class: "hidden" }, `, ${word}, `),
        kept && h("span", { class: "kept", title: `Done in attempt ${step.attempt}: it does not run again` }, "kept"),
      ),
      h("span", { class: "took" }, !said && !state && spanWords(Date.parse(step.done_at) - Date.parse(step.began_at))),
      h(
        "time",
        { datetime: step.done_at, title: `${state ? "Stored" : "Done"} ${fullTime(step.done_at)}` },
        time(step.done_at),
      ),
      state && how && h("p", { class: "step-error" }, how),
    );
  }

  drawNow(el, step) {
    const held = isHeld(this.task);
    refill(
      el,
      step.error ? icon("alert") : h("span", { class: "ring", "aria-hidden": "true" }),
      h("span", { class: "step-name", dir: "auto" }, step.name),
      h("span", { class: "took" }, held ? tries(step) || "now" : "was cut off, runs again"),
      step.error && h("p", { class: "step-error", dir: "auto" }, line(step.error)),
    );
  }
}

// `state` is shown, `word` is for screen readers: a sign says it to others
const KINDS = {
  step: { sign: "check", word: "done" },
  message: { sign: "message", word: "sent" },
  sleep: { sign: "clock", word: "wait" },
  question: { sign: "question", word: "question" },
  effect: { sign: "check", word: "done" },
  intent: { sign: "alert", tone: "warn", state: `begun: ${UNKNOWN.charAt(0).toLowerCase()}${UNKNOWN.slice(1, -1)}` },
  not_done: { sign: "close", tone: "plain", state: "not done" },
};

/** `name:greeting` is a message that its author named; others are known by their text only. */
const messageName = (key) => (key.startsWith("name:") ? `Message ${key.slice("name:".length)}` : "Message");

/** `0:04`, for a step that runs. */
export const runsFor = (step, now) => clock(now - Date.parse(step.since));
