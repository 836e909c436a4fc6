// How a task ended and when, in words. Time in which no process ran it is no work: it is named as what it is, or, where only the
// whole time is known, the words say "within". Pure functions of a task as the store has it; draws nothing.

import { shortened } from "./cut-text.js";
import { count, longDuration, spanWords } from "./format.js";
import { plainWords } from "./plain-words.js";
import { interruptedAt, worked } from "./work-clock.js";

const SHORT_MS = 1000; // a gap of less is not worth a word
const REASON = 200; // characters of the reason of a failure

/** Milliseconds in which no process has run a task whose process was lost, until its end or `now`; null for other tasks. */
export function idleFor(task, now) {
  const at = interruptedAt(task);
  return at === null ? null : Math.max(0, (task.finished_at ? Date.parse(task.finished_at) : now) - at);
}

/**
 * `after 12 s`; `within 12 s` if a part of that may have been no work; `ran 1.0 s, then no process for 10 s`. A durable task may
 * have waited for a slot, or have been parked, in its only attempt.
 */
export function endedWhen(task) {
  const [from, until] = [Date.parse(task.created_at), Date.parse(task.finished_at)];
  const idle = idleFor(task, until);
  if (idle === null) {
    const hasGaps = task.durable || task.state === "reclaimed";
    return `${hasGaps ? "within" : "after"} ${spanWords(until - from)}`;
  }
  const work = worked(task, until);
  const ran = work === null ? `within ${spanWords(interruptedAt(task) - from)}` : spanWords(work);
  return `ran ${ran}${idle < SHORT_MS ? "" : `, then no process for ${spanWords(idle)}`}`;
}

/**
 * The same after the word for the end: `Succeeded after 12 s`, `Interrupted: ran 1.0 s, then no process for 10 s`, `Failed at step 3,
 * Charge the card, within 41 s`.
 */
export function endedWords(word, task) {
  const step = endStepWords(task);
  const what = [word, step].filter(Boolean).join(" ");
  if (!task.finished_at) return what;
  return `${what}${interruptedAt(task) !== null ? ":" : step ? "," : ""} ${endedWhen(task)}`;
}

/**
 * The step at which a task failed, as `{number, name, tries}`: one that returned an error, or that a panic or the time limit cut
 * off. Null for a task that ended otherwise, or between two steps.
 */
export function endStep(task) {
  if (!task.durable || !["failed", "timed_out"].includes(task.state)) return null;
  const { failed, current = [], done = 0 } = task.steps ?? {};
  if (failed) return task.state === "failed" ? failed : null;
  const [cut] = current;
  return cut ? { number: done + 1, name: cut.name, tries: cut.attempt ?? 1 } : null;
}

/** `at step 3, Charge the card`; empty if that is not known. */
export function endStepWords(task) {
  const step = endStep(task);
  return step ? `at step ${step.number}, ${step.name}` : "";
}

/** The reason of a failure, with the number of attempts at its step: `The card has expired. 5 attempts.` */
export function failureWords(task, text) {
  const tries = endStep(task)?.tries ?? 1;
  const line = shortened(plainWords(text), REASON);
  const all = tries > 1 ? [/[.!?…]$/.test(line) || !line ? line : `${line}.`, `${count(tries, "attempt")}.`] : [line];
  return all.filter(Boolean).join(" ");
}

/**
 * How long a task took, for screen readers: `after 1 minute 12 seconds`, or `within ..` if a part of that may have been no work.
 * Empty without its times.
 */
export function spokenEnd({ created_at: from, finished_at: to, durable, state }) {
  if (!from || !to) return "";
  const hasGaps = durable || state === "reclaimed";
  return `${hasGaps ? "within" : "after"} ${longDuration(Date.parse(to) - Date.parse(from))}`;
}
