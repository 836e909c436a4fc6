// When a call of the page is the one before once more, and when it is another. Without a browser: the
// answers are this file's, and so is the clock.

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

/** Lets everything happen that is due within this time. */
async function pass(ms) {
  for (let at = 0; at <= ms; at += 250) {
    for (let round = 0; round < 20; round++) await new Promise(setImmediate);
    mock.timers.tick(250);
  }
}

test("what was given up is the same call when it is asked for again, and another one after that", async () => {
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

test("an answer that is lost after a long while is asked for again", async () => {
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
  test(`what is seen in the chat ${when} is another call when it is run again`, async () => {
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

test("another's turn changes nothing", async () => {
  const first = save("a");
  await pass(6000);
  await first;
  seen(asked("b"));
  answers.push({});
  await save("a");
  assert.equal(keys.at(-1), keys[0]);
});

test("a refusal is not asked again", async () => {
  answers.push({ status: 422, body: { error: { code: "VALIDATION_TYPE_ERROR", message: "No." } } }, {});
  assert.equal(await save("a"), 422);
  assert.equal(keys.length, 1);
  await save("a");
  assert.notEqual(keys[1], keys[0]);
});
