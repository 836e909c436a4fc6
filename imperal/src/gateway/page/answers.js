// Answers that this page gives. Owns sending them, those that wait for the connection, and which questions this page answered. An
// answer that no server took is sent when the connection is back, also if its question is no longer drawn: the same answer
// counts once, so this is safe. It also outlives a reload of the page, unless it holds a secret.

import { isLost } from "./action-error.js";
import { onceReachable, post } from "./api.js";
import { parse, same, write } from "./exact-json.js";
import { kept } from "./secrets.js";

const MOST_OWN = 100; // ids that outlive a reload

export class Answers {
  /**
   * `changed(question)` takes the new state of a question, `stale(task_id)` asks to read it, `told(task_id)` says that what
   * waits, or was refused, has changed. `owner` is the user of the page.
   */
  constructor(owner, { changed, stale, told }) {
    Object.assign(this, { changed, stale, told });
    this.key = `answered:${owner}`;
    this.parkedKey = `parked:${owner}`;
    this.own = new Set(stored(this.key)); // ids of questions that this window answered
    this.seenOpen = new Set(); // ids of questions that were open while this window was
    this.given = new Map(); // question_id -> {answer, stop}: on its way, or parked until the server can be reached
    this.refusals = new Map(); // question_id -> {error, answer}: of one that was parked
    for (const one of stored(this.parkedKey)) {
      if (!one?.question?.question_id) continue; // another program wrote it
      const given = { ...one, stop: null };
      this.given.set(one.question.question_id, given);
      this.park(one.question, given);
    }
  }

  /** Whether the user answered here, or in another place before this window knew of the question. */
  isOwn({ question_id: id, answered_by: by }) {
    return this.own.has(id) || (!this.seenOpen.has(id) && Boolean(by?.startsWith("user:")));
  }

  /** The answer that waits for the connection, as `{answer}`, or undefined. */
  parked(id) {
    const given = this.given.get(id);
    return given?.stop ? given : undefined;
  }

  /**
   * Answers a question. The first answer counts: when there is another one, the question's new state comes instead. Rejects with
   * an ApiError when it was refused.
   */
  async send(question, answer) {
    const { task_id: taskId, question_id: id } = question;
    // An answer that waited stays stored until the server has taken or refused it: the page may be closed before.
    const before = this.parked(id);
    before?.stop();
    this.refusals.delete(id);
    const waited = Boolean(before && same(before.answer, answer));
    const given = { answer, stop: null, question, waited };
    this.given.set(id, given);
    if (before && !waited) this.keepParked();
    try {
      const path = `v1/tasks/${encodeURIComponent(taskId)}/answer`;
      const { question: after } = await post(path, { question_id: id, answer });
      this.drop(id);
      this.claim(id);
      this.changed(after);
    } catch (error) {
      if (isUndecided(error)) return this.park(question, given);
      this.drop(id);
      if (error.code !== "QUESTION_CLOSED") throw error;
      if (error.body?.question) this.changed(error.body.question);
      else this.stale(taskId);
    }
  }

  /** Nothing answered: the answer may or may not be stored. */
  park(question, given) {
    const { task_id: taskId, question_id: id } = question;
    if (this.given.get(id) !== given) return; // the question has its end meanwhile
    given.stop = onceReachable(() =>
      this.send(question, given.answer).catch((error) => {
        this.refusals.set(id, { error, answer: given.answer });
        this.told(taskId);
      }),
    );
    this.keepParked();
    this.told(taskId);
  }

  /** An answer is no longer on its way. */
  drop(id) {
    this.given.delete(id);
    this.keepParked();
  }

  keepParked() {
    const parked = [...this.given.values()].filter(({ stop, waited, answer, question: { schema } }) => {
      return (stop || waited) && (!schema || same(kept(answer, schema), answer));
    });
    const reduced = parked.map(({ answer, question: { task_id, question_id } }) => ({
      question: { task_id, question_id },
      answer,
    }));
    save(this.parkedKey, reduced);
  }

  /** Takes back an answer that waits for the connection. */
  unpark(id) {
    this.refusals.delete(id);
    this.parked(id)?.stop();
    if (this.parked(id)) this.drop(id);
  }

  /** Why an answer was refused that had waited, as `{error, answer}`; once. */
  takeRefusal(id) {
    const refusal = this.refusals.get(id);
    this.refusals.delete(id);
    return refusal;
  }

  /** A question has its end, perhaps by an answer of this page whose response is still to come. */
  closed({ question_id: id, answer, answered_by: by }) {
    const given = this.given.get(id);
    if (!given) return;
    if (by?.startsWith("user:") && same(answer, given.answer)) this.claim(id);
    given.stop?.();
    this.drop(id);
    this.refusals.delete(id);
  }

  claim(id) {
    this.own.add(id);
    save(this.key, [...this.own].slice(-MOST_OWN));
  }
}

/** Whether the same answer may be taken later: nothing answered, the session has ended, or the server takes nothing now. */
const isUndecided = (error) => isLost(error) || error.status === 401 || error.status === 503;

function save(key, all) {
  try {
    if (all.length) sessionStorage.setItem(key, write(all));
    else sessionStorage.removeItem(key);
  } catch {
    // storage is blocked or full: the page knows them until it is closed
  }
}

function stored(key) {
  try {
    const all = parse(sessionStorage.getItem(key), true);
    return Array.isArray(all) ? all : [];
  } catch {
    return []; // storage is blocked, or another program wrote it
  }
}
