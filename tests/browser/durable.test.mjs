// Durable tasks: their steps, what they wait for, what is told of them, and the time in which no process ran them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { heard, hears, listen, passes, stopClock } from "./listen.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
const ahead = (seconds) => ago(-seconds);

/** A durable task, "Order 4711". Returns its id. */
function order(over) {
  const call = stub.asked("refine_output", { text: "mug" }, DONE);
  return stub.task(call, "refine_output", { name: "Order 4711", durable: true, ...over });
}

const at = (name, over = {}) => ({ name, since: ago(4), ...over });
const card = (page) => page.locator("#turns .task");
const lines = (locator) =>
  locator.evaluate((el) => Math.round(el.innerText.split("\n").filter((line) => line.trim()).length));

/** Two stored steps of an attempt. */
function twoSteps(id, over) {
  stub.store(id, "Reserve stock", { began_at: ago(20), done_at: ago(19.6), ...over });
  stub.store(id, "Print label", { began_at: ago(19), done_at: ago(10), ...over });
}

const QUEUED = { state: "queued", deadline_at: undefined };
const RESUMED = { state: "running", waits_for: undefined, ready_at: undefined };

describe("the card of a durable task", () => {
  test("a task in a queue says how many are before it, and follows its place without events", async () => {
    const id = order({ ...QUEUED, attempt: 0, waits_for: "slot", queue: "render", before: 3 });
    const page = await opened();
    await card(page).getByText("Queued. 3 before it in its queue. It starts in its turn.").waitFor();
    stub.tasks.get(id).before = 0;
    await card(page).getByText("Queued. It is next in its queue. It starts in its turn.").waitFor({ timeout: 9000 });
    const asked = stub.requests.filter((request) => request === "GET /v1/tasks/active").length;
    Object.assign(stub.tasks.get(id), { ...RESUMED, attempt: 1, before: undefined });
    stub.event("task", stub.tasks.get(id));
    await card(page).getByText("Between two steps").waitFor();
    await page.waitForTimeout(6000);
    const later = stub.requests.filter((request) => request === "GET /v1/tasks/active").length;
    assert.ok(later <= asked + 1, "nothing waits: the page does not ask again");
  });

  test("a task whose name an operator has paused says so", async () => {
    order({ ...QUEUED, attempt: 2, waits_for: "paused" });
    const page = await opened();
    await card(page)
      .getByText("Paused. An operator has paused tasks of this kind. It goes on once they are resumed.")
      .waitFor();
  });

  test("steps that are done fold to their number, the one that runs has its time, and there is no bar", async () => {
    const id = order();
    const page = await opened();
    stub.report(id, { steps: { done: 2, current: [at("Charge the card", { since: ago(0.5) })] } });
    await card(page).getByText("Charge the card").waitFor();
    assert.match(await card(page).locator(".tried").textContent(), /^0:0\d$/);
    assert.match(await card(page).locator(".clock").textContent(), /^step 3 · 0:0\d so far$/);
    assert.equal(await card(page).locator(".bar").isVisible(), false);
    await card(page).getByRole("button", { name: "2 done of Order 4711" }).waitFor();
    await page
      .getByRole("article", { name: "Task Order 4711, running, step 3, Charge the card", exact: true })
      .first()
      .waitFor();
    stub.report(id, { percent: 40 });
    stub.report(id, { message: "Asking the bank" });
    await card(page).locator(".bar").waitFor();
    await card(page).getByText("Asking the bank").waitFor();
    assert.match(await card(page).locator(".clock").textContent(), /^40 % · step 3 · /);
    assert.equal(
      await card(page).locator(".bar").getAttribute("aria-valuetext"),
      "40 percent, step 3, Charge the card",
      "steps that a report does not name are as they were",
    );
  });

  test("the list of stored steps is loaded when it unfolds, appends, and marks those of earlier attempts", async () => {
    const id = order({ attempt: 2, steps: { done: 2, kept: 2, current: [at("Charge the card")] } });
    twoSteps(id, { attempt: 1 });
    const page = await opened();
    const toggle = card(page).getByRole("button", { name: "2 done of Order 4711" });
    await toggle.focus();
    await page.keyboard.press("Enter");
    const rows = card(page).locator(".step:not(.now)");
    await rows.nth(1).waitFor();
    assert.deepEqual(await rows.locator(".step-name").allTextContents(), [
      "Reserve stock, done, kept",
      "Print label, done, kept",
    ]);
    assert.deepEqual(await rows.locator(".took").allTextContents(), ["0.4 s", "9.0 s"]);
    assert.match(await rows.locator("time").first().getAttribute("title"), /^Done .*\d\d:\d\d:\d\d/);
    const first = await rows.first().elementHandle();
    stub.store(id, "Charge the card");
    stub.report(id, { steps: { done: 3, kept: 2, current: [at("Ship")] } });
    await rows.nth(2).waitFor();
    assert.equal(await rows.nth(2).locator(".step-name").textContent(), "Charge the card, done, ");
    assert.ok(await first.evaluate((el) => el.isConnected), "rows stay, and more are appended");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "3 done of Order 4711");
    await open.accessible("unfolded steps");
    await page.keyboard.press("Enter");
    assert.equal(await rows.first().isVisible(), false);
  });

  test("a long list of steps is loaded in parts", async () => {
    const id = order({ steps: { done: 250 } });
    for (let n = 1; n <= 250; n += 1) stub.store(id, `Step ${n}`);
    const page = await opened();
    await card(page)
      .getByRole("button", { name: /^250 done/ })
      .click();
    const rows = card(page).locator(".step");
    await rows.nth(199).waitFor();
    assert.equal(await rows.count(), 200);
    await card(page).getByRole("button", { name: "Show more steps" }).click();
    await rows.nth(249).waitFor();
    assert.equal(await card(page).getByRole("button", { name: "Show more steps" }).count(), 0);
  });

  test("steps that cannot be loaded are said to be missing", async () => {
    order({ steps: { done: 2 } });
    const page = await opened();
    await page.route("**/steps?*", (route) => route.abort());
    await card(page)
      .getByRole("button", { name: /^2 done/ })
      .click();
    await card(page).getByText("The steps could not be loaded.").waitFor();
  });

  test("a step that is tried again shows its attempts, the error and when the next one begins", async () => {
    const id = order({ steps: { done: 2 } });
    const page = await opened();
    const error = "The bank did not answer (504).";
    const step = at("Charge the card", { attempt: 3, of_attempts: 5 });
    stub.report(id, { steps: { done: 2, current: [{ ...step, error, next_at: ahead(18) }] } });
    await card(page).getByText(error).first().waitFor();
    assert.equal(await card(page).locator(".tried").textContent(), "attempt 3 of 5");
    assert.match(await card(page).locator(".left").textContent(), /^Next try in 0:1[78]$/);
    await page
      .getByRole("article", { name: "Task Order 4711, running, step 3, Charge the card, attempt 3 of 5" })
      .first()
      .waitFor();
    await open.accessible("a step that is tried again");
    stub.report(id, { steps: { done: 2, current: [{ ...step, attempt: 4 }] } });
    await card(page)
      .getByText(/^attempt 4 of 5 · 0:0\d$/)
      .waitFor();
    assert.equal(await card(page).getByText(error).count(), 0);
  });

  test("several steps at once are one line, the one with trouble first", async () => {
    const error = "No paper.";
    const id = order({
      steps: {
        done: 0,
        current: [at("a"), at("b", { attempt: 1, of_attempts: 2, error, next_at: ahead(9) }), at("c")],
      },
    });
    const page = await opened();
    await card(page).getByText("b and 2 more").waitFor();
    stub.store(id, "before");
    stub.report(id, { steps: { ...stub.tasks.get(id).steps, done: 1 } });
    await card(page)
      .getByRole("button", { name: /^1 done/ })
      .click();
    await card(page).locator(".step").nth(2).waitFor();
    assert.deepEqual(await card(page).locator(".step.now .step-name").allTextContents(), ["a", "c"]);
    stub.change(id, { ...QUEUED, waits_for: "process" });
    await card(page).locator(".step.now").nth(2).waitFor();
    assert.deepEqual(
      await card(page).locator(".step.now .took").allTextContents(),
      Array(3).fill("was cut off, runs again"),
      "without a process none of them runs",
    );
  });

  test("no card has more than five lines, also at 360 pixels", async () => {
    const retry = at("Charge the card of the customer", {
      attempt: 3,
      of_attempts: 5,
      error: "The bank did not answer in time (504). ".repeat(3),
      next_at: ahead(18),
    });
    order({ attempt: 3, message: "Charging", steps: { done: 2, kept: 2, current: [retry] } });
    for (const waits_for of ["process", "retry", "slot", "version", "time", "answer"])
      order({
        ...QUEUED,
        state: { version: "stuck", time: "waiting", answer: "waiting" }[waits_for] ?? "queued",
        attempt: 2,
        waits_for,
        ready_at: ahead(48),
        steps: { done: 12, kept: 12, current: [retry] },
      });
    const page = await opened({ viewport: { width: 360, height: 740 } });
    await card(page).nth(6).waitFor();
    for (let n = 0; n < 7; n += 1) {
      const height = await card(page)
        .nth(n)
        .evaluate((el) => {
          const { paddingTop, paddingBottom, lineHeight } = getComputedStyle(el);
          return (el.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom)) / parseFloat(lineHeight);
        });
      assert.ok(height < 6, `${await card(page).nth(n).innerText()}: ${height} lines`);
    }
    await open.fits("durable tasks");
    await open.accessible("durable tasks on a phone");
  });
});

