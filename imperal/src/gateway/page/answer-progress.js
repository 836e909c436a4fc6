// An answer that the assistant writes, on the card below its message: that it works and for how long, or what it waits for. Its words
// are live-text.js, its calls are turns of their own.

import { isCutOff, lastHeard } from "./clocks.js";
import { h, setText } from "./dom.js";
import { clock } from "./format.js";
import { CANCELLING } from "./task-progress.js";
import { isHeld } from "./work-clock.js";

const SHORT_MS = 3000; // no time is shown before

export class AnswerProgress {
  /** `above` and `below` are the parts for the card. */
  constructor() {
    this.word = h("span");
    this.elapsed = h("span", { class: "elapsed" });
    this.dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
    this.above = [h("div", { class: "working" }, this.dots, this.word, this.elapsed)];
    this.below = [];
  }

  update(task) {
    const held = isHeld(task);
    this.dots.hidden = !held;
    const waits = task.waits_for === "answer" ? "Waits for your answer" : "Waits for the answer before";
    setText(this.word, task.cancel_requested_at ? CANCELLING : held ? "Working…" : waits);
  }

  tick(task) {
    const ms = lastHeard() - Date.parse(task.created_at);
    const time = isHeld(task) && ms > SHORT_MS ? clock(ms) : "";
    setText(this.elapsed, isCutOff() ? "not heard of since the connection was lost" : time);
  }
}
