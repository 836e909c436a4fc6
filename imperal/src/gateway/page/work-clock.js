// How long a task was worked on. Time in which no process ran a durable task is no work: the clock of such a task is the time of
// its ended attempts and of the current one. A pure function of the task's states as the page hears of them, and of its stored
// steps; what is unknown stays null. Draws nothing and reads no clock.

const CAP_MS = { true: 1_800_000, false: 180_000 }; // long-running or not, unless the program sets others
const ROUGHLY_MS = 5000;

/** Which run of its body a task is in: 0 before the first one. */
export const attemptOf = (task) => task.attempt ?? 1;

/** Whether a process runs it. */
export const isHeld = (task) => task.state === "running";

/**
 * The work of a task after news of it, as `{attempt, from, before, heard}`: the current attempt runs since `from`, earlier ones
 * took `before` milliseconds. `known` is the task as it was, with its `work`; `now` is the server's time.
 */
export function nextWork(known, task, now) {
  const attempt = attemptOf(task);
  if (!known) return { ...firstSight(task, attempt), attempt, heard: now };
  const work = { ...known.work, heard: now };
  if (attempt === work.attempt && isHeld(task) === isHeld(known)) return refined(work, task);
  const ran = attempt > work.attempt || !isHeld(task) ? soFar(known) : work.before;
  if (!isHeld(task)) return { ...work, attempt, from: null, before: ran };
  return refined({ ...work, attempt, from: now, before: ran }, task);
}

/** Work that the page sees for the first time. */
function firstSight(task, attempt) {
  const began = Date.parse(task.created_at);
  if (attempt === 0) return { from: null, before: 0 };
  if (attempt > 1) return refined({ from: null, before: null }, task);
  if (!isHeld(task)) return { from: null, before: null };
  // A durable task may have waited for a slot before its first attempt: its deadline is then later than its cap.
  const waited = Date.parse(task.deadline_at) - began - CAP_MS[Boolean(task.long_running)] > ROUGHLY_MS;
  return task.durable && waited ? refined({ from: null, before: 0 }, task) : { from: began, before: 0 };
}

/** While a new attempt is at its first step, that step began with it. */
function refined(work, task) {
  const { done, kept = 0, current = [] } = task.steps ?? {};
  if (!isHeld(task) || !current.length || done !== kept) return work;
  const since = Math.min(...current.map((step) => Date.parse(step.since)));
  return { ...work, from: work.from === null ? since : Math.min(work.from, since) };
}

/** The work of a task that no process runs any more: until it was heard of last, as the platform counts it too. */
function soFar({ work, state }) {
  if (work.before === null) return null;
  if (state !== "running") return work.before;
  return work.from === null ? null : work.before + Math.max(0, work.heard - work.from);
}

/** The same with what all stored steps say: an attempt lasted from its first step to the end of its last one. */
export function workFromSteps(task, steps) {
  const spans = new Map();
  for (const { attempt, began_at: began, done_at: done } of steps) {
    const [from, to] = spans.get(attempt) ?? [Infinity, -Infinity];
    spans.set(attempt, [Math.min(from, Date.parse(began)), Math.max(to, Date.parse(done))]);
  }
  const { work } = task;
  const own = isHeld(task) ? spans.get(work.attempt) : undefined;
  if (own) spans.delete(work.attempt);
  const before = [...spans.values()].reduce((sum, [from, to]) => sum + to - from, 0);
  return { ...work, before: work.before ?? before, from: work.from ?? own?.[0] ?? null };
}

/** Milliseconds of work until now, or null if that is not known. */
export function worked(task, now) {
  const { before, from } = task.work;
  if (before === null || (isHeld(task) && from === null)) return null;
  return before + (isHeld(task) ? Math.max(0, now - from) : 0);
}
