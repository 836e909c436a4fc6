// The strip over the composer while a task asks: what it asks, and the way to the question. Owns going from one open question to
// the next. The question itself is on its task's card, question-view.js.

import { shortened } from "./cut-text.js";
import { h, icon, refill } from "./dom.js";
import { humanise } from "./format.js";
import { plainWords } from "./plain-words.js";
import { approvalOf, approvalTitle } from "./question-words.js";

const TEXT = 120;

export class QuestionStrip {
  /** `open()` lists the open questions, `show(task, question)` goes to one; `missing()` says that there is none. */
  constructor(el, { open, show, missing }) {
    Object.assign(this, { el, open, show, missing });
    this.word = h("p", { class: "asks-text" });
    this.name = h("span", { class: "hidden" });
    this.button = h(
      "button",
      { type: "button", class: "primary small", title: "g, then q", onclick: () => this.next() },
      "Answer",
      this.name,
    );
    refill(el, icon("question"), this.word, this.button);
  }

  update() {
    const all = this.open();
    const held = this.el.contains(document.activeElement);
    this.el.hidden = all.length === 0;
    if (!all.length) return held && document.getElementById("chat").focus({ preventScroll: true });
    const [{ task, question }] = all;
    const approval = approvalOf(question);
    refill(
      this.word,
      h("strong", { dir: "auto" }, approval ? "The assistant" : humanise(task.name)),
      " asks: ",
      h("span", { dir: "auto" }, approval ? approvalTitle(approval) : shortened(plainWords(question.text), TEXT)),
      all.length > 1 && h("span", { class: "asks-more" }, ` and ${all.length - 1} more`),
    );
    refill(this.name, ` ${humanise(task.name)}`);
  }

  /** Goes to the open question after the one with the focus. */
  next() {
    const all = this.open();
    if (!all.length) return this.missing();
    const held = document.activeElement?.closest("[data-question]")?.dataset.question;
    const at = all.findIndex(({ question }) => question.question_id === held);
    const { task, question } = all[(at + 1) % all.length];
    return this.show(task, question);
  }
}
