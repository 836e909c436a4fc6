// Updates never take the focus: turns, progress and ends of tasks arrive while a person is at a control. And the module that
// replaces parts of the page, by itself.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const focused = (page) =>
  page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.tagName);

/** Counts how often an element loses the focus, even for a moment: a screen reader would speak each time. */
const watchBlurs = (locator) =>
  locator.evaluate((el) => {
    window.blurs = 0;
    el.addEventListener("blur", () => (window.blurs += 1));
    el.focus();
  });
const blurs = (page) => page.evaluate(() => window.blurs);

describe("focus in the chat", () => {
  test("a message, progress and another task leave the focus on Cancel", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    const cancel = page.getByRole("button", { name: "Cancel Refine output" });
    await watchBlurs(cancel);
    stub.turn({ text: "On the way.", function: "refine_output", call_id: call, task_id: id });
    await open.seen("On the way.");
    stub.progress(id, 40, "Writing");
    await page.getByText("40 %").waitFor();
    stub.task(call, "refine_output", { name: "Second" });
    await page.locator(".task", { hasText: "Second" }).waitFor();
    assert.match(await focused(page), /^Cancel Refine output$/);
    assert.equal(await blurs(page), 0);
  });

  test("a card that moves under its reply keeps the focus", async () => {
    const call = stub.asked("refine_output", { text: "x" });
    stub.task(call, "refine_output");
    const page = await opened();
    await watchBlurs(page.getByRole("button", { name: "Cancel Refine output" }));
    stub.turn({ text: "It has begun.", function: "refine_output", call_id: call, result: DONE });
    await page.locator(".turn.bot .task").waitFor();
    assert.match(await focused(page), /^Cancel/);
    assert.equal(await blurs(page), 0);
  });

  test("after Cancel is pressed the focus goes to the outcome and stays there", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    await page.getByRole("button", { name: "Cancel Refine output" }).focus();
    await page.keyboard.press("Enter");
    await page.locator(".task.cancelling").waitFor();
    stub.end(id, "cancelled", { status: "error", summary: "", data: {}, error: "Stopped.", error_code: "CANCELLED" });
    await open.seen("Stopped.");
    stub.turn({ text: "Later.", function: "refine_output", call_id: call, task_id: id });
    await open.seen("Later.");
    assert.equal(await focused(page), "See outcome");
  });

  test("buttons that show more keep the focus and show less again", async () => {
    const long = "word ".repeat(400).trim();
    stub.asked(
      "list_drafts",
      { query: long },
      {
        status: "success",
        summary: long,
        data: { rows: Array.from({ length: 60 }, (_, n) => ({ id: n, name: `row ${n}` })) },
      },
    );
    const page = await opened();
    const whole = {
      ".turn.user": () => page.locator(".turn.user").innerText(),
      ".say": () => page.locator(".say").innerText(),
    };
    for (const part of [".turn.user", ".say"]) {
      const button = page.locator(part).getByRole("button", { name: /^Show all/ });
      await button.focus();
      await page.keyboard.press("Enter");
      assert.equal(await focused(page), "Show less", part);
      assert.equal((await whole[part]()).split("word").length - 1, 400);
      await page.keyboard.press("Enter");
      assert.match(await focused(page), /^Show all/, part);
    }
    await page.getByRole("button", { name: "Show all 60" }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.getByRole("row").count(), 61);
    assert.equal(await focused(page), "Show less");
    await page.keyboard.press("Enter");
    assert.equal(await page.getByRole("row").count(), 26);
    assert.equal(await focused(page), "Show all 60");
  });
});