describe("a durable task that no process runs", () => {
  for (const [what, over, words] of [
    ["queued", { waits_for: "process" }, "Queued. No process runs it now. The next free one takes it, and it goes on."],
    [
      "retried",
      () => ({ waits_for: "retry", ready_at: ahead(48) }),
      /^Will retry\. The processes that ran it crashed\. It goes on in 0:4\d\.$/,
    ],
    [
      "without a slot",
      { waits_for: "slot", attempt: 0 },
      "Queued. You have as many running tasks as may run at once. It starts when one ends.",
    ],
    [
      "stuck",
      { state: "stuck", waits_for: "version" },
      "Stuck. No running version of the program can continue it. It waits for one, and ends if none comes in time.",
    ],
    [
      "asleep",
      () => ({ state: "waiting", waits_for: "time", ready_at: ahead(90) }),
      /^Sleeps\. It sleeps until .*\d\d:\d\d (?:[A-Z]{3,4}|UTC|GMT[-+\d:]*)\.$/,
    ],
    ["asking", { state: "waiting", waits_for: "answer" }, "Asks. It goes on when you have answered."],
  ])
    test(`a task that is ${what} says so and what will happen`, async () => {
      order({ ...QUEUED, steps: { done: 2 }, ...(typeof over === "function" ? over() : over) });
      const page = await opened();
      const said = card(page).locator(".wait");
      await said.waitFor();
      const text = await said.textContent();
      if (typeof words === "string") assert.equal(text, words);
      else assert.match(text, words);
      assert.equal(await card(page).locator(".step-now").isVisible(), false, "no step runs");
      const { word } = /^(?<word>\w+)/.exec({ retried: "Queued" }[what] ?? text).groups;
      await page
        .getByRole("article", { name: `Task Order 4711, ${word.toLowerCase()}, 2 steps done` })
        .first()
        .waitFor();
      await open.accessible(`a task that is ${what}`);
    });

  test("its clock stands still, and the time until it goes on is not counted", async () => {
    const id = order({
      created_at: ago(40),
      deadline_at: ahead(140),
      steps: { done: 2, current: [at("Charge the card")] },
    });
    const page = await opened();
    const clock = card(page).locator(".clock");
    await clock.getByText(/^step 3 · 0:4\d so far$/).waitFor();
    stub.change(id, { ...QUEUED, waits_for: "process", ready_at: ago(0) });
    await clock.getByText(/^0:4\d of work$/).waitFor();
    const stopped = await clock.textContent();
    assert.doesNotMatch(await clock.getAttribute("title"), /time limit/, "it has none now");
    await page.clock.install();
    await page.clock.runFor(60_000);
    assert.equal(await clock.textContent(), stopped);
    stub.change(id, { ...RESUMED, attempt: 2, deadline_at: ahead(140) });
    await clock.getByText(/ · 0:4\d of work$/).waitFor();
    await page.clock.runFor(5000);
    await clock.getByText(/ · 0:(4|5)\d of work$/).waitFor();
    assert.match(await clock.getAttribute("title"), /Time in which no process runs it is not counted\./);
  });

  test("a page that did not see the earlier attempts reads how long they took, and when the task went on", async () => {
    const id = order({
      created_at: ago(7200),
      attempt: 2,
      deadline_at: ahead(100),
      steps: { done: 3, kept: 2, current: [at("Ship")] },
    });
    const base = Date.parse(ago(7000));
    const span = (from, to) => ({
      began_at: new Date(base + from * 1000).toISOString(),
      done_at: new Date(base + to * 1000).toISOString(),
    });
    stub.store(id, "Reserve stock", { attempt: 1, ...span(0, 10) });
    stub.store(id, "Print label", { attempt: 1, ...span(10, 30) });
    const began_at = ago(20);
    stub.store(id, "Charge the card", { attempt: 2, began_at, done_at: ago(10) });
    const page = await opened();
    await card(page)
      .locator(".clock")
      .getByText(/^step 4 · 0:5\d of work$/)
      .waitFor();
    const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" }).format(new Date(began_at));
    await card(page).getByText(`Went on after a restart at ${time}, 2 kept`).waitFor();
  });

  test("a task that went on says so, and one without a kept step says that it began again", async () => {
    const id = order({ steps: { done: 2, current: [at("Charge the card")] } });
    const page = await opened();
    await card(page).getByText("Charge the card").waitFor();
    stub.change(id, { attempt: 2 });
    await card(page)
      .getByText(/^Went on after a restart at \d\d:\d\d, 2 kept$/)
      .waitFor();
    assert.equal(await card(page).getByText("Charge the card").count(), 0, "the cut-off step no longer runs");
    stub.report(id, { steps: { done: 2, kept: 2, current: [at("Charge the card", { since: ago(0) })] } });
    await card(page).getByText("Charge the card").waitFor();
    const other = order({ name: "Other", attempt: 2, steps: { done: 0, current: [at("x")] } });
    await page
      .locator(`#turns [data-task="${other}"]`)
      .getByText(/^Began again after a restart at /)
      .waitFor();
  });

  test("an older state does not replace a newer one", async () => {
    const id = order();
    const page = await opened();
    await card(page).waitFor();
    const before = structuredClone(stub.tasks.get(id));
    stub.change(id, { ...QUEUED, waits_for: "process" });
    await card(page).locator(".wait").waitFor();
    stub.event("task", before);
    stub.turn({ text: "after it" });
    await open.seen("after it");
    assert.ok(await card(page).locator(".wait").isVisible());
    stub.change(id, { ...RESUMED, attempt: 2 });
    await card(page)
      .getByText(/^Began again/)
      .waitFor();
    stub.event("task", { ...before, attempt: 1, state: "queued", waits_for: "process" });
    stub.turn({ text: "after that" });
    await open.seen("after that");
    assert.equal(await card(page).locator(".wait").isVisible(), false);
    assert.equal(await card(page).locator(".step-now").isVisible(), true, "what it waited for is forgotten");
  });
});

