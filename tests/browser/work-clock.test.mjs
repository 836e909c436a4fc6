// The time of work of a task, from its states and its stored steps. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { limitAt, nextWork, worked, workFromSteps } from "../../imperal/src/gateway/page/work-clock.js";

const S = 1000;
const iso = (seconds) => new Date(seconds * S).toISOString();

/** A durable task that starts at 0 and whose time limit is after 180 s of work. */
const task = (over) => ({
  durable: true,
  long_running: false,
  state: "running",
  created_at: iso(0),
  deadline_at: iso(180),
  ...over,
});
const QUEUED = { state: "queued", waits_for: "process", deadline_at: undefined };

/** The seconds of work at `now` after `[seconds, state of the task]`, in their order. */
function after(news, now) {
  let known;
  for (const [at, one] of news) known = { ...one, work: nextWork(known, one, at * S) };
  const ms = worked(known, now * S);
  return ms === null ? null : ms / S;
}

test("a first attempt works from its start on", () => {
  assert.equal(after([[5, task()]], 40), 40);
});

test("time without a process is not counted, whether its end was seen or not", () => {
  const released = [
    [5, task()],
    [30, task({ steps: { done: 1 } })],
    [30, task(QUEUED)],
  ];
  assert.equal(after(released, 500), 30, "it stands still");
  assert.equal(after([...released, [400, task({ attempt: 2 })]], 410), 40);
  const crashed = [
    [5, task()],
    [30, task({ steps: { done: 1 } })],
    [400, task({ attempt: 2 })],
  ];
  assert.equal(after(crashed, 410), 40, "until it was heard of last");
});

test("an attempt that began while the page was cut off is measured by its stored steps", () => {
  const steps = (done, since) => ({ done, kept: 2, current: [{ name: "next", since: iso(since) }] });
  let known;
  for (const [at, one] of [
    [5, task()],
    [30, task({ steps: { done: 2 } })],
    [400, task({ attempt: 2 })],
    [401, task({ attempt: 2, steps: steps(3, 398) })],
  ])
    known = { ...one, work: nextWork(known, one, at * S) };
  assert.equal(worked(known, 405 * S), null, "it began before 400, and the page does not know when");
  const row = (attempt, from, to) => ({ kind: "step", attempt, began_at: iso(from), done_at: iso(to) });
  known.work = workFromSteps(known, [row(1, 0, 15), row(1, 15, 29), row(2, 390, 398)]);
  assert.equal(worked(known, 405 * S), 45 * S, "30 before the cut, and 15 since 390");
});

test("a wait for a slot before the first attempt is no work", () => {
  const slot = task({ ...QUEUED, attempt: 0 });
  assert.equal(after([[5, slot]], 100), 0);
  assert.equal(
    after(
      [
        [5, slot],
        [100, task({ deadline_at: iso(280) })],
      ],
      110,
    ),
    10,
  );
  assert.equal(after([[150, task({ deadline_at: iso(280) })]], 160), null, "not seen: unknown");
  const first = { done: 0, current: [{ name: "a", since: iso(100) }] };
  assert.equal(after([[150, task({ deadline_at: iso(280), steps: first })]], 160), 60, "its first step began with it");
});

test("the first step of an attempt says when the attempt began", () => {
  const steps = { done: 2, kept: 2, current: [{ name: "a", since: iso(395) }] };
  const news = [
    [5, task()],
    [30, task()],
    [400, task({ attempt: 2 })],
    [401, task({ attempt: 2, steps })],
  ];
  assert.equal(after(news, 410), 45);
});

test("the stored steps tell what the page has not seen", () => {
  const one = task({ attempt: 3 });
  one.work = nextWork(undefined, one, 1000 * S);
  assert.equal(worked(one, 1000 * S), null);
  const step = (attempt, from, to) => ({ attempt, began_at: iso(from), done_at: iso(to) });
  one.work = workFromSteps(one, [step(1, 0, 10), step(1, 10, 20), step(2, 100, 105), step(3, 990, 995)]);
  assert.equal(worked(one, 1000 * S), (20 + 5 + 10) * S);
});

test("the wait for an answer is no work, although the answer is the end of its row", () => {
  const one = task({ attempt: 2 });
  one.work = nextWork(undefined, one, 9000 * S);
  const row = (attempt, kind, from, to) => ({ attempt, kind, began_at: iso(from), done_at: iso(to) });
  one.work = workFromSteps(one, [row(1, "step", 0, 10), row(1, "question", 12, 8000), row(2, "step", 8990, 8995)]);
  assert.equal(worked(one, 9000 * S), (12 + 10) * S);
});

test("the time limit moves with short sleeps, and is not known between two steps", () => {
  const steps = { done: 3, current: [{ name: "a", since: iso(200) }], waited_ms: 59 * S };
  assert.equal(limitAt(task({ steps })), (180 + 59) * S);
  assert.equal(limitAt(task({ steps: { ...steps, waited_ms: undefined } })), 180 * S);
  assert.equal(limitAt(task({ steps: { ...steps, current: undefined } })), null);
  assert.equal(limitAt(task({ steps, deadline_at: undefined })), null);
});
