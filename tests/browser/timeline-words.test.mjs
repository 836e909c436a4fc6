// The words of timelines and of ends of tasks, from what the API says. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { endedWhen } from "../../imperal/src/gateway/page/end-words.js";
import { rowsOf, sums, sumWords } from "../../imperal/src/gateway/page/timeline-words.js";

const at = (second) => new Date(second * 1000).toISOString();
const NOW = 1000 * 1000;
const read = (entries) => rowsOf(entries, { task: {}, now: NOW }).map(({ name, note }) => [name, note].filter(Boolean));

test("a durable task ended within its time, because it may have waited in its only attempt", () => {
  const ended = (over) => endedWhen({ state: "cancelled", created_at: at(0), finished_at: at(42), ...over });
  assert.equal(ended({ durable: true, attempt: 1 }), "within 42 s");
  assert.equal(ended({}), "after 42 s");
  assert.equal(ended({ state: "reclaimed" }), "within 42 s");
});

test("time without a process has the words of its reason", () => {
  const gap = (why, to) => ({ kind: "unattended", from: at(0), ...(to ? { to: at(to) } : {}), why });
  const parked = { kind: "attempt_ended", at: at(0), attempt: 1, by: "parked" };
  assert.deepEqual(read([parked, gap("wait", 60), { ...gap("process", 600), from: at(60) }]), [
    ["Waited"],
    ["No process ran it"],
  ]);
  assert.deepEqual(
    ["retry", "slot", "paused", "version", "process"].map((why) => read([gap(why)])[0][0]),
    [
      "Waits for the time of its next attempt",
      "Waits for the end of another task",
      "Paused by an operator",
      "No fitting program runs",
      "No process runs it",
    ],
  );
});

test("a row that is no step is not drawn as work", () => {
  const row = { kind: "step", step_kind: "question", ordinal: 1, name: "mug", began_at: at(0), done_at: at(500_000) };
  const [{ bar, from, word }] = rowsOf([row], { task: {}, now: NOW });
  assert.deepEqual({ bar, from, word }, { bar: undefined, from: undefined, word: "question" });
});

test("sums say that they leave out attempts that are not listed", () => {
  const began = (attempt, second) => ({ kind: "attempt_began", at: at(second), attempt, node: "a", program: "" });
  const ended = { kind: "attempt_ended", at: at(5), attempt: 16, by: "crashed" };
  const entries = [began(16, 0), ended, { kind: "left_out", from: 17, to: 59 }, began(60, 996)];
  assert.equal(sumWords(sums(entries, NOW)), "Worked 9.0 s · without the attempts that are not listed");
});

test("a question that is answered is not shown as open, wherever that was read first", () => {
  const entry = {
    kind: "question",
    question_id: "q1",
    ordinal: 1,
    name: "mug",
    text: "Ship it?",
    state: "open",
    asked_at: at(10),
    until: at(5000),
  };
  const answer = { state: "answered", answer: true, answered_by: "user:dev", answered_at: at(70) };
  const rows = (one, other) =>
    rowsOf([{ ...entry, ...one }], {
      task: {},
      questions: [{ ...entry, schema: { type: "boolean" }, ...other }],
      now: NOW,
    });
  for (const [{ to, tone, note }] of [rows({}, answer), rows(answer, {})]) {
    assert.deepEqual({ to, tone }, { to: at(70), tone: undefined });
    assert.match(note, /^Answered/);
  }
  assert.equal(rows({}, {})[0].tone, "live");
});

test("a step names the documents that it wrote", () => {
  const documents = { documents: ["goods/a", "-goods/b"], count: 3, sha256: "5e" };
  const row = {
    kind: "step",
    step_kind: "step",
    ordinal: 1,
    name: "reserve",
    began_at: at(0),
    done_at: at(1),
    log: [documents],
  };
  const [{ log }] = rowsOf([row], { task: {}, now: NOW });
  assert.deepEqual(log, [{ text: "Wrote goods/a, deleted goods/b, 1 more document" }]);
});
