// What screen readers hear, against the gateway stub: which words, how often, and how much of tasks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { busyChat } from "./busy-chat.mjs";
import { heard, hears, listen, passes, stopClock } from "./listen.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const GAP_MS = 5000; // of the queue

describe("announcements", () => {
  test("each quarter is told once, with the real percent and the task's name", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    await listen(page);
    for (let percent = 0; percent <= 30; percent += 1) stub.progress(id, percent, "Generating");
    await hears(page, "30 percent");
    for (let percent = 31; percent <= 60; percent += 1) stub.progress(id, percent, "Generating");
    await hears(page, "60 percent");
    stub.end(id, "succeeded", { ...DONE, summary: "Refined output ready!" });
    await hears(page, "succeeded");
    assert.deepEqual(
      (await heard(page)).map((one) => one.text.replace(/after \d+ seconds?/, "after 9 seconds")),
      [
        "Refine output: 30 percent, Generating",
        "Refine output: 60 percent, Generating",
        "Refine output succeeded after 9 seconds: Refined output ready!",
      ],
    );
  });

  test("thirty tasks at once need at most twelve utterances, at least five seconds apart", async () => {
    const page = await opened();
    await listen(page);
    const ids = Array.from({ length: 30 }, (_, n) =>
      stub.task(stub.asked("refine_output", { text: `text ${n}` }, DONE), "refine_output", { name: `Document ${n}` }),
    );
    await page.locator(".task").nth(29).waitFor();
    await stopClock(page);
    for (let step = 1; step <= 20; step += 1) {
      for (const [n, id] of ids.entries()) stub.progress(id, Math.min(99, step * 5 + (n % 4)), `Paragraph ${step}`);
      const stages = page.locator(".task .stage", { hasText: new RegExp(`^Paragraph ${step}$`) });
      await passes(page, `all are at ${step}`, async () => (await stages.count()) === ids.length);
      await page.clock.runFor(250);
    }
    for (const [n, id] of ids.entries())
      if (n === 7)
        stub.end(id, "failed", { status: "error", summary: "", data: {}, error: "No paper.", error_code: "PAPER" });
      else stub.end(id, "succeeded", { ...DONE, summary: `Document ${n} is ready.` });
    await passes(page, "the ends are told", async () => (await heard(page)).some(({ text }) => /1 failed/.test(text)));
    const all = await heard(page);
    assert.ok(all.length <= 12, `${all.length} utterances`);
    assert.ok(all.length >= 3, `${all.length} utterances`);
    for (const [n, { at }] of all.entries())
      if (n) assert.ok(at - all[n - 1].at > GAP_MS - 100, `${Math.round(at - all[n - 1].at)} ms between two`);
    const words = all.map((one) => one.text).join("\n");
    assert.match(words, /\d+ tasks reached \d+ percent/);
    assert.match(words, /29 tasks succeeded, 1 failed\. The latest that failed: Document 7 failed: No paper\.$/m);
  });

  test("a message on the way, an error and a reply are told apart, with the words of their labels", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    await listen(page);
    stub.turn({ text: "The draft has 9 faults.", function: "refine_output", call_id: call, task_id: id });
    await hears(page, "Message from Refine output: The draft has 9 faults.");
    await page.getByRole("article", { name: /^Message from Refine output, / }).waitFor();
    await open.choose("Ping");
    stub.answers.set("ping", () => ({
      status: "error",
      summary: "",
      data: {},
      error: "It said 503.",
      error_code: "X",
    }));
    await open.run();
    await hears(page, "Error from Ping: It said 503.");
    await page.getByRole("article", { name: /^Error from Ping, / }).waitFor();
    stub.answers.delete("ping");
    await open.run();
    await hears(page, "Reply from Ping: Done.");
    stub.end(id, "reclaimed", { status: "error", summary: "", data: {}, error: "Gone.", error_code: "INTERRUPTED" });
    await hears(page, "Refine output was interrupted within ");
    await hears(page, ": Gone.");
    await page.getByRole("article", { name: /^Refine output was interrupted, / }).waitFor();
  });

  test("the answer to a call from this page does not wait for the queue", async () => {
    const page = await opened();
    await listen(page);
    await open.choose("Ping");
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 10_000);
    const words = async () =>
      (await heard(page)).map((one) => one.text).filter((text) => /first|second|from Ping/.test(text));
    stub.turn({ text: "first" });
    await open.seen("first");
    await page.clock.runFor(300);
    stub.turn({ text: "second" });
    await open.seen("second");
    await open.run();
    await open.seen("Done.");
    await page.clock.runFor(300);
    assert.deepEqual(await words(), ["Message: first", "Reply from Ping: Done."]);
    await page.clock.runFor(GAP_MS);
    assert.deepEqual(await words(), ["Message: first", "Reply from Ping: Done.", "Message: second"]);
  });

  test("Markdown is told in plain words: a reply, a message, progress and an outcome", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    await listen(page);
    await open.choose("Ping");
    stub.answers.set("ping", () => ({
      ...DONE,
      summary: "# Title\n\nThe **boat** leaves at `seven`, see [the plan](https://e.com/p).",
    }));
    await open.run();
    await hears(page, "Reply from Ping: Title. The boat leaves at seven, see the plan.");
    stub.turn({
      text: "- one\n- two **2**\n\n| a | b |\n|---|---|\n| 1 | 2 |",
      function: "refine_output",
      call_id: call,
      task_id: id,
    });
    await hears(page, "Message from Refine output: one. two 2. a, b. 1, 2.");
    stub.progress(id, 30, "Reading **chapter** `1`");
    await hears(page, "Refine output: 30 percent, Reading chapter 1");
    assert.equal(await page.locator(".task .stage").textContent(), "Reading chapter 1");
    assert.equal(await page.locator(".task .bar").getAttribute("aria-valuetext"), "30 percent, Reading chapter 1");
    stub.end(id, "succeeded", { ...DONE, summary: "~~Old~~ **new** text: 2*3*4." });
    await hears(page, "Refine output succeeded after ");
    await hears(page, ": Old new text: 2*3*4.");
    await page.locator("#open-tasks").click();
    assert.match(await page.locator(".ended-task .gist").textContent(), /Old new text: 2\*3\*4\.$/);
  });

  test("a burst of turns is summed up", async () => {
    const page = await opened();
    await listen(page);
    for (let n = 1; n <= 10; n += 1) stub.turn({ text: `turn ${n}` });
    await hears(page, "10 new turns. The latest: Message: turn 10");
  });

  test("asking a task to stop is announced once", async () => {
    const id = busyChat(stub);
    const page = await opened();
    await page.getByRole("button", { name: "Cancel Refine output" }).click();
    await page.locator(".task.cancelling").waitFor();
    stub.progress(id, 35, "Generating");
    await page.getByText("35 %").waitFor();
    await page.locator("#announcer").getByText("asked to stop").waitFor();
    assert.deepEqual(
      (await open.said()).filter((text) => text.includes("stop")),
      ["Refine output: asked to stop"],
    );
  });

  test("what is told of tasks can be chosen, and the browser remembers it", async () => {
    const page = await opened();
    const choose = async (word) => {
      await page.locator("#account > summary").click();
      await page.getByLabel("Announce progress").selectOption(word);
      await page.keyboard.press("Escape");
    };
    const work = async (name) => {
      const id = stub.task(stub.asked("refine_output", { text: name }, undefined), "refine_output", { name });
      stub.progress(id, 50, "Half");
      await page.locator(".task", { hasText: name }).getByText("50 %").waitFor();
      stub.end(id, "succeeded", { ...DONE, summary: `${name} is ready.` });
      await open.seen(`${name} is ready.`);
      stub.turn({ text: `after ${name}` });
      await hears(page, `after ${name}`);
      return (await heard(page)).map((one) => one.text).join("\n");
    };
    await choose("Ends only");
    await page.reload();
    await open.state("live");
    await listen(page);
    const ends = await work("First");
    assert.doesNotMatch(ends, /percent/);
    assert.match(ends, /First succeeded after \d+ seconds?: First is ready\./);
    await choose("None");
    assert.doesNotMatch(await work("Second"), /Second succeeded|percent/);
  });

  test("only a question interrupts", async () => {
    const page = await opened();
    await listen(page);
    await page.evaluate(async () => (await import("./page/announcer.js")).ask("Delete draft 3 for good?"));
    assert.equal(await page.locator("#question[aria-live=assertive] p").textContent(), "Delete draft 3 for good?");
    assert.deepEqual(await open.said(), []);
  });
});
