// Announces events to screen readers. Owns the two live regions and how often they speak: what a person has just done is
// told at once; everything else waits in one queue, which speaks every five seconds at most and sums up what has come. The
// words for a turn are turn-words.js, how much is told of tasks is announce-setting.js.

import { shortened } from "./cut-text.js";
import { h } from "./dom.js";
import { count, humanise } from "./format.js";
import { endState, endVerb, isFailure, isOutcome, turnLabel } from "./turn-words.js";

const GAP_MS = 5000; // between two utterances of the queue
const TOGETHER_MS = 250; // events that come in this time are told together
const QUARTER = 25;
const EACH = 2; // more events of a kind are summed up
const KEEP = 6;
const TEXT = 200;

function put(region, text) {
  region.append(h("p", null, text));
  while (region.children.length > KEEP) region.firstChild.remove();
}

/** Tells at once what a person has just done, without interrupting. */
export const say = (text) => put(document.getElementById("announcer"), text);

/** Interrupts: only for a question that waits for an answer. */
export const ask = (text) => put(document.getElementById("question"), text);

export class Announcer {
  /** `taskOf(id)` finds a task, `isOwn(call)` tells whether this page made a call, `level()` is `none`, `ends` or `quarters`. */
  constructor({ taskOf, isOwn, level }) {
    Object.assign(this, { taskOf, isOwn, level });
    this.told = new Map(); // task_id -> the last quarter that was reached
    this.stopping = new Set(); // tasks whose cancel was announced
    this.now = { turns: [], stops: [] }; // what this person did
    this.queue = { turns: [], progress: new Map() };
    this.spoken = -GAP_MS;
  }

  turns(turns) {
    for (const turn of turns) {
      if (turn.role !== "bot" || (isOutcome(turn) && this.level() === "none")) continue;
      if (!turn.task_id && this.isOwn(turn.call_id)) this.soon("turns", turn);
      else this.wait(() => this.queue.turns.push(turn));
    }
  }

  /** Progress: each quarter once, with the real percent. The outcome turn tells the end. */
  task(task) {
    if (task.state !== "running") {
      for (const known of [this.told, this.stopping, this.queue.progress]) known.delete(task.task_id);
      return;
    }
    if (task.cancel_requested_at && !this.stopping.has(task.task_id)) {
      this.stopping.add(task.task_id);
      this.soon("stops", task);
    }
    const quarter = quarterOf(task);
    const before = this.told.get(task.task_id) ?? 0;
    this.told.set(task.task_id, Math.max(quarter, before));
    if (quarter > before && quarter < 100 && this.level() === "quarters")
      this.wait(() => this.queue.progress.set(task.task_id, task));
  }

  soon(kind, what) {
    this.now[kind].push(what);
    this.telling ??= setTimeout(() => {
      const { turns, stops } = this.now;
      this.telling = null;
      this.now = { turns: [], stops: [] };
      speak([this.turnWords(turns), stopWords(stops)]);
    }, TOGETHER_MS);
  }

  /** Puts something into the queue, and sets its time to speak. */
  wait(add) {
    add();
    const since = performance.now() - this.spoken;
    this.timer ??= setTimeout(() => this.flush(), Math.max(TOGETHER_MS, GAP_MS - since));
  }

  flush() {
    const { turns, progress } = this.queue;
    this.timer = null;
    this.queue = { turns: [], progress: new Map() };
    const ended = turns.filter(isOutcome);
    const other = turns.filter((turn) => !isOutcome(turn));
    if (speak([this.turnWords(other), this.endWords(ended), progressWords([...progress.values()])]))
      this.spoken = performance.now();
  }

  one(turn) {
    return `${turnLabel(turn, this.taskOf(turn.task_id))}: ${shortened(turn.text, TEXT)}`;
  }

  turnWords(turns) {
    if (turns.length <= EACH) return turns.map((turn) => this.one(turn));
    const errors = turns.filter(isFailure);
    const rest = count(turns.length, "new turn");
    return errors.length
      ? `${rest}, ${count(errors.length, "error")}. The latest: ${this.one(errors.at(-1))}`
      : `${rest}. The latest: ${this.one(turns.at(-1))}`;
  }

  /** `9 tasks succeeded, 1 failed: ..`. */
  endWords(turns) {
    if (turns.length <= EACH) return turns.map((turn) => this.one(turn));
    const states = turns.map((turn) => endState(turn, this.taskOf(turn.task_id)));
    const words = [...new Set(["succeeded", ...states])]
      .map((state) => [state, states.filter((one) => one === state).length])
      .filter(([, n]) => n > 0)
      .map(([state, n], index) => `${index ? n : count(n, "task")} ${endVerb(state)}`);
    const failed = turns.filter(isFailure).at(-1);
    return `${words.join(", ")}${failed ? `. The latest that failed: ${this.one(failed)}` : ""}`;
  }
}

const quarterOf = (task) => Math.floor((task.percent ?? 0) / QUARTER) * QUARTER;

function progressWords(tasks) {
  if (tasks.length <= EACH)
    return tasks.map(
      (task) => `${humanise(task.name)}: ${Math.round(task.percent)} percent${task.message ? `, ${task.message}` : ""}`,
    );
  const reached = new Map();
  for (const task of tasks) reached.set(quarterOf(task), (reached.get(quarterOf(task)) ?? 0) + 1);
  return [...reached]
    .sort(([a], [b]) => b - a)
    .map(([quarter, n]) => `${count(n, "task")} reached ${quarter} percent`)
    .join(", ");
}

const stopWords = (tasks) =>
  tasks.length <= EACH
    ? tasks.map((task) => `${humanise(task.name)}: asked to stop`)
    : `${count(tasks.length, "task")} asked to stop`;

/** One utterance from parts; false if there is nothing to say. */
function speak(parts) {
  const words = parts.flat().filter(Boolean);
  if (words.length) say(words.reduce((all, one) => `${all}${/[.!?…]$/.test(all) ? "" : "."} ${one}`));
  return words.length > 0;
}
