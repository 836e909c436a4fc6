// Which pages of a timeline are read again: rows may come late, and questions are answered later. Without a browser.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { TimelineReader } from "../../imperal/src/gateway/page/timeline-reader.js";

let rows; // ordinal -> entry
let asked; // the `after` of each request

const step = (ordinal) => rows.set(ordinal, { kind: "step", step_kind: "step", ordinal, name: `Step ${ordinal}` });
const ordinals = (reader) => reader.entries.map((entry) => entry.ordinal);

beforeEach(() => {
  [rows, asked] = [new Map(), []];
  globalThis.fetch = async (path) => {
    const query = new URL(path, "http://localhost").searchParams;
    const [after, limit] = ["after", "limit"].map((name) => Number(query.get(name)));
    asked.push(after);
    const left = [...rows.values()].filter((row) => row.ordinal > after).sort((a, b) => a.ordinal - b.ordinal);
    const page = { entries: left.slice(0, limit) };
    if (left.length > limit) page.next = page.entries.at(-1).ordinal;
    return new Response(JSON.stringify(page), { headers: { "content-type": "application/json" } });
  };
});

test("a page on which nothing can change is not read again", async () => {
  for (let n = 1; n <= 1200; n++) step(n);
  const reader = new TimelineReader("t");
  await reader.read();
  await reader.read(); // how far the task was at the first page is known only now
  asked = [];
  step(1201);
  await reader.read();
  assert.deepEqual(asked, [1000]);
  assert.deepEqual(ordinals(reader), [...rows.keys()]);
});

test("a row that is stored after later ones is shown in its place", async () => {
  for (let n = 1; n <= 520; n++) if (n !== 470) step(n);
  const reader = new TimelineReader("t");
  await reader.read();
  await reader.read();
  step(470);
  for (let n = 521; n <= 1200; n++) step(n);
  await reader.read();
  const wanted = Array.from({ length: 1200 }, (_, n) => n + 1);
  assert.deepEqual(ordinals(reader), wanted, "each of them once");
});

test("a question far back that is answered later is read again", async () => {
  for (let n = 1; n <= 1200; n++) step(n);
  rows.set(3, { kind: "question", ordinal: 3, name: "mug", state: "open" });
  const reader = new TimelineReader("t");
  await reader.read();
  await reader.read();
  rows.set(3, { ...rows.get(3), state: "answered" });
  asked = [];
  await reader.read();
  assert.deepEqual(asked, [0, 1000]);
  assert.equal(reader.entries[2].state, "answered");
  asked = [];
  await reader.read();
  assert.deepEqual(asked, [1000]);
});

test("pages that were read stay when a later one fails", async () => {
  for (let n = 1; n <= 1200; n++) step(n);
  const reader = new TimelineReader("t");
  await reader.read();
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.reject(new Error("gone"));
  await assert.rejects(reader.read());
  assert.equal(reader.entries.length, 1200);
  globalThis.fetch = fetch;
  await reader.read();
  assert.equal(reader.entries.length, 1200);
});
