// The page's copy of the user's ledger: turns and tasks, applied once and in order. Every view reads it and listens to it. Turns
// enter by the live stream or by history, never by the answer to a call, so that there is one order.

import { get, getVerbatim, serverNow } from "./api.js";
import { stable } from "./exact-json.js";
import { LiveTexts } from "./live-texts.js";
import { isOpen } from "./task-words.js";
import { attemptOf, isHeld, nextWork } from "./work-clock.js";

const PAGE = 60;
const PROGRESS_MS = 100; // views are told of progress ten times a second at most
const REPORTED = ["percent", "message", "steps"]; // what progress changes; an absent part is as it was

const texts = new WeakMap();

/** The parameters of a call as one text, computed once: they are compared with those of every other call. */
function paramsOf(turn) {
  if (!texts.has(turn)) texts.set(turn, stable(turn.params ?? {}));
  return texts.get(turn);
}

export class Store {
  constructor() {
    this.turns = []; // ascending, without gaps from the oldest loaded turn to the newest
    this.tasks = new Map(); // task_id -> task
    this.asked = new Map(); // call_id -> the user's turn
    this.answered = new Map(); // call_id -> the reply turn
    this.ended = new Map(); // task_id -> the outcome turn
    this.lastSeq = 0;
    this.older = undefined; // the number before which there are earlier turns, if any
    this.fresh = new Set(); // tasks that reported progress since refreshTasks() asked
    this.listeners = new Map();
    this.gapSeen = 0;
    this.reported = new Map(); // task_id -> its latest progress that views were not told of
    this.texts = new LiveTexts({
      changed: (draft) => this.say("text", draft),
      gone: (draft) => this.say("text", draft),
    });
  }

