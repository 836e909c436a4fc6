// Announces events to screen readers: new turns, milestones of progress, the connection. Owns the one polite live region
// and how often it speaks; words are in format.js.

import { h } from "./dom.js";
import { humanise } from "./format.js";

const MILESTONE = 25;
const KEEP = 6;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.told = new Map(); // task_id -> the last milestone that was announced
    this.stopping = new Set(); // tasks whose cancel was announced
    this.batch = [];
  }

  say(text) {
    this.region.append(h("p", null, text));
    while (this.region.children.length > KEEP) this.region.firstChild.remove();
  }

  /** New turns. A burst after a reconnect is summed up instead of read out. */
  turns(turns) {
    this.batch.push(...turns.filter((turn) => turn.role === "bot"));
    this.timer ??= setTimeout(() => {
      const said = this.batch;
      this.batch = [];
      this.timer = null;
      if (said.length > 3) this.say(`${said.length} new turns. The latest: ${short(said.at(-1).text)}`);
      else said.forEach((turn) => this.say(`${turn.task_id ? "Outcome" : "Reply"}: ${short(turn.text)}`));
    }, 250);
  }

  /** Progress: each quarter once, not every percent. The outcome turn announces the end. */
  task(task) {
    if (task.state !== "running") {
      this.told.delete(task.task_id);
      this.stopping.delete(task.task_id);
      return;
    }
    if (task.cancel_requested_at && !this.stopping.has(task.task_id)) {
      this.stopping.add(task.task_id);
      this.say(`${humanise(task.name)}: asked to stop`);
    }
    const step = Math.floor((task.percent ?? 0) / MILESTONE) * MILESTONE;
    const before = this.told.get(task.task_id) ?? 0;
    this.told.set(task.task_id, Math.max(step, before));
    if (step > before && step < 100)
      this.say(`${humanise(task.name)}: ${step} percent${task.message ? `, ${task.message}` : ""}`);
  }
}

const short = (text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
