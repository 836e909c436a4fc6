// The button over the list of tasks that cancels all open ones that are shown. It asks once, and says how it went.

import { explain, isLost } from "./action-error.js";
import { onceReachable, post } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { count, humanise } from "./format.js";

const AT_ONCE = 6; // requests, as many as a browser sends to one host
const NAMED = 5; // tasks that the question names

export class CancelAll {
  /** `confirm(question)` resolves to whether to go on. */
  constructor(store, confirm) {
    Object.assign(this, { store, confirm });
    this.tasks = [];
    this.button = h("button", { type: "button", class: "secondary small", onclick: () => this.press() });
    this.said = h("span", { class: "help", role: "status" });
    this.el = h("div", { class: "cancel-all", hidden: true }, this.button, this.said);
  }

  /** The open tasks that are shown. One has its own button. */
  show(open) {
    this.tasks = open.filter((task) => !task.cancel_requested_at);
    this.el.hidden = open.length < 2;
    this.button.hidden = this.tasks.length < 2;
    if (!this.button.hidden) refill(this.button, icon("stop"), `Cancel all ${this.tasks.length}`);
    if (this.el.hidden) refill(this.said);
  }

  async press() {
    const tasks = this.tasks;
    const names = tasks.slice(0, NAMED).map((task) => humanise(task.name));
    const more = tasks.length - names.length;
    const wanted = await this.confirm({
      title: `Cancel ${count(tasks.length, "task")}?`,
      about: h("p", null, `${names.join(", ")}${more ? ` and ${more} more` : ""}. Their results so far are lost.`),
      no: "Keep them running",
      yes: "Cancel them",
      danger: true,
    });
    if (!wanted) return;
    const failed = [];
    const left = [...tasks];
    const worker = async () => {
      for (let task = left.pop(); task; task = left.pop()) {
        try {
          const path = `v1/tasks/${encodeURIComponent(task.task_id)}/cancel`;
          this.store.say("task", this.store.keep(await post(path, {})));
        } catch (error) {
          failed.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const asked = tasks.length - failed.length;
    const [first] = failed;
    const said = `Asked ${count(asked, "task")} to stop.`;
    refill(this.said, said, first && ` ${failed.length} could not be asked: ${explain(first)}`);
    if (first && isLost(first)) onceReachable(() => this.said.textContent.startsWith(said) && refill(this.said, said));
  }
}
