// The page against the gateway stub, for cases that a real binary cannot produce: results of every shape, screen
// readers, and each state under axe. Forms are forms.test.mjs, the live stream live-stream.test.mjs, and the real
// binary platform.test.mjs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

describe("results", () => {
  const show = async (data, summary = "Here.") => {
    stub.asked("ping", {}, { status: "success", summary, data });
    return opened();
  };

  test("a list of objects is a table, and the raw JSON is one click away", async () => {
    const page = await show({ rows: Array.from({ length: 30 }, (_, n) => ({ id: n, name: `row ${n}` })) });
    assert.equal(await page.getByRole("row").count(), 26);
    await page.getByRole("button", { name: "Show all 30" }).click();
    assert.equal(await page.getByRole("row").count(), 31);
    await page.getByRole("button", { name: "JSON" }).click();
    await page.locator(".raw pre", { hasText: '"name": "row 29"' }).waitFor();
  });

  test("wide tables stay inside their card and are no landmarks", async () => {
    const row = {
      domain: "a-rather-long-name.example.com",
      status: "unknown",
      issues: 0,
      dns: "unknown",
      ssl: "unknown",
      http: "unknown",
      email: "unknown",
      blacklist: "unknown",
    };
    const page = await show({ checked: "now", domains: [row, row], issues: [row, row] });
    await page.getByRole("table").nth(1).waitFor();
    const outside = await page.evaluate(
      () =>
        [...document.querySelectorAll(".table-scroll")].filter(
          (one) => one.getBoundingClientRect().right > one.closest(".card").getBoundingClientRect().right,
        ).length,
    );
    assert.equal(outside, 0);
    await open.accessible("an answer with two tables");
  });

  test("web addresses become safe links and images, and nothing else does", async () => {
    const page = await show({
      site: "https://example.com/a?b=1",
      script: "javascript:alert(1)",
      html: "<img src=x onerror=alert(1)>",
      data: "data:text/html,<script>alert(1)</script>",
      dot: "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
    });
    const links = page.locator(".data a");
    assert.equal(await links.count(), 1);
    assert.equal(await links.getAttribute("rel"), "noopener noreferrer");
    assert.equal(await links.getAttribute("target"), "_blank");
    assert.equal(await page.locator(".data img").count(), 1);
    await page.getByText("<img src=x onerror=alert(1)>", { exact: true }).waitFor();
  });

  test("integers beyond 2^53 keep their digits", async () => {
    const page = await opened();
    await page.route("**/v1/chat/turns?latest=60", async (route) => {
      const turn =
        '{"seq":1,"turn_id":"t","at":"2026-01-01T00:00:00Z","role":"bot","type":"response","text":"Here.","app_id":"studio","call_id":"c","result":{"status":"success","summary":"Here.","data":{"id":9007199254740993}}}';
      await route.fulfill({ contentType: "application/json", body: `{"turns":[${turn}]}` });
    });
    stub.turn({ text: "so that the number of the first turn is known" });
    await page.reload();
    await page.getByText("9007199254740993", { exact: true }).waitFor();
  });

  test("running again is offered only if it can help, and shows when it was used", async () => {
    stub.asked(
      "ping",
      {},
      { status: "error", summary: "", data: {}, error: "No such row.", error_code: "ROW_NOT_FOUND" },
    );
    const lost = stub.asked(
      "ping",
      { n: 2 },
      { status: "error", summary: "", data: {}, error: "The process stopped.", error_code: "INTERRUPTED" },
    );
    const page = await opened();
    assert.equal(await page.getByRole("button", { name: "Run again" }).count(), 1);
    await page.getByRole("button", { name: "Run again" }).click();
    await open.turns().nth(5).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, stub.turns.find((turn) => turn.call_id === lost).params);
    await page.locator(".way-out .done", { hasText: /^Run again at / }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Run again" }).count(), 0, "used, it is no longer offered");
    await page.reload(); // another page, or this one later, knows it too
    await page.locator(".way-out .done").waitFor();
    await page.getByRole("button", { name: "See the new call" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.seq), "5");
    await page.getByRole("button", { name: "Once more" }).click();
    await page.getByRole("button", { name: "Run again" }).click();
    await page.locator(".way-out .done", { hasText: "Run again 2 times" }).waitFor();
  });
});