describe("durable tasks in the list", () => {
  test("the states are the same there, and Cancel works in all of them", async () => {
    const ids = ["process", "retry", "slot", "version", "time", "answer"].map((waits_for) =>
      order({
        ...QUEUED,
        name: `Waits for ${waits_for}`,
        state: { version: "stuck", time: "waiting", answer: "waiting" }[waits_for] ?? "queued",
        waits_for,
        ready_at: ahead(30),
      }),
    );
    const running = order({ name: "Runs", steps: { done: 1, current: [at("Charge the card")] } });
    const page = await opened();
    await page.locator("#open-tasks").click();
    const panel = page.getByRole("tabpanel", { name: "Tasks" });
    await panel.getByRole("heading", { name: "Running and waiting" }).waitFor();
    assert.equal(await panel.locator(".wait").count(), 7);
    // the second in which one is read may be another
    const waits = async (where) =>
      (await where.locator(".wait:not([hidden])").allTextContents()).map((text) => text.replace(/0:\d\d\.$/, "0:29."));
    assert.equal((await waits(panel)).length, 6);
    assert.deepEqual(await waits(panel), await waits(page.locator("#turns")));
    await panel.getByText("step 2 · ").waitFor();
    await panel.getByRole("button", { name: "Waiting 6" }).click();
    assert.equal(await panel.locator(".task").count(), 6);
    await panel.getByRole("button", { name: "All 7" }).click();
    await open.accessible("durable tasks in the list");
    for (const [n, id] of ids.entries()) {
      await panel
        .locator(`[data-task="${id}"]`)
        .getByRole("button", { name: /^Cancel/ })
        .click();
      await page.waitForFunction((count) => document.querySelectorAll(".ended-task").length === count, n + 1);
    }
    await panel.locator(`[data-task="${running}"]`).getByRole("button", { name: "Cancel Runs" }).click();
    await panel.locator(`[data-task="${running}"]`).getByText("Asked to stop").waitFor();
    await panel.getByRole("heading", { name: "Running", exact: true }).waitFor();
    assert.equal(await panel.getByRole("button", { name: "Waiting" }).isVisible(), false, "a filter that none fits");
  });

  test("Cancel all cancels waiting tasks too", async () => {
    for (const name of ["First", "Second"]) order({ ...QUEUED, name, waits_for: "process" });
    const page = await opened();
    await page.locator("#open-tasks").click();
    await page.getByRole("button", { name: "Cancel all 2" }).click();
    await page.getByRole("button", { name: "Cancel them" }).click();
    await page.locator(".ended-task").nth(1).waitFor();
  });
});

