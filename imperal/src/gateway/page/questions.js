// The questions of the user's tasks. Owns when they are read: once for each change of a task's number of open questions, never
// for a task that asks nothing. Owns sending an answer, and which answers this page gave. How a question looks is
// question-view.js; what a person still types is its form's.

import { isLost } from "./action-error.js";
import { get, onceReachable, post } from "./api.js";
import { isOpen } from "./task-words.js";

const AGAIN_MS = 3000; // after a failure of the server

const pathOf = (taskId, what) => `v1/tasks/${encodeURIComponent(taskId)}/${what}`;

/** The number of open questions that a task's state tells of. */
export const openCount = (task) => (isOpen(task) ? (task.open_questions ?? 0) : 0);

export class Questions {
  /**
   * Says `questions` (task, those that are new, whether they came while the page was open) in the store when what is known of a
   * task's questions has changed.
   */
  constructor(store) {
    this.store = store;
    this.known = new Map(); // task_id -> its questions, in the order in which they were asked
    this.counts = new Map(); // task_id -> the open questions that its state told of when they were read
    this.reading = new Map(); // task_id -> whether to read again after the current request
    this.own = new Set(); // ids of questions that this page answered
    this.early = new Set(); // tasks that asked when the store was loaded, and whose questions are not read yet
    store.on("task", (task) => this.check(task));
    store.on("turns", (_, live) => live || this.loaded());
  }

  /** The store was loaded from the ledger: what was read before may be old. */
  loaded() {
    this.counts.clear();
    const ids = new Set([...this.known.keys(), ...this.store.open().map((task) => task.task_id)]);
    for (const id of ids) if (this.store.tasks.has(id)) this.check(this.store.tasks.get(id));
    for (const id of this.reading.keys()) this.early.add(id);
  }

  check(task) {
    const count = openCount(task);
    const before = this.counts.get(task.task_id);
    if (count === (before ?? 0) && (before !== undefined || !this.openOf(task.task_id).length)) return;
    this.counts.set(task.task_id, count);
    this.read(task.task_id);
  }

  /** Reads the questions of a task; a change meanwhile reads them again. */
  async read(taskId) {
    if (this.reading.has(taskId)) return this.reading.set(taskId, true);
    this.reading.set(taskId, false);
    try {
      do {
        this.reading.set(taskId, false);
        this.put(taskId, (await get(pathOf(taskId, "questions"))).questions);
      } while (this.reading.get(taskId));
    } catch (error) {
      this.counts.delete(taskId); // the next state of the task asks again
      if (isLost(error)) onceReachable(() => this.retry(taskId));
      else if (error.status >= 500) setTimeout(() => this.retry(taskId), AGAIN_MS);
    } finally {
      this.reading.delete(taskId);
    }
  }

  retry(taskId) {
    const task = this.store.tasks.get(taskId);
    if (task) this.check(task);
  }

  put(taskId, questions) {
    const before = new Set(this.of(taskId).map((one) => one.question_id));
    this.known.set(taskId, questions);
    const task = this.store.tasks.get(taskId);
    const fresh = questions.filter((one) => one.state === "open" && !before.has(one.question_id));
    if (task) this.store.say("questions", task, fresh, !this.early.delete(taskId));
  }

  of(taskId) {
    return this.known.get(taskId) ?? [];
  }

  openOf(taskId) {
    return this.of(taskId).filter((one) => one.state === "open");
  }

  /** All open questions, the oldest first, as `{task, question}`. */
  open() {
    const asked = this.store
      .open()
      .flatMap((task) => this.openOf(task.task_id).map((question) => ({ task, question })));
    return asked.sort((a, b) => (a.question.asked_at < b.question.asked_at ? -1 : 1));
  }

  /**
   * Answers a question. The first answer counts: when there is another one, the question's new state comes instead. The same
   * answer can be sent again. Rejects with an ApiError when it was refused or nothing answered.
   */
  async answer({ task_id: taskId, question_id: id }, answer) {
    try {
      const { question } = await post(pathOf(taskId, "answer"), { question_id: id, answer });
      this.own.add(id);
      const known = this.of(taskId);
      this.put(
        taskId,
        known.map((one) => (one.question_id === id ? question : one)),
      );
    } catch (error) {
      if (error.code !== "QUESTION_CLOSED") throw error;
      await this.read(taskId);
    }
  }
}
