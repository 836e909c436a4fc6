// The head of a timeline: the state of the task, where it is and who runs it, how its time was spent, its parameters, and what can be
// done with it. Owns loading the call whose parameters they are; the rows are timeline-panel.js.

import { explain } from "./action-error.js";
import { CancelButton } from "./cancel-button.js";
import { copyButton } from "./copy-button.js";
import { h, refill, setText } from "./dom.js";
import { endStepWords } from "./end-words.js";
import { count, endLabel, humanise, moment } from "./format.js";
import { link } from "./links.js";
import { paramList } from "./param-list.js";
import { currentStep, isOpen, shortId, stepNumber } from "./task-words.js";
import { taskAddress } from "./task-link.js";
import { sums, sumWords } from "./timeline-words.js";
import { isHeld } from "./work-clock.js";

export class TimelineHead {
  /** `acts` has outcome(task_id), which shows the outcome turn, and functionOf(app, name). */
  constructor(store, acts) {
    Object.assign(this, { store, acts });
    this.state = h("p", { class: "timeline-state" });
    this.sum = h("p", { class: "timeline-sum" });
    this.see = h(
      "button",
      { type: "button", class: "link", onclick: () => this.acts.outcome(this.task.task_id) },
      "See outcome",
    );
    this.copy = copyButton(() => taskAddress(this.task.task_id), "to this timeline", "Copy link");
    this.traces = h("span", { hidden: true });
    this.cancel = new CancelButton(store);
    this.paramsBody = h("div", { class: "timeline-params-body" });
    this.next = h("p", { class: "help follower", hidden: true });
    this.params = h("details", { class: "timeline-params" }, h("summary", null, "Parameters"), this.paramsBody);
    this.params.addEventListener("toggle", () => this.params.open && this.showParams());
    this.el = h(
      "div",
      null,
      this.state,
      this.sum,
      h("div", { class: "timeline-acts" }, this.copy, this.see, this.traces, this.cancel.el),
      this.cancel.error.el,
      this.next,
      this.params,
    );
  }

  /** Another task, or news of it; `entries` are what happened so far. */
  update(task, entries, now) {
    if (this.task?.task_id !== task.task_id) {
      this.params.open = false;
      this.cancel.error.clear();
      refill(this.paramsBody);
    }
    this.task = task;
    const { word } = endLabel(task, undefined);
    const attempts = task.attempt ?? 1;
    const node = entries.findLast((entry) => entry.kind === "attempt_began")?.node;
    const step = isHeld(task) && currentStep(task);
    const parts = [
      [word, endStepWords(task)].filter(Boolean).join(" "),
      step && `${stepNumber(task)}, ${step.name}`,
      isHeld(task) && node && `on ${node}`,
      `started ${moment(task.created_at)}`,
      attempts > 1 && count(attempts, "attempt"),
    ];
    const id = h("code", { title: task.task_id }, shortId(task.task_id));
    refill(this.state, h("span", { dir: "auto" }, parts.filter(Boolean).join(" · ")), id);
    this.see.hidden = isOpen(task);
    this.cancel.el.hidden = !isOpen(task);
    if (isOpen(task)) this.cancel.update(task);
    this.showNext(task);
    this.tick(entries, now);
  }

  /** The way to the task that goes on from this one or runs it again, which may be too old to be loaded. */
  showNext(task) {
    const next = this.store.followerOf(task.task_id)?.task_id ?? task.followed_by;
    this.next.hidden = !next;
    if (next === this.nextId) return;
    this.nextId = next;
    const link = next && h("a", { href: taskAddress(next), title: `Task ${next}` }, `task ${shortId(next)}`);
    refill(this.next, h("span", null, "Continued as another task: ", link));
  }

  /** The way to the task's traces, if an operator has set where they are. */
  showTraces(url) {
    this.traces.hidden = !url;
    if (url === this.traceUrl) return;
    this.traceUrl = url;
    refill(this.traces, url && link(url, "Traces"));
  }

  tick(entries, now) {
    setText(this.sum, entries.length ? sumWords(sums(entries, now)) : "");
  }

  /** Shows the parameters of the task's call, which may be among earlier turns. */
  async showParams() {
    const { task } = this;
    const show = (content) => task.task_id === this.task.task_id && refill(this.paramsBody, content);
    show(h("p", { class: "help" }, "Loading…"));
    try {
      const asked = await this.store.askedBy(task.call_id);
      const none = asked ? `${humanise(task.function)} was called without parameters.` : "Its call is no longer kept.";
      const schema = this.acts.functionOf(asked?.app_id, asked?.function)?.params_schema;
      show(paramList(asked?.params, schema) ?? h("p", { class: "help" }, none));
    } catch (error) {
      show(h("p", { class: "form-error", role: "alert" }, explain(error)));
    }
  }
}
