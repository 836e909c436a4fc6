// The live stream of one page, and one stream shared by many: gaps, cuts, silence, sleep, and a reading page that
// is closed, crashes or sleeps. Against the gateway stub, which counts connections and can drop messages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, openAt, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

/** A browser without locks between pages, as over plain http from another machine. */
const withoutLocks = (page) =>
  page.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));

describe("the live stream", () => {
  const texts = () => open.turns(".bot .say-text").allTextContents();

  test("a gap in the event numbers is read again without duplicates or reordering", async () => {
    await opened();
    stub.turn({ text: "one" });
    await open.seen("one");
    stub.drop.add(2);
    stub.turn({ text: "two" });
    stub.turn({ text: "three" });
    await open.seen("three");
    const stale = stub.events[0];
    for (const stream of stub.streams) stream.write(`event: turn\nid: 1\ndata: ${JSON.stringify(stale.data)}\n\n`);
    stub.turn({ text: "four" });
    await open.seen("four");
    assert.deepEqual(await texts(), ["one", "two", "three", "four"]);
    assert.ok(stub.requests.includes("GET /v1/events/stream?after=1"), "it resumed after the last number it had");
  });

  test("a stream that is cut repeatedly loses no event", async () => {
    await opened();
    for (let n = 0; n < 6; n += 1) {
      stub.turn({ text: `turn ${n}` });
      stub.cut();
      stub.turn({ text: `between ${n}` });
      await open.seen(`between ${n}`);
    }
    assert.deepEqual(await texts(), Array.from({ length: 6 }, (_, n) => [`turn ${n}`, `between ${n}`]).flat());
  });

  test("an older state of a task never replaces a newer one", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const page = await opened();
    const id = stub.task(call, "refine_output");
    await page.locator(".task .bar").waitFor();
    const early = structuredClone(stub.tasks.get(id));
    stub.progress(id, 40, "Reading");
    await page.getByText("40 %").waitFor();
    stub.end(id, "succeeded", { ...DONE, summary: "Outcome." });
    await page.locator(".task.ended").waitFor();
    stub.event("task", early);
    stub.turn({ text: "after it" });
    await open.seen("after it");
    assert.equal(await page.locator(".task .bar").count(), 0);
    assert.equal(await page.locator("#open-tasks .badge").count(), 0);
  });

  test("a task list read earlier does not replace newer progress", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    stub.progress(id, 10, "Reading");
    const page = await opened();
    await page.getByText("10 %").waitFor();
    let release;
    const released = new Promise((done) => (release = done));
    const read = new Promise((done) =>
      page.route("**/v1/tasks/active", async (route) => {
        const response = await route.fetch(); // as it is now
        done();
        await released; // and delivered later
        await route.fulfill({ response });
      }),
    );
    stub.cut();
    await read;
    stub.progress(id, 60, "Generating");
    await page.getByText("60 %").waitFor();
    const answered = page.waitForResponse("**/v1/tasks/active");
    release();
    await (await answered).finished();
    stub.turn({ text: "afterwards" });
    await open.seen("afterwards");
    assert.equal(await page.locator(".task .percent").textContent(), "60 %");
  });

  test("a silent connection is replaced", async () => {
    await openAt("about:blank");
    await open.page.clock.install();
    await open.page.goto(stub.url);
    await open.state("live");
    stub.streams.clear(); // the old connection stays open, and nothing arrives on it
    stub.turn({ text: "said into the silence" });
    await open.page.clock.fastForward(46_000);
    await open.seen("said into the silence");
  });

  test("after sleep the page reconnects at once", async () => {
    await openAt("about:blank");
    await open.page.clock.install();
    await open.page.goto(stub.url);
    await open.state("live");
    stub.streams.clear();
    stub.turn({ text: "said during the sleep" });
    await open.page.clock.pauseAt(Date.now() + 2000); // no timer runs
    await open.page.clock.setSystemTime(Date.now() + 3_600_000);
    await open.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await open.seen("said during the sleep");
  });

  test("without sharing, a hidden page closes its connection and still catches up", async () => {
    await openAt("about:blank");
    const { page } = open;
    await withoutLocks(page);
    await page.clock.install();
    await page.goto(stub.url);
    await open.state("live");
    const look = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await look(true);
    const closed = stub.streamClosed();
    await page.clock.fastForward(61_000);
    await closed;
    assert.equal(stub.streams.size, 0);
    stub.turn({ text: "while hidden" });
    const looked = stub.streamClosed();
    await page.clock.fastForward(21_000);
    await looked;
    await open.seen("while hidden");
    stub.turn({ text: "just before it is shown" });
    await look(false);
    await open.seen("just before it is shown");
    stub.turn({ text: "live again" });
    await open.seen("live again");
    assert.equal(stub.streams.size, 1);
  });

  test("loading earlier turns can be retried after a failure", async () => {
    for (let n = 0; n < 130; n += 1) stub.turn({ text: `turn ${n}` });
    await openAt("about:blank");
    let broken = true;
    await open.page.route("**/v1/chat/turns?before=*", (route) => (broken ? route.abort() : route.continue()));
    await open.page.goto(stub.url);
    await open.state("live");
    await open.page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
    await open.page.getByText("Earlier turns could not be loaded.").waitFor();
    broken = false;
    await open.page.getByRole("button", { name: "Try again" }).click();
    await open.page.locator('[data-seq="60"]').waitFor({ state: "attached" });
  });

  test("an ended session explains how to sign in again", async () => {
    const page = await opened();
    stub.sessionOver = true;
    stub.cut();
    await page.getByRole("alert").filter({ hasText: "cargo run -- link" }).waitFor();
    await open.state("over");
    const asked = stub.requests.filter((request) => request.includes("/events/stream")).length;
    await page.getByLabel("Chat history").focus();
    assert.equal(
      stub.requests.filter((request) => request.includes("/events/stream")).length,
      asked,
      "and the page stops asking",
    );
  });
});

