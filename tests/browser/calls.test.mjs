// When the page repeats a call under the same key, and when with a new one. Without a browser: this file scripts
// the answers and the clock.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Calls } from "../../imperal/src/gateway/page/calls.js";

const LOST = new TypeError("connection reset");
const REPLY = { turn: { seq: 2 } };

let calls, keys, answers, seen;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  [keys, answers] = [[], []];
  const feed = { on: (_name, fn) => (seen = (turn) => fn([turn], true)) };
  calls = new Calls(feed, { answered: () => {}, schemaOf: () => undefined });
  globalThis.fetch = async (_path, { headers }) => {
    keys.push(headers["idempotency-key"]);
    const { status = 200, body = REPLY } = await (answers.shift() ?? Promise.reject(LOST));
    return new Response(JSON.stringify(body), { status });
  };
});

const asked = (text) => ({ role: "user", app_id: "notes", function: "save", params: { text } });
const save = (text) =>
  calls.run("notes", "save", { text }).then(
    () => "accepted",
    (error) => error.status,
  );

/** Advances the clock by this time. */
async function pass(ms) {
  for (let at = 0; at <= ms; at += 250) {
    for (let round = 0; round < 20; round++) await new Promise(setImmediate);
    mock.timers.tick(250);
  }
}

test("a call that was given up reuses its key when it is repeated, and only once", async () => {
  const first = save("a");
  await pass(6000);
  assert.equal(await first, 0);
  const tries = keys.length;
  assert.ok(tries > 3 && new Set(keys).size === 1, `${keys}`);
  answers.push({}, {});
  assert.equal(await save("a"), "accepted");
  assert.equal(keys[tries], keys[0]);
  assert.equal(await save("a"), "accepted");
  assert.notEqual(keys[tries + 1], keys[0]);
});

test("a call whose answer is lost after a long time is retried", async () => {
  let lose;
  answers.push(new Promise((_, reject) => (lose = reject)), {});
  const call = save("a");
  await pass(60_000);
  lose(LOST);
  await pass(1000);
  assert.equal(await call, "accepted");
  assert.equal(keys.length, 2);
});

for (const [when, before, after] of [
  ["before it is given up", 0, 6000],
  ["after that", 6000, 0],
]) {
  test(`a call whose turn is in the chat ${when} gets a new key when it is repeated`, async () => {
    const first = save("a");
    await pass(before);
    seen(asked("a"));
    await pass(after);
    await first;
    answers.push({});
    assert.equal(await save("a"), "accepted");
    assert.notEqual(keys.at(-1), keys[0]);
  });
}

test("a turn of another call keeps the key", async () => {
  const first = save("a");
  await pass(6000);
  await first;
  seen(asked("b"));
  answers.push({});
  await save("a");
  assert.equal(keys.at(-1), keys[0]);
});

test("a refused call is not retried", async () => {
  answers.push({ status: 422, body: { error: { code: "VALIDATION_TYPE_ERROR", message: "No." } } }, {});
  assert.equal(await save("a"), 422);
  assert.equal(keys.length, 1);
  await save("a");
  assert.notEqual(keys[1], keys[0]);
});

test("a call is this page's own although its answer comes before its turn", async () => {
  answers.push({ body: { ...REPLY, call_id: "call_1" } });
  assert.equal(await save("a"), "accepted");
  assert.ok(calls.own.has("call_1"));
  seen({ ...asked("a"), call_id: "call_1" });
  assert.deepEqual([...calls.own], ["call_1"]);
});
