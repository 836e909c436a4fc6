// The page against the gateway stub, for cases that a real binary cannot produce: keys, filters, the
// sheet on narrow screens, and the scroll position. Results are results.test.mjs, the states under axe states.test.mjs,
// the real binary platform.test.mjs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { busyChat } from "./busy-chat.mjs";
import { DONE } from "./stub.mjs";

withStub();

describe("the page", () => {
  test("a burst of progress redraws at a bounded rate and ends at the latest report", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    await page.evaluate(() => {
      window.changes = 0;
      new MutationObserver((list) => (window.changes += list.length)).observe(document.querySelector(".task"), {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
      });
    });
    for (let n = 0; n <= 500; n += 1) {
      stub.progress(id, n / 5, `Step ${n}`);
      await new Promise((done) => setTimeout(done, 2)); // one by one, as tasks report them
    }
    await page.getByText("Step 500").waitFor();
    const changes = await page.evaluate(() => window.changes);
    assert.ok(changes < 500, `${changes} changes for 500 reports`); // each report can change four texts and the bar
  });

  test("nothing keeps moving with prefers-reduced-motion", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    stub.task(call, "refine_output"); // without progress its bar is animated
    const page = await opened({ reducedMotion: "reduce" });
    await page.locator(".task .bar.unknown").waitFor();
    const moving = () =>
      page.evaluate(
        () => document.getAnimations().filter((a) => a.effect.getComputedTiming().activeDuration > 50).length,
      );
    assert.equal(await moving(), 0);
    await page.locator("#open-tasks").click();
    assert.equal(await moving(), 0);
  });

  test("turns that arrive while the page is hidden are counted in the title", async () => {
    const page = await opened();
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => window.away });
      window.away = true;
    });
    stub.turn({ text: "one" });
    stub.turn({ text: "two" });
    await page.waitForFunction(() => document.title === "2 new · Text studio");
    await page.evaluate(() => ((window.away = false), document.dispatchEvent(new Event("visibilitychange"))));
    await page.waitForFunction(() => document.title === "Text studio");
  });

  test("the title has the number of open tasks; the icon is one picture, which no state changes", async () => {
    const page = await opened();
    const icon = async () => page.locator("link[rel~=icon]").evaluateAll((all) => all.map((one) => one.href));
    const [address, ...others] = await icon();
    assert.deepEqual(others, []);
    const drawn = await page.evaluate(async (src) => {
      const image = Object.assign(new Image(), { src });
      await image.decode();
      return image.naturalWidth > 0;
    }, address);
    assert.ok(drawn, "it is a picture");
    assert.equal(await page.title(), "Text studio");
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const [first, second] = ["First", "Second"].map((name) => stub.task(call, "refine_output", { name }));
    await page.waitForFunction(() => document.title === "(2) Text studio");
    stub.end(first, "succeeded", DONE);
    await page.waitForFunction(() => document.title === "(1) Text studio");
    await open.context.setOffline(true);
    await open.state("offline");
    assert.deepEqual(await icon(), [address]);
    await open.context.setOffline(false);
    await open.state("live");
    stub.end(second, "failed", { status: "error", summary: "", data: {}, error: "No.", error_code: "X" });
    await page.waitForFunction(() => document.title === "Text studio");
  });

  test("tasks are filtered by state, and an audit entry links to its turn", async () => {
    busyChat(stub);
    const page = await opened({ viewport: { width: 1000, height: 860 } }); // where the panel covers the chat
    await page.locator("#open-tasks").click();
    const rows = page.locator(".task-list .task, .task-list .ended-task");
    assert.equal(await rows.count(), 2);
    await page.getByRole("button", { name: "Running 1" }).click();
    assert.equal(await rows.count(), 1);
    await page.getByRole("button", { name: "Failed or interrupted 1" }).click();
    await page.locator(".ended-task", { hasText: "Interrupted" }).locator("summary").click();
    await page.getByRole("button", { name: "Show in the chat" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    const focused = () => page.evaluate(() => document.activeElement.dataset.turn);
    const outcome = stub.turns.find((turn) => turn.task_id);
    assert.equal(await focused(), outcome.turn_id);
    await page.locator(".turn:focus").getByRole("button", { name: "See the call" }).click();
    assert.equal(
      await focused(),
      stub.turns.find((turn) => turn.role === "bot" && turn.call_id === outcome.call_id).turn_id,
      "at its acknowledgement",
    );
    await page.locator(".turn:focus").getByRole("button", { name: "See outcome" }).click();
    assert.equal(await focused(), outcome.turn_id, "and back");
    await page.locator("#open-audit").click();
    await page.locator(".audit-row").last().getByRole("button", { name: "Show in the chat" }).click();
    assert.equal(await focused(), stub.turns.find((turn) => turn.role === "bot").turn_id);
  });

  test("the key / focuses the search until it is switched off, which the browser remembers", async () => {
    const page = await opened();
    const pressed = async (one) => {
      await one.getByLabel("Chat history").focus();
      await one.keyboard.press("/");
      return one.evaluate(() => document.activeElement.id);
    };
    assert.equal(await pressed(page), "function-search");
    await page.getByRole("switch", { name: "/ to search" }).uncheck();
    assert.equal(await pressed(page), "chat", "it does nothing");
    await open.accessible("the list of functions with the key turned off");
    await page.reload();
    await open.state("live");
    assert.equal(await pressed(page), "chat", "nor after a reload");
    const other = await open.again(stub.url);
    await other.state("live");
    assert.equal(await pressed(other.page), "chat", "nor in another page");
    await other.page.getByRole("switch").check();
    await page.locator(".slash input:checked").waitFor(); // the first page follows
    for (const one of [page, other.page]) assert.equal(await pressed(one), "function-search");
  });

  test("the key / does nothing while the functions are a sheet", async () => {
    const page = await opened({ viewport: { width: 360, height: 740 } });
    await page.getByLabel("Chat history").focus();
    await page.keyboard.press("/");
    await page.getByRole("button", { name: "Run a function" }).waitFor();
    assert.equal(await page.getByLabel("Functions", { exact: true }).isVisible(), false);
    await page.getByRole("button", { name: "Run a function" }).click();
    assert.equal(await page.getByRole("switch").count(), 0);
  });

  test("on a narrow screen the functions are a sheet that back and Escape close", async () => {
    const page = await opened({ viewport: { width: 360, height: 740 } });
    await page.getByRole("button", { name: "Run a function" }).click();
    await open.choose("Refine output");
    await page.goBack();
    await page.locator("#side").waitFor({ state: "hidden" });
    assert.ok(page.url().startsWith(stub.url), "back closes the sheet and stays on the page");
    await page.getByRole("button", { name: "Run a function" }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("searchbox", { name: "Search functions" }).waitFor(); // first from the form to the list
    await page.keyboard.press("Escape");
    await page.locator("#side").waitFor({ state: "hidden" });
    await page.waitForFunction(() => history.state === null); // no history entry is left
    await page.getByRole("button", { name: "Run a function" }).click();
    await open.choose("Refine output");
    await page.getByLabel("Text").fill("from a phone");
    await open.run();
    await open.turns(".bot").waitFor();
    await page.locator("#side").waitFor({ state: "hidden" });
  });

  test("a turn that cannot be drawn is shown as its text, and the chat goes on", async () => {
    stub.turn({ text: 42 });
    stub.turn({
      text: "odd",
      result: { status: "success", summary: "odd", data: { toString: null, a: { b: { c: { d: { e: 1 } } } } } },
    });
    stub.turn({ role: "user", text: "odd call", function: 7, params: "not an object" });
    const page = await opened();
    stub.turn({ text: "next" });
    await open.seen("next");
    await open.seen("42");
    assert.equal(await open.turns().count(), 4);
  });

  test("reading earlier turns is not disturbed by new ones", async () => {
    for (let n = 0; n < 40; n += 1) stub.turn({ text: `turn ${n}` });
    const page = await opened();
    await page.locator("#chat").evaluate((el) => (el.scrollTop = 300));
    await page.locator("#newer").waitFor();
    const before = await page.locator("#chat").evaluate((el) => el.scrollTop);
    stub.turn({ text: "something new" });
    await page.getByRole("button", { name: "1 new turn below" }).waitFor();
    assert.equal(await page.locator("#chat").evaluate((el) => el.scrollTop), before);
    await page.getByRole("button", { name: "1 new turn below" }).click();
    await open.seen("something new");
    await page.locator("#newer").waitFor({ state: "hidden" });
  });
});