describe("updates of a durable task", () => {
  test("the focus stays on Cancel through steps, tries, a restart and a wait, in the chat and in the list", async () => {
    const id = order({ steps: { done: 0, current: [at("a")] } });
    const page = await opened();
    await page.locator("#open-tasks").click();
    for (const [where, other] of [
      [page.getByRole("tabpanel", { name: "Tasks" }), "b"],
      [page.locator("#turns"), "c"],
    ]) {
      const cancel = where.getByRole("button", { name: "Cancel Order 4711" });
      await cancel.evaluate((el) => {
        el.focus();
        window.blurs = 0;
        el.addEventListener("blur", () => (window.blurs += 1));
      });
      const { attempt = 1 } = stub.tasks.get(id);
      stub.report(id, {
        steps: { done: 1, current: [at(other, { attempt: 1, of_attempts: 3, error: "No.", next_at: ahead(9) })] },
      });
      await where.getByText("No.", { exact: true }).first().waitFor();
      stub.change(id, { ...QUEUED, waits_for: "retry", ready_at: ahead(9) });
      await where.getByText(/^Will retry/).waitFor();
      stub.change(id, { state: "stuck", waits_for: "version" });
      await where.getByText(/^Stuck/).waitFor();
      stub.change(id, { ...RESUMED, attempt: attempt + 1 });
      await where.getByText(/^Went on after a restart/).waitFor();
      stub.report(id, { percent: 50 });
      await where.getByText(/^50 %/).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel Order 4711");
      assert.equal(await page.evaluate(() => window.blurs), 0);
    }
  });

  test("each step is told once, steps in between are left out, and utterances are five seconds apart", async () => {
    const id = order({ steps: { done: 0, current: [at("Step 1")] } });
    const page = await opened();
    await card(page).getByText("Step 1", { exact: true }).waitFor();
    await listen(page);
    await stopClock(page);
    for (let n = 1; n <= 30; n += 1) {
      const name = `Step ${n + 1}`;
      stub.report(id, { steps: { done: n, current: [at(name)] } });
      await passes(
        page,
        `it is at ${name}`,
        async () => (await card(page).locator(".step-name").first().textContent()) === name,
      );
      await page.clock.runFor(150);
    }
    const told = async () => (await heard(page)).some(({ text }) => text.includes("Order 4711: Step 31, step 31"));
    await passes(page, "the last step is told", told);
    const all = await heard(page);
    assert.ok(all.length <= 4, `${all.length} utterances`);
    for (const [n, { at: when }] of all.entries()) if (n) assert.ok(when - all[n - 1].at > 4900);
    stub.report(id, { steps: { done: 30, current: [at("Step 31")] }, message: "the same step" });
    stub.turn({ text: "after it" });
    await passes(page, "the turn is told", async () =>
      (await heard(page)).some(({ text }) => text.includes("after it")),
    );
    assert.equal((await heard(page)).filter(({ text }) => text.includes("Step 31")).length, 1);
  });

  test("a restart is told once with the steps that were kept, and the first and the last wait of a step's tries", async () => {
    const id = order({ steps: { done: 2, current: [at("Charge the card")] } });
    const page = await opened();
    await card(page).getByText("Charge the card").waitFor();
    await listen(page);
    const resumed = { done: 2, kept: 2, current: [at("Charge the card", { since: ago(0) })] };
    stub.change(id, { attempt: 2 });
    stub.report(id, { steps: resumed });
    await hears(page, "Order 4711 went on after a restart, 2 steps kept");
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const step = { ...resumed.current[0], attempt, of_attempts: 5, error: "504", next_at: ahead(18.4) };
      stub.report(id, { steps: { ...resumed, current: [step] } });
      await card(page).getByText(`attempt ${attempt} of 5`).waitFor();
      if (attempt !== 1 && attempt !== 4) {
        stub.turn({ text: `after attempt ${attempt}` });
        await hears(page, `after attempt ${attempt}`); // a wait would be told with it
        continue;
      }
      await hears(page, `tries again in 1`);
      await page.waitForFunction(
        (tried) => window.heard.some(({ text }) => text.includes(`after attempt ${tried} of 5`)),
        attempt,
      );
    }
    const told = (await heard(page)).map(({ text }) => text);
    assert.equal(told.filter((text) => text.includes("went on after a restart")).length, 1);
    assert.equal(told.filter((text) => text.includes("tries again")).length, 2, told.join("\n"));
    stub.change(id, { ...QUEUED, state: "stuck", waits_for: "version" });
    await hears(page, "Order 4711: stuck. No running version of the program can continue it.");
  });

  test("a page that opens on a resumed task tells no restart", async () => {
    order({ attempt: 3, steps: { done: 2, kept: 2, current: [at("Charge the card")] } });
    const page = await opened();
    await listen(page);
    stub.turn({ text: "something else" });
    await hears(page, "something else");
    assert.ok(!(await heard(page)).some(({ text }) => text.includes("restart")));
    assert.ok(!(await open.said()).some((text) => text.includes("restart")));
  });
});