  /** Adds a listener: `turns` (added, live), `older` (count), `task` (task), `text` (a draft), `hello`. */
  on(name, fn) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), fn]);
  }

  say(name, ...args) {
    for (const fn of this.listeners.get(name) ?? []) {
      try {
        fn(...args);
      } catch (error) {
        console.error(error); // a view that fails must not stop the others or the stream
      }
    }
  }

  /** Loads the latest page of turns and the known tasks. Turns first: the stream resumes after them. */
  async load() {
    const { turns, next } = await getVerbatim(`v1/chat/turns?latest=${PAGE}`);
    this.lastSeq = turns.at(-1)?.seq ?? 0;
    const [active, recent] = await Promise.all([get("v1/tasks/active"), get("v1/tasks?limit=100")]);
    for (const known of [this.asked, this.answered, this.ended]) known.clear();
    for (const turn of turns) this.index(turn);
    this.turns = turns;
    this.older = next; // a page may have fewer than PAGE turns: it ends at 2 MiB
    for (const task of [...recent.tasks, ...active.tasks]) this.keep(task);
    this.say("turns", turns, false);
    this.texts.load().catch(() => {}); // the stream brings them too
  }

  get hasOlder() {
    return this.older !== undefined;
  }

  /** Loads the page of turns before the oldest one. Resolves to their count. */
  loadOlder() {
    this.loading ??= this.fetchOlder().finally(() => (this.loading = null));
    return this.loading;
  }

  async fetchOlder() {
    if (!this.hasOlder) return 0;
    const { turns: older, next } = await getVerbatim(`v1/chat/turns?before=${this.older}&limit=${PAGE}`);
    for (const turn of older) this.index(turn);
    this.turns = [...older, ...this.turns];
    this.older = next;
    this.say("older", older.length);
    return older.length;
  }

  /** The user's turn of a call, loading earlier history if needed. */
  async askedBy(callId) {
    while (!this.asked.has(callId) && this.hasOlder) await this.loadOlder();
    return this.asked.get(callId);
  }

  /** Applies one message of the stream. False asks for the stream to be read again from `lastSeq`. */
  take(name, data, id) {
    if (name === "hello") this.say("hello", data);
    else if (name === "progress") this.progress(data);
    else if (name === "draft") this.texts.take(data);
    else if (id !== null) return this.event(name, data, id);
    return true;
  }

  event(name, data, seq) {
    if (seq <= this.lastSeq) return true;
    // Numbers have no gaps. A gap means that an event was missed: read again, once. A gap that is still there
    // the second time is the server's fault and must not stop the page.
    if (seq > this.lastSeq + 1 && this.gapSeen !== seq) {
      this.gapSeen = seq;
      return false;
    }
    this.lastSeq = seq;
    if (name === "turn") {
      this.index(data);
      this.turns.push(data);
      this.texts.endBy(data);
      this.say("turns", [data], true);
      const task = data.result && this.tasks.get(data.task_id);
      if (task && !isOpen(task)) this.say("task", task); // its result came with the outcome turn
    } else if (name === "task") {
      this.applyReport(data.task_id); // it came before this event
      this.say("task", this.keep(data));
    }
    return true;
  }

  /** Refreshes what changes without a number: progress that was reported during an outage. */
  async refreshTasks() {
    this.fresh.clear();
    this.texts.load().catch(() => {});
    const { tasks } = await get("v1/tasks/active");
    for (const task of tasks) {
      const known = this.tasks.get(task.task_id);
      // progress reported while the request ran is newer than its answer
      if (known && isOpen(known) && !this.fresh.has(task.task_id) && attemptOf(known) === attemptOf(task))
        for (const part of REPORTED) known[part] = task[part];
      this.say("task", this.keep(task));
    }
  }

  /** Progress has no number; of several reports in a short time only the latest counts. */
  progress(report) {
    this.reported.set(report.task_id, { ...this.reported.get(report.task_id), ...report });
    this.fresh.add(report.task_id);
    this.telling ??= setTimeout(() => this.tellProgress(), PROGRESS_MS);
  }

  tellProgress() {
    this.telling = null;
    for (const id of [...this.reported.keys()]) {
      const task = this.applyReport(id);
      if (task) this.say("task", task);
    }
  }

  /** Applies what was reported of a task and not told yet; the task, if it is open. */
  applyReport(taskId) {
    const [report, task] = [this.reported.get(taskId), this.tasks.get(taskId)];
    this.reported.delete(taskId);
    if (!report || !task || !isOpen(task)) return null;
    const news = Object.fromEntries(REPORTED.filter((part) => part in report).map((part) => [part, report[part]]));
    Object.assign(task, news);
    task.work = nextWork(task, task, serverNow());
    return task;
  }

  /** Stores a task's state; an older state never replaces a newer one. */
  keep(task) {
    const known = this.tasks.get(task.task_id);
    if (known && !isOpen(known)) known.followed_by ??= task.followed_by; // lists do not have it
    if (known && (!isOpen(known) || isOlder(task, known))) return known;
    const kept = { ...task };
    for (const part of ["result", "cancel_requested_at"]) kept[part] = task[part] ?? known?.[part];
    if (known && isOpen(task)) {
      kept.percent = known.percent ?? task.percent;
      kept.message = known.message ?? task.message;
      kept.steps = stepsAfter(known, task);
    }
    if (known?.state === kept.state) kept.before ??= known.before; // events have no place in the queue
    kept.waited = hasWaited(known, kept);
    kept.work = nextWork(known, kept, serverNow());
    this.tasks.set(task.task_id, kept);
    return kept;
  }

  index(turn) {
    const { call_id, task_id } = turn;
    if (turn.role === "user" && call_id) this.asked.set(call_id, turn);
    else if (task_id && turn.result) this.ended.set(task_id, turn);
    else if (call_id && !task_id && turn.result) this.answered.set(call_id, turn);
  }

  /** Later calls of the same function with the same parameters, as {times, last}; null if none. */
  ranAgain(turn) {
    const asked = this.asked.get(turn.call_id);
    if (!asked) return null;
    const later = this.turns.filter(
      (one) =>
        one.role === "user" &&
        !one.follows &&
        !one.schedule &&
        one.seq > turn.seq &&
        one.function === asked.function &&
        one.app_id === asked.app_id &&
        paramsOf(one) === paramsOf(asked),
    );
    return later.length ? { times: later.length, last: later.at(-1) } : null;
  }

  /** Tasks without an outcome. */
  open() {
    return [...this.tasks.values()].filter(isOpen).sort(byStart);
  }

  finished() {
    return [...this.tasks.values()].filter((task) => !isOpen(task)).sort((a, b) => byStart(b, a));
  }

  /** The latest task that goes on from an ended one or runs it again, as far as it is loaded; undefined if there is none. */
  followerOf(taskId) {
    return [...this.tasks.values()]
      .filter((task) => task.follows?.task_id === taskId)
      .sort(byStart)
      .at(-1);
  }

  tasksOf(callId) {
    return [...this.tasks.values()].filter((task) => task.call_id === callId).sort(byStart);
  }
}

/** Whether a state is of before the known one: of an earlier attempt, or of the time when a process still ran this one. */
function isOlder(task, known) {
  if (!isOpen(task)) return false;
  const [then, now] = [attemptOf(task), attemptOf(known)];
  return then < now || (then === now && isHeld(task) && !isHeld(known));
}

/** The steps of an open task after a new state: live reports are newer, and a new attempt keeps all steps that are done. */
function stepsAfter(known, task) {
  if (attemptOf(task) === attemptOf(known)) return known.steps ?? task.steps;
  const done = Math.max(known.steps?.done ?? 0, task.steps?.done ?? 0);
  return attemptOf(task) > 1 ? { done, kept: done, current: [] } : task.steps;
}

/** Whether the current attempt of a task went on after a wait that it chose; undefined if that is not known. */
function hasWaited(known, task) {
  if (task.state === "waiting") return true;
  if (!known) return undefined;
  if (!isHeld(known)) return known.waited;
  if (!isHeld(task)) return false; // its process ended
  return attemptOf(known) === attemptOf(task) ? known.waited : undefined;
}

const startOf = ({ created_at: at, task_id: id }) => `${at} ${id}`;
const byStart = (a, b) => (startOf(a) < startOf(b) ? -1 : 1);
