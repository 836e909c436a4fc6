// The words for the end of a task: at which step it failed, why, and how long it took. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { endedWords, endStepWords, failureWords, spokenEnd } from "../../imperal/src/gateway/page/end-words.js";
import { taskOf } from "../../imperal/src/gateway/page/task-link.js";

const at = (second) => new Date(second * 1000).toISOString();
const task = (over) => ({
  durable: true,
  state: "failed",
  created_at: at(0),
  finished_at: at(72),
  attempt: 1,
  ...over,
});

test("a task that failed at a step names it, and one that failed otherwise does not", () => {
  const failed = { number: 3, name: "Charge the card", tries: 5 };
  assert.equal(endStepWords(task({ steps: { done: 2, failed } })), "at step 3, Charge the card");
  assert.equal(endStepWords(task({ steps: { done: 2 } })), "", "between two steps");
  assert.equal(endStepWords(task({ state: "succeeded", steps: { done: 2, failed } })), "");
  const cut = { done: 2, current: [{ name: "Ship", since: at(1) }] };
  assert.equal(endStepWords(task({ state: "timed_out", steps: cut })), "at step 3, Ship", "the time limit cut it off");
  assert.equal(endStepWords(task({ state: "cancelled", steps: cut })), "");
  assert.equal(
    endedWords("Failed", task({ steps: { done: 2, failed } })),
    "Failed at step 3, Charge the card, within 1:12",
  );
  assert.equal(endedWords("Succeeded", task({ state: "succeeded" })), "Succeeded within 1:12");
});

test("the reason of a failure has the number of attempts", () => {
  const steps = { done: 2, failed: { number: 3, name: "Charge the card", tries: 5 } };
  assert.equal(failureWords(task({ steps }), "The card has **expired**"), "The card has expired. 5 attempts.");
  assert.equal(failureWords(task({ steps: { done: 2 } }), "No."), "No.");
  assert.equal(failureWords(task({ steps }), ""), "5 attempts.");
});

test("the time that a task took is said in words, and as work only if it was", () => {
  assert.equal(spokenEnd(task({ durable: false, state: "succeeded" })), "after 1 minute 12 seconds");
  assert.equal(spokenEnd(task({ finished_at: at(7200) })), "within 2 hours");
  assert.equal(spokenEnd(task({ durable: false, finished_at: at(1) })), "after 1 second");
  assert.equal(spokenEnd(task({ finished_at: undefined })), "");
});

test("an address that names no task opens none", () => {
  assert.equal(taskOf("#task=01a2"), "01a2");
  for (const other of ["", "#studio/ping", "#task=", "#task=%"]) assert.equal(taskOf(other), null);
});
