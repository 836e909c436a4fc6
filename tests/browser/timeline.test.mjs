// The timeline of a task: what a stranger reads of one that was killed, handed over, retried and answered; filters, keys, rows that
// count on, and its place beside the chat.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { SCREENS } from "./page-states.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const BEGAN = Date.now() - 600_000;
const at = (second) => new Date(BEGAN + second * 1000).toISOString();

const began = (attempt, second, over = {}) => ({
  kind: "attempt_began",
  at: at(second),
  attempt,
  node: "shop-1",
  program: "v1",
  ...over,
});
const ended = (attempt, second, by) => ({ kind: "attempt_ended", at: at(second), attempt, by });
const gap = (from, to, why) => ({ kind: "unattended", from: at(from), ...(to ? { to: at(to) } : {}), why });
const step = (ordinal, name, from, to, over = {}) => ({
  kind: "step",
  step_kind: "step",
  ordinal,
  name,
  attempt: 1,
  began_at: at(from),
  done_at: at(to),
  ...over,
});

const CHARGE = [
  { method: "POST", url: "https://bank.example/charge", status: 504, ms: 30_000 },
  { attempt: 1, error: "The bank did not answer (504)." },
  { method: "POST", url: "https://bank.example/charge", status: 200, ms: 80 },
];

/** Killed, retried, asked and answered, handed over to another version on another node. */
function story(id) {
  const question = {
    question_id: "q1",
    task_id: id,
    ordinal: 3,
    name: "mug",
    text: "Ship without the blue mug?",
    schema: {
      type: "string",
      oneOf: [
        { const: "ship_rest", title: "Ship the rest" },
        { const: "wait", title: "Wait" },
      ],
    },
    state: "answered",
    asked_at: at(76),
    until: at(9000),
    answer: "ship_rest",
    answered_by: "user:dev",
    answered_at: at(198),
  };
  stub.questions.set(id, [question]);
  const { schema: _schema, task_id: _task, ...shown } = question;
  return [
    { kind: "started", at: at(0) },
    began(1, 0),
    step(1, "Reserve stock", 0, 0.4),
    ended(1, 5, "crashed"),
    gap(5, 43, "process"),
    began(2, 43),
    step(2, "Charge the card", 44, 75, { attempt: 2, log: CHARGE }),
    { kind: "question", attempt: 2, ...shown },
    ended(2, 77, "parked"),
    gap(77, 198, "wait"),
    began(3, 198),
    ended(3, 199, "handed_over"),
    gap(199, 199.2, "process"),
    began(4, 199.2, { node: "shop-2", program: "v2" }),
    step(4, "Ship", 199.3, 201, { attempt: 4 }),
    { kind: "ended", at: at(201), state: "succeeded" },
  ];
}

/** A durable task, "Order 4711", with this timeline. */
function order(entries, over = {}) {
  const call = stub.asked("refine_output", { text: "mug" }, DONE, at(0));
  const id = stub.task(call, "refine_output", {
    name: "Order 4711",
    durable: true,
    created_at: at(0),
    attempt: 4,
    steps: { done: 3 },
    ...over,
  });
  stub.timelines.set(id, typeof entries === "function" ? entries(id) : entries);
  return id;
}

const ENDED = { state: "succeeded", deadline_at: undefined, finished_at: at(201) };
const panel = (page) => page.getByRole("dialog", { name: "Order 4711" });
const details = (page) => page.locator("#turns").getByRole("button", { name: "Details of Order 4711" });
const rows = (page) => panel(page).locator(".event");

/** What is read in each row, without its time. */
const read = (page) =>
  rows(page).evaluateAll((all) =>
    all.map((row) =>
      [".event-what .event-name", ".took", ".event-note"]
        .map((part) => row.querySelector(`:scope > ${part}`)?.textContent)
        .filter(Boolean)
        .join(" | "),
    ),
  );

