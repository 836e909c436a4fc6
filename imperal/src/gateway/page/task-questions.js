// The questions of one task, where the task is shown: those that are open, and the last one that no longer is. Owns which views there
// are; one question is question-view.js.

import { h, refill } from "./dom.js";
import { QuestionView } from "./question-view.js";

export class TaskQuestions {
  /** `questions` are those of the page, `owner`, `announce` and `change` are for the views. */
  constructor(task, { questions, owner, announce, change }) {
    Object.assign(this, { task, questions });
    this.parts = { answers: questions.answers, owner, announce, change, name: task.name, appId: task.app_id };
    this.views = new Map(); // question_id -> its view, of those that are drawn
    this.el = h("div", { class: "questions" });
    questions.want(task);
    this.update();
  }

  update() {
    const all = this.questions.of(this.task.task_id);
    const isOpen = (one) => one.state === "open";
    // several answers long ago are no news
    const last = all.findLast((one) => !isOpen(one));
    const drawn = all.filter((one) => isOpen(one) || one === last);
    const ids = new Set(drawn.map((one) => one.question_id));
    for (const [id, view] of this.views) if (!ids.has(id)) (view.dispose(), this.views.delete(id));
    for (const one of drawn) {
      const view = this.views.get(one.question_id);
      if (view) view.update(one);
      else this.views.set(one.question_id, new QuestionView(one, this.parts));
    }
    refill(
      this.el,
      drawn.map((one) => this.views.get(one.question_id).el),
    );
  }

  /** How many there were, as far as that is known. */
  get count() {
    return this.questions.of(this.task.task_id).length;
  }

  /** Reads what an ended task had asked. */
  read() {
    if (this.task.durable) this.questions.readOnce(this.task.task_id);
  }

  tick() {
    for (const view of this.views.values()) view.tick();
  }

  /** Focuses a question. Whether it has the focus then. */
  focus(questionId) {
    this.views.get(questionId)?.focus();
    return document.activeElement === this.views.get(questionId)?.el;
  }

  dispose() {
    for (const view of this.views.values()) view.dispose();
    this.views.clear();
  }
}