describe("accessibility", () => {
  function busyChat() {
    stub.turn({ type: "system", text: "A notice with https://example.com in it." });
    stub.asked(
      "list_drafts",
      { query: "x" },
      { status: "success", summary: "Found.", data: { drafts: [{ id: 1, name: "Offer", done: true }], next: null } },
    );
    const lost = stub.asked("refine_output", { text: "x", tone: "formal" }, DONE);
    stub.end(stub.task(lost, "refine_output"), "reclaimed", {
      status: "error",
      summary: "",
      data: {},
      error: "The process stopped.",
      error_code: "INTERRUPTED",
    });
    const call = stub.asked("refine_output", { text: "y" }, DONE);
    const id = stub.task(call, "refine_output");
    stub.progress(id, 30, "Generating");
    return id;
  }

  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
    ["a dark phone", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
  ]) {
    test(`no accessibility violation and no sideways scrolling: ${name}`, async () => {
      const id = busyChat();
      const page = await opened(options);
      const phone = options.viewport !== undefined;
      const fits = (what) => open.fits(what);
      await page.locator(".task .bar").waitFor();
      await open.accessible("the chat");
      await fits("the chat");
      await page.locator(".task-head button").click();
      await page.locator(".task.cancelling").waitFor();
      await open.accessible("a task that is being cancelled");
      await page.locator("#open-tasks").click();
      await page.locator(".ended-task").first().click();
      await open.accessible("the tasks");
      await fits("the tasks");
      await page.getByRole("button", { name: "Cancelled" }).click();
      await page.getByText("No task is in this state.").waitFor();
      await open.accessible("a filter without a task");
      await page.getByRole("tab", { name: "Audit" }).click();
      await page.locator(".audit-row").first().waitFor();
      await page.getByRole("button", { name: "Check" }).click();
      await page.getByText("The trail is intact.").waitFor();
      await open.accessible("the audit trail, checked");
      stub.broken = { audit_id: 3, tenant_id: "local", user_id: "dev" };
      await page.getByRole("button", { name: "Check again" }).click();
      await page.getByText("Entry 3 was changed.").waitFor();
      await open.accessible("the audit trail, broken");
      await fits("the audit trail");
      await page.keyboard.press("Escape");
      if (phone) await page.locator("#open-side").click();
      await open.accessible("the list of functions");
      await open.choose("Build report");
      for (const group of ["owner", "pair"]) await page.getByRole("button", { name: `Add ${group}` }).click();
      await open.run();
      await page.locator(".field-error:visible").first().waitFor();
      await open.accessible("a form with errors");
      await fits("the form");
      stub.end(id, "cancelled", {
        status: "error",
        summary: "",
        data: {},
        error: "You cancelled it.",
        error_code: "CANCELLED",
      });
      await open.choose("Delete draft");
      await page.getByLabel("Id").fill("1");
      await open.run();
      await page.getByRole("dialog").waitFor();
      await open.accessible("the question before a destructive call");
      await page.getByRole("button", { name: "Do not run" }).click();
      if (phone) await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "JSON" }).first().click();
      await open.context.setOffline(true);
      await page.getByText("You are offline.").waitFor();
      await open.accessible("a connection that is lost, and raw JSON");
      await fits("a connection that is lost");
      await open.context.setOffline(false);
      await open.state("live");
    });

    test(`no accessibility violation in an empty chat: ${name}`, async () => {
      const page = await opened(options);
      await page.getByRole("heading", { name: "Text studio" }).waitFor();
      assert.equal(await page.locator("#chat").evaluate((el) => el.scrollTop), 0, "it is read from its beginning");
      await open.accessible("an empty chat");
      await open.fits("an empty chat");
      await page.locator("#open-tasks").click();
      await page.getByText("No tasks yet").waitFor();
      await open.accessible("an empty drawer");
      await page.keyboard.press("Escape");
      await page
        .getByRole("list", { name: "Begin with" })
        .getByRole("button", { name: /List drafts/ })
        .click();
      await page.getByLabel("Query").waitFor();
      stub.sessionOver = true;
      await page.reload();
      await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
      await open.accessible("the way in");
      await open.fits("the way in");
    });
  }

  test("new turns and quarters of progress are announced, single percents are not", async () => {
    const call = stub.asked("refine_output", { text: "x" }, DONE);
    const id = stub.task(call, "refine_output");
    const page = await opened();
    for (const until of [30, 60]) {
      for (let percent = until - 30; percent <= until; percent += 1) stub.progress(id, percent, "Generating");
      await page.getByText(`${until} %`).waitFor();
    }
    assert.deepEqual(await open.said(), [
      "Refine output: 25 percent, Generating",
      "Refine output: 50 percent, Generating",
    ]);
    stub.end(id, "succeeded", { ...DONE, summary: "Refined output ready!" });
    await page.locator("#announcer p", { hasText: "Outcome: Refined output ready!" }).waitFor({ state: "attached" });
  });

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

  test("asking a task to stop is announced once", async () => {
    const id = busyChat();
    const page = await opened();
    await page.getByRole("button", { name: "Cancel Refine output" }).click();
    await page.locator(".task.cancelling").waitFor();
    stub.progress(id, 35, "Generating");
    await page.getByText("35 %").waitFor();
    assert.deepEqual(
      (await open.said()).filter((text) => text.includes("stop")),
      ["Refine output: asked to stop"],
    );
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

  test("tasks are filtered by state, and an audit entry links to its turn", async () => {
    busyChat();
    const page = await opened();
    await page.locator("#open-tasks").click();
    const rows = page.locator(".task-list .task, .task-list .ended-task");
    assert.equal(await rows.count(), 2);
    await page.getByRole("button", { name: "Running 1" }).click();
    assert.equal(await rows.count(), 1);
    await page.getByRole("button", { name: "Failed 1" }).click();
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
    await page.getByLabel("Functions").waitFor({ state: "hidden" });
    assert.ok(page.url().startsWith(stub.url), "back closes the sheet and stays on the page");
    await page.getByRole("button", { name: "Run a function" }).click();
    await page.keyboard.press("Escape");
    await page.getByLabel("Functions").waitFor({ state: "hidden" });
    await page.waitForFunction(() => history.state === null); // no history entry is left
    await page.getByRole("button", { name: "Run a function" }).click();
    await page.getByLabel("Text").fill("from a phone");
    await open.run();
    await open.turns(".bot").waitFor();
    await page.getByLabel("Functions").waitFor({ state: "hidden" });
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

  test("a burst of turns is summed up for screen readers", async () => {
    const page = await opened();
    for (let n = 1; n <= 10; n += 1) stub.turn({ text: `turn ${n}` });
    await page.locator("#announcer p", { hasText: "10 new turns. The latest: turn 10" }).waitFor({ state: "attached" });
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