describe("the timeline of a task", () => {
  test("a stranger reads what happened to a task that was killed, retried, answered and handed over", async () => {
    order(story, ENDED);
    const page = await opened();
    await details(page).click();
    await rows(page).nth(8).waitFor();
    const told = (await read(page)).map((row) => row.replace(/\d\d:\d\d$/, "10:03"));
    assert.deepEqual(told, [
      "Started by you",
      "Reserve stock | 0.4 s",
      "Its process ended or lost touch | 38 s | No process ran it for 38 s",
      "Went on, 1 step kept | Attempt 2",
      "Charge the card | 31 s",
      "Ship without the blue mug? | 2:02 | You answered: Ship the rest, 10:03",
      "Waited | 2:01",
      "Went on, 2 steps kept | Attempt 3",
      "Its process stopped and handed it over",
      "Went on, 2 steps kept | Attempt 4 · On shop-2 · Another version of the program",
      "Ship | 1.7 s",
      "Succeeded",
    ]);
    const tries = await panel(page).locator(".event-log li").allTextContents();
    assert.deepEqual(tries, [
      "POST https://bank.example/charge · 50430 s",
      "Attempt 1 failed: The bank did not answer (504).",
      "POST https://bank.example/charge · 2000.1 s",
    ]);
    const sum = await panel(page).locator(".timeline-sum").textContent();
    assert.equal(sum, "Worked 42 s · waited 2:01 · 38 s without a process", "time without a process is no work");
    assert.match(await panel(page).locator(".timeline-state").textContent(), /^Succeeded · started .* · 4 attempts/);
    assert.equal(await panel(page).locator(".span-bar.idle, .span-bar.wait").count(), 3);
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });
    await open.accessible("a timeline");
  });

  test("filters show the problems, and the messages with the questions", async () => {
    order(story, ENDED);
    const page = await opened();
    await details(page).click();
    await rows(page).nth(8).waitFor();
    await panel(page).getByRole("button", { name: "Problems 2" }).click();
    assert.deepEqual(
      (await read(page)).map((row) => row.split(" | ")[0]),
      ["Its process ended or lost touch", "Charge the card"],
    );
    await panel(page).getByRole("button", { name: "Messages 1" }).click();
    assert.deepEqual(
      (await read(page)).map((row) => row.split(" | ")[0]),
      ["Ship without the blue mug?"],
    );
    order([{ kind: "started", at: at(0) }], { name: "Quiet", attempt: undefined });
    await page.locator("#turns").getByRole("button", { name: "Details of Quiet" }).click();
    const quiet = page.getByRole("dialog", { name: "Quiet" });
    await quiet.getByRole("button", { name: "Problems 0" }).click();
    await quiet.getByText("No problems.").waitFor();
  });

  test("the keyboard opens it, unfolds a step, and closing gives the focus back", async () => {
    order(story, ENDED);
    const page = await opened();
    await details(page).focus();
    await page.keyboard.press("Enter");
    await rows(page).nth(8).waitFor();
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    assert.equal(await focused(), "Order 4711", "the heading is read first");
    const log = panel(page).locator(".event-log");
    assert.equal(await log.isVisible(), true, "the tries of a problem are unfolded");
    const step = panel(page).getByRole("button", { name: /^Charge the card ?, done$/ });
    await step.focus();
    await page.keyboard.press("Enter");
    assert.equal(await log.isVisible(), false);
    assert.equal(await step.getAttribute("aria-expanded"), "false");
    assert.equal(await focused(), "Charge the card, done", "the row keeps the focus");
    await page.keyboard.press("Escape");
    assert.equal(await panel(page).isVisible(), false);
    assert.equal(await focused(), "Details of Order 4711");
  });

  test("a running task grows at its end, and what runs counts on", async () => {
    const running = { kind: "running", name: "Charge the card", since: new Date(Date.now() - 4000).toISOString() };
    const id = order([{ kind: "started", at: at(0) }, began(1, 0), step(1, "Reserve stock", 0, 1), running], {
      attempt: undefined,
      steps: { done: 1, current: [{ name: running.name, since: running.since }] },
    });
    const page = await opened();
    await details(page).click();
    const now = rows(page).last();
    await now.getByText("Charge the card").waitFor();
    const took = () => now.locator(".took").textContent();
    const before = await took();
    assert.match(before, /^\d\.\d s$/);
    await page.waitForFunction(
      (was) => [...document.querySelectorAll("#timeline .took")].at(-1).textContent !== was,
      before,
    );
    const first = await rows(page).first().elementHandle();
    const entries = stub.timelines.get(id);
    const since = new Date().toISOString();
    entries.splice(3, 1, step(2, "Charge the card", 2, 3), { kind: "running", name: "Ship", since });
    stub.report(id, { steps: { done: 2, current: [{ name: "Ship", since }] } });
    await rows(page).last().getByText("Ship").waitFor();
    assert.ok(await first.evaluate((el) => el.isConnected), "rows stay where they are");
    assert.equal(await rows(page).count(), 4);

    entries.splice(4, 1, ended(1, 6, "crashed"), gap(6, null, "process"));
    stub.change(id, { state: "queued", waits_for: "process", steps: { done: 2 } });
    await panel(page).getByText("No process runs it").waitFor();
    await panel(page)
      .getByText(/^Worked 6\.0 s · \d+:\d\d without a process$/)
      .waitFor();
  });

  test("a long timeline is read in pages, and its end is shown", async () => {
    const many = Array.from({ length: 1200 }, (_, n) => step(n + 1, `Step ${n + 1}`, n, n + 1));
    order([{ kind: "started", at: at(0) }, began(1, 0), ...many, { kind: "ended", at: at(1200), state: "succeeded" }], {
      ...ENDED,
      attempt: undefined,
    });
    const page = await opened();
    await details(page).click();
    await panel(page).getByText("Step 1200", { exact: true }).waitFor();
    assert.equal(await rows(page).count(), 300);
    await panel(page).getByRole("button", { name: "Show earlier" }).click();
    assert.equal(await rows(page).count(), 600);
  });

  test("a timeline that cannot be loaded says so, and loads with the next change", async () => {
    const id = order(story, { attempt: 4 });
    const page = await opened();
    await page.route("**/timeline?*", (route) => route.abort());
    await details(page).click();
    await panel(page).getByText("The timeline could not be loaded.").waitFor();
    await page.unroute("**/timeline?*");
    stub.report(id, { steps: { done: 4 } });
    await rows(page).nth(8).waitFor();
  });

  test("on a wide screen it takes the place of the activity panel, on a phone it covers it", async () => {
    order(story, ENDED);
    const page = await opened();
    await page.locator("#open-tasks").click();
    const activity = page.locator("#drawer");
    await activity.locator(".ended-task summary").click();
    await activity.getByRole("button", { name: "Details" }).click();
    await rows(page).nth(8).waitFor();
    assert.equal(await activity.isVisible(), false);
    assert.equal(await panel(page).evaluate((el) => el.matches(":modal")), false);
    const [left, chat] = await page
      .evaluate(() => ["#timeline", "#main"].map((one) => document.querySelector(one).getBoundingClientRect()))
      .then(([one, other]) => [one.left, other.right]);
    assert.ok(left >= chat - 1, "it is beside the chat");
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.id), "open-tasks");
    await page.setViewportSize({ width: 360, height: 740 });
    await page.locator("#open-tasks").click();
    await activity.getByRole("button", { name: "Details" }).click();
    await rows(page).nth(8).waitFor();
    assert.equal(await panel(page).evaluate((el) => el.matches(":modal")), true);
    await page.goBack();
    assert.equal(await panel(page).isVisible(), false, "back closes what covers the screen");
    assert.equal(await activity.isVisible(), true);
  });

  test("its head says where the task is and who runs it, has the parameters, and cancels", async () => {
    const since = new Date().toISOString();
    const id = order([{ kind: "started", at: at(0) }, began(1, 0)], {
      attempt: undefined,
      steps: { done: 2, current: [{ name: "Charge the card", since }] },
    });
    const page = await opened();
    await details(page).click();
    await panel(page)
      .locator(".timeline-state")
      .getByText(/^Running · step 3, Charge the card · on shop-1 · started /)
      .waitFor();
    await panel(page).getByText("Parameters").click();
    await panel(page).locator(".timeline-params").getByText("mug").waitFor();
    await open.accessible("the head of a timeline");
    await panel(page).getByRole("button", { name: "Cancel Order 4711" }).click();
    await panel(page).getByRole("button", { name: "Asked to stop Order 4711" }).waitFor();
    assert.ok(stub.tasks.get(id).cancel_requested_at);
    stub.end(id, "cancelled", { status: "error", summary: "", data: {}, error: "Stopped.", error_code: "CANCELLED" });
    await panel(page).getByRole("button", { name: "See outcome" }).waitFor();
    assert.equal(
      await panel(page)
        .getByRole("button", { name: /Order 4711/ })
        .count(),
      0,
    );
  });

  test("its link opens it again, also in a page that is open and for a task that is not loaded", async () => {
    const id = order(story, ENDED);
    const page = await opened();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await details(page).click();
    await panel(page).getByRole("button", { name: "Copy link to this timeline" }).click();
    const address = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(address.startsWith(`${stub.url}#task=`), address);
    for (let n = 0; n < 60; n += 1) order([], { name: `Later ${n}` });
    stub.taskPage = 20;
    const other = await open.again(address);
    await rows(other.page).nth(8).waitFor();
    await other.page.keyboard.press("Escape");
    await other.page.evaluate((hash) => (location.hash = hash), new URL(address).hash);
    await rows(other.page).nth(8).waitFor();
    await other.page.keyboard.press("Escape");
    await other.page.evaluate(() => (location.hash = "#task=unknown"));
    await other.page.getByText("The task of this link cannot be shown.").waitFor();
    assert.ok(stub.requests.includes(`GET /v1/tasks/${id}`));
  });

  test("a link leads to the task's traces where an operator has set their place, and there is none without", async () => {
    const id = order(story, ENDED);
    const page = await opened();
    const traces = panel(page).getByRole("link", { name: /^Traces/ });
    await details(page).click();
    await rows(page).first().waitFor();
    assert.equal(await traces.count(), 0);
    stub.traceUrl = `https://traces.example/search?task=${id}`;
    await page.reload();
    await details(page).click();
    await traces.waitFor();
    assert.equal(await traces.getAttribute("href"), stub.traceUrl);
    assert.equal(await traces.getAttribute("rel"), "noopener noreferrer");
    await open.accessible("a timeline with a link to its traces");
  });

  test("a background task has no timeline", async () => {
    order([], { ...ENDED, durable: undefined });
    const page = await opened();
    await page
      .locator("#turns .task")
      .getByRole("button", { name: /See outcome/ })
      .waitFor();
    assert.equal(await details(page).count(), 0);
  });
});

for (const [name, options] of SCREENS)
  test(`no accessibility violation and no sideways scrolling in a timeline: ${name}`, async () => {
    order(story, ENDED);
    const page = await opened(options);
    await details(page).click();
    await rows(page).nth(8).waitFor();
    await open.accessible("a timeline");
    await open.fits("a timeline");
  });