describe("many pages of one user", () => {
  const texts = (one) => one.turns(".bot .say-text").allTextContents();
  const seen = (pages, text) => Promise.all(pages.map((one) => one.seen(text)));

  /** Opens pages one after the other: the first one reads for all. */
  async function pages(n, prepare) {
    await openAt("about:blank");
    await prepare?.(open.page);
    await open.page.goto(stub.url);
    await open.state("live");
    const all = [open];
    while (all.length < n) {
      all.push(await open.again(stub.url));
      await all.at(-1).state("live");
    }
    return all;
  }

  /** Waits until only the reader is connected. */
  async function oneStream() {
    while (stub.streams.size > 1) await stub.streamClosed();
    assert.equal(stub.streams.size, 1);
  }

  test("eight pages share one connection and each sees every event once, in order", async () => {
    const all = await pages(8);
    await oneStream();
    for (let n = 0; n < 5; n += 1) stub.turn({ text: `turn ${n}` });
    await seen(all, "turn 4");
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    stub.progress(id, 40, "Reading");
    await Promise.all(all.map((one) => one.page.getByText("40 %").waitFor()));
    // and connections are left for each page's requests
    await Promise.all(
      all.slice(1).map(async (one, n) => {
        await one.choose("List drafts");
        await one.page.getByLabel("Query").fill(`from page ${n}`);
        await one.run();
      }),
    );
    stub.end(id, "succeeded", { ...DONE, summary: "The outcome." });
    await seen(all, "The outcome.");
    await Promise.all(
      all.map((one) =>
        one
          .turns()
          .nth(stub.turns.length - 1)
          .waitFor(),
      ),
    );
    const numbers = (one) => one.turns().evaluateAll((turns) => turns.map((turn) => Number(turn.dataset.seq)));
    for (const one of all)
      assert.deepEqual(
        await numbers(one),
        stub.turns.map((turn) => turn.seq),
      );
    assert.equal(stub.streams.size, 1);
  });

  test("another page takes over when the reading page is closed, without gaps or duplicates", async () => {
    const [first, ...others] = await pages(3);
    stub.turn({ text: "one" });
    await seen(others, "one");
    const gone = stub.streamClosed();
    await first.page.close();
    stub.turn({ text: "two" }); // possibly no page reads
    await gone;
    stub.turn({ text: "three" });
    await seen(others, "three");
    for (const one of others) assert.deepEqual(await texts(one), ["one", "two", "three"]);
    await oneStream();
  });

  test("another page takes over when the reading page crashes", async () => {
    const [first, ...others] = await pages(3);
    stub.turn({ text: "one" });
    await seen(others, "one");
    const cdp = await first.context.newCDPSession(first.page);
    const crashed = first.page.waitForEvent("crash");
    cdp.send("Page.crash").catch(() => {}); // no answer follows
    await crashed;
    stub.turn({ text: "two" });
    await seen(others, "two");
    stub.turn({ text: "three" });
    await seen(others, "three");
    for (const one of others) assert.deepEqual(await texts(one), ["one", "two", "three"]);
    await oneStream();
  });

  test("a visible page takes over when the reading page sleeps, which later catches up", async () => {
    const [first, ...others] = await pages(3);
    stub.turn({ text: "one" });
    await seen(others, "one");
    const cdp = await first.context.newCDPSession(first.page);
    await cdp.send("Debugger.enable");
    const asleep = new Promise((done) => cdp.once("Debugger.paused", done));
    await cdp.send("Debugger.pause"); // no line of its script runs from now on
    stub.turn({ text: "two" });
    await asleep;
    await others[0].page.evaluate(() => document.dispatchEvent(new Event("visibilitychange"))); // the page becomes visible
    await seen(others, "two");
    stub.turn({ text: "three" });
    await seen(others, "three");
    await cdp.send("Debugger.resume");
    await cdp.send("Debugger.disable");
    await first.seen("three");
    stub.turn({ text: "four" });
    await seen([first, ...others], "four");
    for (const one of [first, ...others]) assert.deepEqual(await texts(one), ["one", "two", "three", "four"]);
    await oneStream();
  });

  test("lost messages between pages are detected and read", async () => {
    const [, ...others] = await pages(3, (reader) =>
      reader.addInitScript(() => {
        const post = BroadcastChannel.prototype.postMessage;
        BroadcastChannel.prototype.postMessage = function (data) {
          if (data.kind !== "message" || data.id % 3 === 0) post.call(this, data);
        };
      }),
    );
    for (let n = 1; n <= 6; n += 1) stub.turn({ text: `turn ${n}` });
    await seen(others, "turn 6"); // gaps: only 3 and 6 were broadcast
    await oneStream();
    stub.turn({ text: "turn 7" }); // the last one is lost: only the reader's repeated number shows it
    const alive = setInterval(() => stub.streams.forEach((stream) => stream.write(": still here\n\n")), 200);
    await seen(others, "turn 7").finally(() => clearInterval(alive));
    for (const one of others)
      assert.deepEqual(
        await texts(one),
        Array.from({ length: 7 }, (_, n) => `turn ${n + 1}`),
      );
  });

  test("all pages recover from a network outage", async () => {
    const all = await pages(4);
    await open.context.setOffline(true);
    await Promise.all(all.map((one) => one.state("offline")));
    stub.cut();
    for (let n = 0; n < 10; n += 1) stub.turn({ text: `while away ${n}` });
    await open.context.setOffline(false);
    await seen(all, "while away 9");
    for (const one of all)
      assert.deepEqual(
        await texts(one),
        Array.from({ length: 10 }, (_, n) => `while away ${n}`),
      );
    await Promise.all(all.map((one) => one.state("live")));
    await oneStream();
  });

  test("another user who signs in takes over every page of this browser", async () => {
    const [first] = await pages(1);
    stub.turn({ text: "for the first user" });
    await first.seen("for the first user");
    stub.user = { id: "berta", tenant_id: "local" };
    const reloaded = first.page.waitForEvent("load");
    await first.again(stub.url);
    await reloaded;
    await first.page.locator("#who", { hasText: "berta" }).waitFor();
  });
});
