// The lines above the message box: which message is edited, which ones wait for their answers, what goes on after a stop, what the
// assistant may do without asking, and that Esc has to be pressed again. Owns their buttons, which act at once.

import { explain } from "./action-error.js";
import { h, refill } from "./dom.js";
import { get, remove } from "./api.js";
import { count, humanise, time, zonedTime } from "./format.js";
import { isOpen } from "./task-words.js";

const link = (words, onclick) => h("button", { type: "button", class: "link", onclick }, words);

export class MessageLines {
  /** `stop(task)` cancels a task, `leaveEditing()` empties the box, `sendNow()` stops the answer that others wait for. */
  constructor({ store, announce, stop, leaveEditing, sendNow }) {
    Object.assign(this, { store, announce, stop, sendNow });
    const line = () => h("p", { class: "message-line", hidden: true });
    this.cancel = link("Cancel", leaveEditing);
    this.editing = line();
    this.waits = line();
    this.goesOn = line();
    this.again = line();
    this.allowed = line();
    this.error = h("p", { class: "message-line field-error", role: "alert", hidden: true });
    this.el = h(
      "div",
      { class: "message-lines" },
      this.error,
      this.allowed,
      this.goesOn,
      this.waits,
      this.again,
      this.editing,
    );
    this.left = []; // tasks that go on after a stop
  }

  show(line, ...content) {
    line.hidden = content.length === 0;
    refill(line, ...content);
  }

  /** The message that is in the box, or null. */
  edits(turn) {
    if (turn) this.show(this.editing, `Editing your message of ${time(turn.at)}`, this.cancel);
    else this.show(this.editing);
  }

  /** The answers that wait for the one that is written. */
  queued(tasks) {
    const ids = tasks.map((task) => task.task_id).join();
    if (ids === this.queuedIds) return;
    this.queuedIds = ids;
    if (!tasks.length) return this.show(this.waits);
    const words = `${count(tasks.length, "message")} ${tasks.length > 1 ? "wait" : "waits"} for the answer before`;
    this.show(
      this.waits,
      words,
      link("Send now (stops the answer)", () => this.sendNow()),
      link(tasks.length > 1 ? "Remove the last one" : "Remove", () => this.end([tasks.at(-1)], "Removed.")),
    );
  }

  /** An answer was stopped, and these tasks of its calls go on. */
  stopped(tasks) {
    this.left = tasks.map((task) => task.task_id);
    this.update();
  }

  update() {
    const open = this.left.map((id) => this.store.tasks.get(id)).filter((task) => task && isOpen(task));
    const ids = open.map((task) => task.task_id).join();
    if (ids === this.leftIds) return;
    this.leftIds = ids;
    if (!open.length) return this.show(this.goesOn);
    const words = `${count(open.length, "background task")} ${open.length > 1 ? "go" : "goes"} on`;
    const them = open.length > 1 ? "Cancel them" : "Cancel it";
    this.show(
      this.goesOn,
      words,
      link(them, () => this.end(open, "Asked to stop.")),
    );
  }

  /** Whether Esc has to be pressed again. */
  escape(again, ms) {
    clearTimeout(this.forgetting);
    if (!again) return this.show(this.again);
    this.show(this.again, "Esc again to stop");
    this.announce("Escape again to stop.");
    this.forgetting = setTimeout(() => this.show(this.again), ms);
  }

  /** Reads the functions that the assistant runs without asking. */
  async readAllowed() {
    const found = await get("v1/chat/allowed").catch(() => null); // the next look shows it
    if (found) this.showAllowed(found.allowed);
  }

  showAllowed(allowed) {
    if (!allowed.length) return this.show(this.allowed);
    const one = ({ app_id: appId, function: name, until }) =>
      h(
        "span",
        { title: until && `Until ${zonedTime(until)}` },
        humanise(name),
        " ",
        h(
          "button",
          { type: "button", class: "link", onclick: () => this.takeBack(appId, name) },
          "Ask again",
          h("span", { class: "hidden" }, ` before ${humanise(name)}`),
        ),
      );
    this.show(this.allowed, "Allowed in this conversation:", ...allowed.map(one));
  }

  async takeBack(appId, name) {
    this.show(this.error);
    try {
      await remove(`v1/chat/allowed/${encodeURIComponent(appId)}/${encodeURIComponent(name)}`);
      this.announce(`The assistant asks again before ${humanise(name)}.`);
      await this.readAllowed();
    } catch (error) {
      this.failed(explain(error));
    }
  }

  failed(words) {
    if (words) this.show(this.error, words);
    else this.show(this.error);
  }

  async end(tasks, done) {
    this.show(this.error);
    try {
      await Promise.all(tasks.map((task) => this.stop(task)));
      this.announce(done);
    } catch (error) {
      this.failed(explain(error));
    }
  }
}
