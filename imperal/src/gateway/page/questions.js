// The questions of the user's tasks, as far as the page knows them. Owns when they are read: once for each change of a task's
// number of open questions, and once for a durable task that the page has loaded and that is on the screen. How many
// requests run at a time and when a failed one is repeated is question-reader.js, sending an answer answers.js. How a question
// looks is question-view.js.

import { Answers } from "./answers.js";
import { QuestionReader } from "./question-reader.js";
import { isOpen } from "./task-words.js";
import { attemptOf } from "./work-clock.js";

/** The number of open questions that a task's state tells of. */
export const openCount = (task) => (isOpen(task) ? (task.open_questions ?? 0) : 0);

export class Questions {
  /**
   * Says `questions` (task, those that are new, whether they came while the page was open) in the store when what is known of a
   * task's questions has changed. `owner` is the user of the page.
   */
  constructor(store, owner) {
    this.store = store;
    this.known = new Map(); // task_id -> its questions, in the order in which they were asked
    this.counts = new Map(); // task_id -> the open questions that its state told of when they were read
    this.early = new Set(); // tasks that asked when the store was loaded, and whose questions are not read yet
    this.old = new Set(); // tasks that were there when the store was loaded: their answered questions are not known
    this.reader = new QuestionReader({
      wanted: (taskId) => isOpen(store.tasks.get(taskId) ?? {}),
      read: (taskId, questions) => this.put(taskId, questions),
      lost: (taskId) => this.ended(taskId),
    });
    this.answers = new Answers(owner, {
      changed: (question) => this.change(question),
      stale: (taskId) => this.reader.read(taskId),
      told: (taskId) => store.tasks.has(taskId) && store.say("questions", store.tasks.get(taskId), [], false),
    });
    store.on("task", (task) => this.check(task));
    store.on("turns", (_, live) => live || this.loaded());
  }

  /** The store was loaded from the ledger: what was read before may be old. */
  loaded() {
    this.counts.clear();
    this.old = new Set(this.store.tasks.keys());
    const ids = new Set([...this.known.keys(), ...this.store.open().map((task) => task.task_id)]);
    for (const id of ids) if (this.store.tasks.has(id)) this.check(this.store.tasks.get(id));
    for (const id of this.reader.waiting()) this.early.add(id);
  }

  check(task) {
    const count = openCount(task);
    const before = this.counts.get(task.task_id);
    if (count === (before ?? 0) && (before !== undefined || !this.openOf(task.task_id).length)) return;
    this.counts.set(task.task_id, count);
    this.reader.read(task.task_id);
  }

  /** An open task is on the screen: reads its answered questions, unless the page saw all of them. */
  want(task) {
    const { task_id: taskId, durable } = task;
    if (durable && isOpen(task) && attemptOf(task) > 0 && this.old.delete(taskId)) this.readOnce(taskId);
  }

  readOnce(taskId) {
    if (!this.known.has(taskId) && !this.reader.reads(taskId)) this.reader.read(taskId);
  }

  put(taskId, questions) {
    this.old.delete(taskId);
    const before = new Set(this.of(taskId).map((one) => one.question_id));
    this.known.set(taskId, questions);
    const task = this.store.tasks.get(taskId);
    const fresh = questions.filter((one) => one.state === "open" && !before.has(one.question_id));
    for (const one of questions)
      if (one.state === "open") this.answers.seenOpen.add(one.question_id);
      else this.answers.closed(one);
    if (task) this.store.say("questions", task, fresh, !this.early.delete(taskId));
  }

  /** The new state of one question. */
  change(question) {
    const { task_id: taskId, question_id: id } = question;
    this.put(
      taskId,
      this.of(taskId).map((one) => (one.question_id === id ? question : one)),
    );
  }

  /** The outcomes of an ended task's questions could not be read: the open ones count as withdrawn. */
  ended(taskId) {
    if (!this.openOf(taskId).length) return;
    this.put(
      taskId,
      this.of(taskId).map((one) => (one.state === "open" ? { ...one, state: "withdrawn" } : one)),
    );
  }

  /** Whether a question still waits for an answer, as far as the page knows. */
  isAsked({ task_id: taskId, question_id: id }) {
    return isOpen(this.store.tasks.get(taskId) ?? {}) && this.openOf(taskId).some((one) => one.question_id === id);
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
}
