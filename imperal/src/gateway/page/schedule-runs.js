// The latest runs of one schedule, in its row: when each was due, how it ended, and the way to it in the chat. Owns reading them,
// and showing what was read until newer ones are there.

import { ErrorLine } from "./action-error.js";
import { shortened } from "./cut-text.js";
import { h, icon, newId, refill } from "./dom.js";
import { moment, zonedTime } from "./format.js";
import { plainWords } from "./plain-words.js";
import { lateWords } from "./schedule-times.js";
import { runLabel } from "./schedule-words.js";

const GIST = 140; // characters of an answer

export class ScheduleRuns {
  /** `read()` resolves to the runs, the newest first; `reveal(call_id)` shows one in the chat. */
  constructor({ name, read, reveal }) {
    Object.assign(this, { name, read, reveal });
    this.error = new ErrorLine();
    this.list = h("ol", { class: "run-list bare" });
    this.el = h("div", { class: "schedule-runs", id: newId("runs"), hidden: true }, this.list, this.error.el);
  }

  async show(is) {
    this.el.hidden = !is;
    if (is) await this.load();
  }

  /** Reads the runs again, if they are shown. */
  async load() {
    if (this.el.hidden) return;
    this.error.clear();
    try {
      const runs = await this.read();
      refill(
        this.list,
        runs.length ? runs.map((run) => this.row(run)) : h("li", { class: "help" }, "It has not run yet."),
      );
    } catch (error) {
      this.error.show(error);
    }
  }

  row(run) {
    const { word, tone, icon: sign } = runLabel(run.state);
    const see =
      run.call_id &&
      h(
        "button",
        { type: "button", class: "link", onclick: () => this.reveal(run.call_id) },
        "Show in the chat",
        h("span", { class: "hidden" }, `: ${this.name}, due ${moment(run.due_at)}`),
      );
    const text =
      run.state === "skipped" ? "The run before was still going." : shortened(plainWords(run.text ?? ""), GIST);
    return h(
      "li",
      { class: "run" },
      h("span", { class: `dot-run ${tone}`, "aria-hidden": "true" }, icon(sign)),
      h(
        "div",
        null,
        h("time", { datetime: run.due_at, title: zonedTime(run.due_at) }, moment(run.due_at)),
        ` · ${[word, lateWords(run.late_by_s)].filter(Boolean).join(", ")} `,
        see,
        text && h("p", { class: "help", dir: "auto" }, text),
      ),
    );
  }
}
