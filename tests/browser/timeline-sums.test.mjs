// How the timeline sums up work, waits and time without a process. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sums } from "../../imperal/src/gateway/page/timeline-words.js";

const S = 1000;
const iso = (seconds) => new Date(seconds * S).toISOString();

const began = (at) => ({ kind: "attempt_began", at: iso(at) });
const ended = (at) => ({ kind: "attempt_ended", at: iso(at) });
const sleep = (at, until) => ({ kind: "sleep", at: iso(at), until: iso(until) });
const step = (from, to) => ({ kind: "step", step_kind: "step", began_at: iso(from), done_at: iso(to) });

/** The seconds of work and of waits. */
function seconds(entries, now = 1000) {
  const { work, wait } = sums(entries, now * S);
  return [work / S, wait / S];
}

test("a sleep in the process is a wait", () => {
  assert.deepEqual(seconds([began(0), step(0, 10), sleep(10, 60), step(60, 70), ended(100)]), [50, 50]);
});

test("sleeps that overlap count once, and a step that runs beside them is work", () => {
  const entries = [began(0), sleep(10, 60), sleep(20, 50), step(30, 80), ended(100)];
  assert.deepEqual(seconds(entries), [80, 20]);
});

test("a sleep counts only as far as its attempt goes, and of the current one up to now", () => {
  const parked = { kind: "unattended", from: iso(20), to: iso(500), why: "wait" };
  assert.deepEqual(seconds([began(0), sleep(20, 500), ended(20), parked, began(500), ended(510)]), [30, 480]);
  assert.deepEqual(seconds([began(0), step(0, 10), sleep(10, 59)], 40), [10, 30]);
  const running = { kind: "running", since: iso(20) };
  assert.deepEqual(seconds([began(0), sleep(10, 59), running], 40), [30, 10]);
});

test("a sleep whose end is no longer kept is work", () => {
  assert.deepEqual(seconds([began(0), { kind: "sleep", at: iso(10) }, ended(100)]), [100, 0]);
});