describe("a process that was lost", () => {
  const LOST = { status: "error", summary: "", data: {}, error: "It was interrupted.", error_code: "INTERRUPTED" };

  test("an interrupted task says how long it ran and how long no process ran it, in all three places", async () => {
    const call = stub.asked("refine_output", { text: "mug" }, DONE);
    const [began, lost] = [ago(11), ago(10)];
    const id = stub.task(call, "refine_output", { name: "Report", created_at: began });
    const page = await opened();
    Object.assign(stub.tasks.get(id), { interrupted_at: lost });
    stub.end(id, "reclaimed", LOST);
    const words = /ran 1\.0 s, then no process for 1\d s/;
    await card(page)
      .getByText(new RegExp(`^Interrupted: ${words.source}$`))
      .waitFor();
    await page.locator(".kicker .muted").getByText(words).waitFor();
    await page.reload();
    await open.state("live");
    await page.locator(".kicker .muted").getByText(words).waitFor();
    await page.locator("#open-tasks").click();
    await page.locator(".ended-task summary").click();
    await page.locator(".ended-body .chip").getByText(words).waitFor();
    await open.accessible("an interrupted task");
  });

  test("a queued task counts its work until the process was lost, and then the time without one", async () => {
    const [began, step, lost] = [ago(30), ago(20), ago(10)];
    const id = order({ created_at: began, deadline_at: ahead(150) });
    const page = await opened();
    stub.store(id, "Reserve stock", { began_at: step, done_at: step });
    stub.change(id, { ...QUEUED, waits_for: "process", interrupted_at: lost });
    await card(page)
      .getByText(/^0:20 of work · no process for 0:1\d$/)
      .waitFor();
    await page.reload(); // this page has not seen its work: it was from the first stored step on
    await open.state("live");
    await card(page)
      .getByText(/^0:10 of work · no process for 0:1\d$/)
      .waitFor();
    await open.accessible("a task whose process was lost");
    stub.change(id, {
      ...RESUMED,
      attempt: 2,
      interrupted_at: undefined,
      steps: { done: 1, kept: 1, current: [at("c")] },
    });
    await card(page)
      .getByText(/^step 2 · 0:1\d of work$/)
      .waitFor();
    assert.doesNotMatch(await card(page).innerText(), /no process/);
  });

  test("a durable task that is cancelled after its process was lost says both times too", async () => {
    const [began, lost] = [ago(30), ago(10)];
    const id = order({ created_at: began, deadline_at: ahead(150) });
    const page = await opened();
    stub.change(id, { ...QUEUED, waits_for: "process", interrupted_at: lost });
    await page.getByRole("button", { name: "Cancel Order 4711" }).click();
    await card(page)
      .getByText(/^Cancelled: ran 20 s, then no process for 1\d s$/)
      .waitFor();
    await page.reload();
    await open.state("live");
    await card(page)
      .getByText(/^Cancelled: ran within 20 s, then no process for 1\d s$/)
      .waitFor();
  });
});

