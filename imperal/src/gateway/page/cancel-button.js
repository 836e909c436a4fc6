// The button that asks a task to stop, on its card and in its timeline. Owns the request and its error; the task's state comes from
// the store.

import { ErrorLine } from "./action-error.js";
import { post } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { humanise } from "./format.js";
import { isOpen } from "./task-words.js";

export class CancelButton {
  /** `el` is the button, `error` its ErrorLine. */
  constructor(store) {
    this.store = store;
    this.asking = false;
    this.error = new ErrorLine();
    this.el = h("button", { type: "button", class: "secondary small", onclick: () => this.cancel() });
  }

  update(task) {
    this.task = task;
    const word = task.cancel_requested_at ? "Asked to stop" : this.asking ? "Asking…" : "Cancel";
    const look = `${task.task_id} ${word}`;
    if (this.look === look) return;
    this.look = look;
    if (word === "Cancel") this.el.removeAttribute("aria-disabled");
    else this.el.setAttribute("aria-disabled", "true");
    refill(
      this.el,
      word === "Cancel" ? icon("stop") : h("span", { class: "spinner", "aria-hidden": "true" }),
      word,
      h("span", { class: "hidden" }, ` ${humanise(task.name)}`),
    );
  }

  async cancel() {
    if (this.asking || this.task.cancel_requested_at) return;
    const { store, task, error } = this;
    this.asking = true;
    error.clear();
    this.update(task);
    try {
      store.say("task", store.keep(await post(`v1/tasks/${encodeURIComponent(task.task_id)}/cancel`, {})));
    } catch (failed) {
      error.show(failed);
    }
    this.asking = false;
    if (isOpen(this.task)) this.update(this.task);
  }
}