describe("focus in the activity panel", () => {
  test("starts and ends of other tasks leave the focus at a task's control", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const [first, second] = ["First", "Second"].map((name) => stub.task(call, "refine_output", { name }));
    const page = await opened();
    await page.locator("#open-tasks").click();
    const panel = page.getByRole("tabpanel", { name: "Tasks" });
    await watchBlurs(panel.getByRole("button", { name: "Cancel Second" }));
    stub.task(call, "refine_output", { name: "Third" });
    await panel.getByRole("button", { name: "Cancel Third" }).waitFor();
    stub.end(first, "succeeded", DONE);
    await panel.locator(".ended-task", { hasText: "First" }).waitFor();
    assert.equal(await focused(page), "Cancel Second");
    assert.equal(await blurs(page), 0);
    stub.end(second, "succeeded", DONE);
    await panel.locator(".ended-task", { hasText: "Second" }).waitFor();
    assert.match(await focused(page), /^Second/, "at the row of the task that has ended");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
  });

  test("an unfolded task stays unfolded, and progress is current when the panel opens again", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const [done, runs] = ["Done", "Runs"].map((name) => stub.task(call, "refine_output", { name }));
    stub.end(done, "succeeded", { ...DONE, summary: "All well." });
    const page = await opened();
    await page.locator("#open-tasks").click();
    await page.locator(".ended-task summary").click();
    await page.getByRole("button", { name: "Close" }).click();
    stub.progress(runs, 77, "On");
    await page.locator("#turns").getByText("77 %").waitFor();
    await page.locator("#open-tasks").click();
    await page.getByRole("dialog").getByText("77 %").waitFor();
    stub.end(runs, "failed", { status: "error", summary: "", data: {}, error: "No.", error_code: "X" });
    await page.locator(".ended-task", { hasText: "Runs" }).waitFor();
    assert.ok(await page.locator(".ended-task", { hasText: "Done" }).evaluate((el) => el.open));
  });

  test("back closes the panel and stays on the page", async () => {
    const page = await opened({ viewport: { width: 360, height: 740 } });
    await page.locator("#open-tasks").click();
    await page.getByText("No tasks yet").waitFor();
    await page.goBack();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.ok(page.url().startsWith(stub.url));
    assert.equal(await page.evaluate(() => document.activeElement.id), "open-tasks");
    await page.locator("#open-tasks").click();
    await page.getByRole("button", { name: "Close" }).click();
    await page.waitForFunction(() => !history.state?.layers?.length); // no history entry is left
  });
});

describe("reconcile", () => {
  const run = async (body) => {
    const page = await opened();
    return page.evaluate(
      new Function(`return (async () => {
        const { Keyed, reconcile, swap } = await import("./page/reconcile.js");
        const { h, refill } = await import("./page/dom.js");
        const box = h("div", { tabindex: "-1" });
        document.querySelector("#chat").append(box);
        ${body}
      })()`),
    );
  };

  test("a control that stays is not touched, and keeps its selection", async () => {
    const [changes, kept] = await run(`
      const field = h("input", { value: "some words" });
      refill(box, "before", field, h("p", null, "after"));
      field.focus();
      field.setSelectionRange(2, 6, "backward");
      let lost = 0;
      field.addEventListener("blur", () => (lost += 1));
      for (const order of [[field, "x"], ["a", h("b"), field], [h("i"), field, "a", "b"], [field]]) refill(box, order);
      return [lost, [document.activeElement === field, field.selectionStart, field.selectionEnd, field.selectionDirection]];
    `);
    assert.equal(changes, 0);
    assert.deepEqual(kept, [true, 2, 6, "backward"]);
  });

  test("nodes of every new order are in that order", async () => {
    const wrong = await run(`
      const all = Array.from({ length: 7 }, (_, n) => h("button", null, String(n)));
      let seed = 7;
      const random = (n) => ((seed = (seed * 48271) % 2147483647), seed % n);
      const wrong = [];
      for (let turn = 0; turn < 400; turn += 1) {
        const wanted = all.filter(() => random(3)).sort(() => random(3) - 1);
        const held = all[random(7)];
        const before = held.isConnected && random(2) && (held.focus(), true);
        refill(box, wanted);
        const found = [...box.childNodes];
        if (found.length !== wanted.length || wanted.some((el, n) => el !== found[n])) wrong.push(turn);
        if (before && wanted.includes(held) && document.activeElement !== held) wrong.push("focus " + turn);
      }
      return wrong;
    `);
    assert.deepEqual(wrong, []);
  });

  test("a replaced control hands the focus to the one of the same name, and to nothing that acts otherwise", async () => {
    const [same, second, gone] = await run(`
      const make = (...names) => names.map((name) => h("button", null, name));
      refill(box, make("Run", "Edit"));
      box.lastChild.focus();
      refill(box, make("Edit", "Run"));
      const same = document.activeElement === box.firstChild;
      refill(box, make("Edit", "Edit"));
      box.lastChild.focus();
      refill(box, make("Edit", "Edit", "Run"));
      const second = document.activeElement === box.childNodes[1];
      refill(box, make("Run", "Delete"));
      return [same, second, document.activeElement === box];
    `);
    assert.deepEqual([same, second, gone], [true, true, true]);
  });

  test("keyed elements are drawn again only when what they show has changed", async () => {
    const result = await run(`
      const drawn = [];
      const rows = new Keyed({
        key: (one) => one.id,
        make: () => h("li"),
        draw: (el, one) => (drawn.push(one.id + one.text), refill(el, one.text)),
        look: (one) => one.text,
      });
      const show = (...items) => reconcile(box, rows.elements(items));
      show({ id: 1, text: "a" }, { id: 2, text: "b" });
      const first = box.firstChild;
      show({ id: 2, text: "b" }, { id: 1, text: "c" });
      return [drawn, box.lastChild === first, box.textContent];
    `);
    assert.deepEqual(result, [["1a", "2b", "1c"], true, "bc"]);
  });
});