describe("the end of a durable task", () => {
  for (const [code, word, verb, error] of [
    [
      "TASK_CRASHED",
      "No progress",
      "made no progress",
      "Order 4711 was stopped: the processes that ran it crashed 5 times in a row.",
    ],
    [
      "TASK_STUCK",
      "Stayed stuck",
      "stayed stuck",
      "Order 4711 was stopped: no running version of the program could continue it for a day.",
    ],
  ])
    test(`${code} reads as what it was, and not as an interruption`, async () => {
      const id = order({ attempt: 5, steps: { done: 2, kept: 2 } });
      const page = await opened();
      await listen(page);
      stub.end(id, "reclaimed", { status: "error", summary: "", data: {}, error, error_code: code });
      await hears(page, `Order 4711 ${verb} within `);
      await hears(page, `: ${error}`);
      await page.getByRole("article", { name: new RegExp(`^Order 4711 ${verb}, `) }).waitFor();
      await page.locator(".kicker .chip").getByText(word).waitFor();
      await card(page)
        .getByText(new RegExp(`^${word} within .* · 2 steps$`))
        .waitFor();
      await page.locator("#open-tasks").click();
      const row = page.locator(".ended-task");
      await row.getByText(word).first().waitFor();
      assert.equal(
        await page
          .getByText(/interrupted/i)
          .filter({ visible: true })
          .allTextContents()
          .then((all) => all.join()),
        "Failed or interrupted1",
      );
      await open.accessible(code);
    });

  test("a task of whose end only the state is known was stopped", async () => {
    const id = order({ attempt: 5 });
    stub.end(id, "reclaimed", { status: "error", summary: "", data: {}, error: "gone", error_code: "TASK_STUCK" });
    stub.events.pop(); // the outcome turn is not in the loaded history
    const page = await opened();
    await card(page)
      .getByText(/^Stopped within /)
      .waitFor();
  });
});

for (const colorScheme of ["light", "dark"])
  test(`forced colours show the step that runs, the list of steps, and what is stuck: ${colorScheme}`, async () => {
    const id = order({ attempt: 2, steps: { done: 2, kept: 2, current: [at("Charge the card")] } });
    twoSteps(id, { attempt: 1 });
    order({ ...QUEUED, state: "stuck", waits_for: "version" });
    const page = await opened({ forcedColors: "active", colorScheme });
    await card(page)
      .getByRole("button", { name: /^2 done/ })
      .click();
    await card(page).locator(".step").first().waitFor();
    const look = (part, name) =>
      page
        .locator(part)
        .first()
        .evaluate((el, one) => getComputedStyle(el)[one], name);
    assert.equal(await look(".task .steps", "borderTopStyle"), "solid");
    assert.notEqual(await look(".task .ring", "borderTopColor"), await look(".task .ring", "borderRightColor"));
    assert.equal(await look(".task .kept", "borderTopStyle"), "solid");
    assert.match(await page.locator(".wait:visible").textContent(), /^Stuck\./, "a word beside the sign");
    await open.accessible("durable tasks in forced colours");
  });
