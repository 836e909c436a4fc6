// The questions of an ended task, each with its outcome: a list in the task's unfolded row of the activity panel. Questions of
// open tasks are task-questions.js.

import { shortened } from "./cut-text.js";
import { h, refill } from "./dom.js";
import { plainWords } from "./plain-words.js";
import { closedWords } from "./question-words.js";

const TEXT = 200;

export class AskedList {
  constructor(task, questions) {
    Object.assign(this, { task, questions });
    this.el = h("ul", { class: "bare asked-list" });
    this.update();
  }

  /** Reads the questions, unless they are known. */
  read() {
    this.questions.readOnce(this.task.task_id);
  }

  update() {
    const asked = this.questions.of(this.task.task_id);
    const row = (one) =>
      h(
        "li",
        null,
        h("span", { dir: "auto" }, shortened(plainWords(one.text), TEXT)),
        h("span", { class: "help" }, closedWords(one, this.questions.answers.isOwn(one))),
      );
    this.el.hidden = !asked.length;
    refill(this.el, asked.map(row));
  }
}
