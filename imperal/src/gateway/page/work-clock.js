// How long a task was worked on. Time in which no process ran a durable task is no work: the clock of such a task is the time of
// its ended attempts and of the current one. A pure function of the task's states as the page hears of them, and of its stored
// steps; what is unknown stays null. Draws nothing and reads no clock.

const CAP_MS = { true: 1_800_000, false: 180_000 }; // long-running or not, unless the program sets others
const ROUGHLY_MS = 5000;

/** Which run of its body a task is in: 0 before the first one. */
export const attemptOf = (task) => task.attempt ?? 1;

/** Whether a process runs it. */
export const isHeld = (task) => task.state === "running";

/** When the process that ran the latest attempt was last known to be alive, if that attempt was cut off; else null. */
export const interruptedAt = (task) => (task.interrupted_at ? Date.parse(task.interrupted_at) : null);

/**
 * The work of a task after news of it, as `{attempt, from, before, heard}`: the current attempt runs since `from`, earlier ones
 * took `before` milliseconds. `known` is the task as it was, with its `work`; `now` is the server's time.
 */
export function nextWork(known, task, now) {
  const attempt = attemptOf(task);
  if (!known) return { ...firstSight(task, attempt), attempt, heard: now };
  const work = { ...known.work, heard: now };
  if (attempt === work.attempt && isHeld(task) === isHeld(known)) return refined(work, task);
  const ran = attempt > work.attempt || !isHeld(task) ? soFar(known, interruptedAt(task)) : work.before;
  if (!isHeld(task)) return { ...work, attempt, from: null, before: ran };
  return refined({ ...work, attempt, from: now, before: ran }, task);
}

/** Work that the page sees for the first time. */
function firstSight(task, attempt) {
  const began = Date.parse(task.created_at);
  if (attempt === 0) return { from: null, before: 0 };
  if (attempt > 1) return refined({ from: null, before: null }, task);
  if (!isHeld(task)) {
    const until = interruptedAt(task);
    return { from: null, before: until === null || task.durable ? null : Math.max(0, until - began) };
  }
  // A durable task may have waited for a slot before its first attempt: its deadline is then later than its cap.
  const waited = Date.parse(task.deadline_at) - began - CAP_MS[Boolean(task.long_running)] > ROUGHLY_MS;
  return task.durable && waited ? refined({ from: null, before: 0 }, task) : { from: began, before: 0 };
}

/**
 * While a new attempt is at its first step, that step began with it. A later step that began before the page heard of the attempt
 * shows that the page missed its beginning: the stored steps know it.
 */
function refined(work, task) {
  const { done, kept = 0, current = [] } = task.steps ?? {};
  if (!isHeld(task) || !current.length) return work;
  const since = Math.min(...current.map((step) => Date.parse(step.since)));
  if (done !== kept) return work.from !== null && since < work.from ? { ...work, from: null } : work;
  return { ...work, from: work.from === null ? since : Math.min(work.from, since) };
}

/**
 * The work of a task that no process runs any more: until its process was last known to be alive, or else until it was heard of
 * last, as the platform counts it too.
 */
function soFar({ work, state }, interrupted) {
  if (work.before === null) return null;
  if (state !== "running") return work.before;
  return work.from === null ? null : work.before + Math.max(0, (interrupted ?? work.heard) - work.from);
}

/**
 * The earliest end of a durable task's running time, or null without one. Short sleeps put it off: a step reports by how much, so
 * that between two steps it is not known, and null as well.
 */
export function limitAt(task) {
  if (!task.deadline_at || !task.steps?.current?.length) return null;
  return Date.parse(task.deadline_at) + (task.steps.waited_ms ?? 0);
}

/**
 * The same with what all stored steps say: an attempt lasted from its first step to the end of its last one, or, if it was cut
 * off, until its process was last known to be alive. A question's row ends with its answer, which may come hours after the
 * attempt.
 */
export function workFromSteps(task, steps) {
  const spans = new Map();
  for (const { attempt, kind, began_at: began, done_at } of steps) {
    if (attempt === 0) continue; // kept from the task that it goes on from
    const [from, to] = spans.get(attempt) ?? [Infinity, -Infinity];
    const done = kind === "question" ? began : done_at;
    spans.set(attempt, [Math.min(from, Date.parse(began)), Math.max(to, Date.parse(done))]);
  }
  const { work } = task;
  const [until, latest] = [interruptedAt(task), spans.get(attemptOf(task))];
  if (!isHeld(task) && until !== null && !latest) return work; // it stored no step
  if (until !== null) latest[1] = Math.max(latest[1], until);
  const own = isHeld(task) ? spans.get(work.attempt) : undefined;
  if (own) spans.delete(work.attempt);
  const before = [...spans.values()].reduce((sum, [from, to]) => sum + to - from, 0);
  return { ...work, before: work.before ?? before, from: work.from ?? own?.[0] ?? null };
}

/** Milliseconds of work until now, or null if that is not known. */
export function worked(task, now) {
  const { before, from } = task.work;
  if (before === null || (isHeld(task) && from === null)) return null;
  return before + (isHeld(task) ? Math.max(0, Math.min(now, interruptedAt(task) ?? now) - from) : 0);
}
