// Effects and steps that failed: what is read of them on the card, in its list of steps, and in the timeline.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { listen, hears } from "./listen.mjs";
import { SCREENS } from "./page-states.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const BEGAN = Date.now() - 600_000;
const at = (second) => new Date(BEGAN + second * 1000).toISOString();

/** A durable task, "Order 4711". */
function order(over = {}) {
  const call = stub.asked("refine_output", { text: "mug" }, DONE, at(0));
  return stub.task(call, "refine_output", { name: "Order 4711", durable: true, created_at: at(0), ...over });
}

const card = (page) => page.locator("#turns .task");
const panel = (page) => page.getByRole("dialog", { name: "Order 4711" });
const details = (page) => page.locator("#turns").getByRole("button", { name: "Details of Order 4711" });
const rows = (page) => panel(page).locator(".event");

/** What is seen in each row, without its time. */
const read = (page) =>
  rows(page).evaluateAll((all) =>
    all.map((row) =>
      [
        ...row.querySelectorAll(
          ":scope > .event-what .event-name, :scope > .event-what .event-state, :scope > .event-note",
        ),
      ]
        .map((part) => part.textContent)
        .join(" ")
        .replace(/\d\d:\d\d(\.?)$/, "10:03$1"),
    ),
  );

const began = (attempt, second, over = {}) => ({
  kind: "attempt_began",
  at: at(second),
  attempt,
  node: "shop-1",
  program: "v1",
  ...over,
});
const ended = (attempt, second, by) => ({ kind: "attempt_ended", at: at(second), attempt, by });
const gap = (from, to, why) => ({ kind: "unattended", from: at(from), to: at(to), why });
const row = (ordinal, step_kind, name, attempt, second, over = {}) => ({
  kind: "step",
  step_kind,
  ordinal,
  name,
  attempt,
  began_at: at(second),
  done_at: at(second + 1),
  ...over,
});
const unfinished = (name, how, from, to, over = {}) => ({
  kind: "unfinished",
  number: 3,
  name,
  how,
  began_at: at(from),
  ended_at: at(to),
  tries: 1,
  ...over,
});

const CHARGE = [
  { method: "POST", url: "https://bank.example/charge", status: 504, ms: 30_000 },
  { attempt: 1, error: "The bank did not answer (504)." },
];

/** Killed in an effect, handed over in a step, retried, asked about an effect, and failed at a step. */
function story(id) {
  const question = {
    question_id: "q1",
    task_id: id,
    ordinal: 8,
    name: "book",
    effect: "book",
    text: "It is not known whether `book` was done. It ended with: The service did not answer.",
    schema: {
      oneOf: [
        { const: "done", title: "It was done", type: "string" },
        { const: "again", title: "It was not done", type: "string" },
        { const: "stop", title: "Stop the task", type: "string" },
      ],
    },
    state: "answered",
    asked_at: at(76),
    until: at(9000),
    answer: "again",
    answered_by: "user:dev",
    answered_at: at(198),
  };
  stub.questions.set(id, [question]);
  const { schema: _schema, task_id: _task, ...shown } = question;
  stub.timelines.set(id, [
    { kind: "started", at: at(0) },
    began(1, 0),
    row(1, "intent", "mail", 1, 1),
    row(2, "effect", "mail", 1, 1, { known_by: "returned" }),
    row(3, "intent", "pay", 1, 3),
    ended(1, 5, "crashed"),
    gap(5, 43, "process"),
    began(2, 43),
    row(4, "effect", "pay", 2, 44, { known_by: "returned" }),
    unfinished("render", "cut_off", 46, 50),
    ended(2, 50, "handed_over"),
    gap(50, 52, "process"),
    began(3, 52, { node: "shop-2", program: "v2" }),
    row(5, "step", "render", 3, 52),
    row(6, "intent", "book", 3, 54),
    unfinished("book", "unknown", 54, 75, { log: CHARGE }),
    { kind: "question", attempt: 3, ...shown },
    ended(3, 77, "parked"),
    gap(77, 198, "wait"),
    began(4, 198, { node: "shop-2", program: "v2" }),
    row(9, "not_done", "book", 4, 198, { known_by: "user" }),
    row(10, "intent", "ship", 4, 199),
    unfinished("Charge the card", "failed", 200, 240, {
      number: 5,
      tries: 5,
      of_tries: 5,
      error: "The card has expired.",
      log: CHARGE,
    }),
    { kind: "unasked", at: at(241), names: ["resize", "crop"], more: 1 },
    { kind: "ended", at: at(241), state: "failed", code: "TASK_FAILED" },
  ]);
  return id;
}

const FAILED = {
  state: "failed",
  deadline_at: undefined,
  finished_at: at(241),
  attempt: 4,
  open_effects: 1,
  steps: { done: 4, failed: { number: 5, name: "Charge the card", tries: 5 } },
};

describe("the timeline of effects and failures", () => {
  test("every state of an effect has visible words, and so have its resolution and the step that failed", async () => {
    story(order(FAILED));
    const page = await opened();
    await details(page).click();
    await rows(page).nth(15).waitFor();
    assert.deepEqual(await read(page), [
      "Started by you",
      "mail",
      "pay , begun It was not known whether it was done, until 10:03.",
      "Its process ended or lost touch No process ran it for 38 s",
      "Went on, 1 step kept Attempt 2",
      "pay , done It was done again under the same key.",
      "render , cut off",
      "Its process stopped and handed it over No process ran it for 2.0 s",
      "Went on, 2 steps kept Attempt 3 · On shop-2 · Another version of the program",
      "render",
      "book , unknown It is not known whether it was done.",
      "It is not known whether `book` was done. It ended with: The service did not answer. You answered: It was not done, 10:03",
      "Waited",
      "Went on, 3 steps kept Attempt 4",
      "book , not done You said that it was not done.",
      "ship , unknown It is not known whether it was done.",
      "Charge the card , failed Step 5, 5 attempts: The card has expired.",
      "3 stored steps were not asked for resize, crop and 1 more: renamed or removed in the program, so the work was done twice or for nothing.",
      "Failed TASK_FAILED",
    ]);
    if (process.env.SHOT) await page.screenshot({ path: `${process.env.SHOT}-timeline.png`, fullPage: true });
    assert.equal(await panel(page).locator(".event-log:visible li").count(), 4, "with the requests of the failed step");
    await panel(page)
      .getByRole("button", { name: /^Problems/ })
      .click();
    const problems = (await read(page)).map((line) => line.split(" ")[0]);
    assert.deepEqual(problems, ["pay", "Its", "pay", "render", "book", "book", "ship", "Charge", "3", "Failed"]);
    await open.accessible("a timeline with effects");
  });

  test("a task whose effect runs now is not called unknown", async () => {
    const since = new Date().toISOString();
    const id = order({ steps: { done: 0, current: [{ name: "pay", since }] }, open_effects: 1 });
    const running = { kind: "running", name: "pay", since };
    stub.timelines.set(id, [{ kind: "started", at: at(0) }, began(1, 0), row(1, "intent", "pay", 1, 1), running]);
    const page = await opened();
    await details(page).click();
    await rows(page).nth(1).waitFor();
    assert.deepEqual(await read(page), ["Started by you", "pay"]);
  });
});

describe("the list of steps with effects", () => {
  const listed = (page) =>
    card(page)
      .locator(".step:not(.now)")
      .evaluateAll((all) => all.map((one) => one.querySelector(".step-name").textContent));

  test("the rows of an effect are one line with its latest state, and only what was done is kept", async () => {
    const id = order({ attempt: 2, steps: { done: 2, kept: 1 }, state: "waiting", waits_for: "answer" });
    const store = (kind, name, over) => stub.store(id, name, { kind, ...over });
    store("intent", "mail", { attempt: 1 });
    store("effect", "mail", { attempt: 1, known_by: "returned" });
    store("intent", "pay", { attempt: 1 });
    store("step", "render", { attempt: 2 });
    store("intent", "book", { attempt: 1 });
    store("not_done", "book", { attempt: 1, known_by: "look_up" });
    store("question", "imperal:effect/3/0/0197/pay", { attempt: 2 });
    const page = await opened();
    await card(page).getByRole("button", { name: "2 done of Order 4711" }).click();
    await card(page).locator(".step").nth(4).waitFor();
    assert.deepEqual(await listed(page), [
      "mail, done, kept",
      "pay, begun: it is not known whether it was done",
      "render, done, ",
      "book, not done",
      "pay, question, ",
    ]);
    await card(page).getByText("The look-up found that it was not done.").waitFor();
    assert.equal(await card(page).getByText("begun: it is not known whether it was done").isVisible(), true);
    if (process.env.SHOT) await page.screenshot({ path: `${process.env.SHOT}-steps.png` });
    await open.accessible("steps with effects");
    store("effect", "pay", { attempt: 2, known_by: "confirmed" });
    stub.report(id, { steps: { done: 3, kept: 1 } });
    await card(page).getByText("3 done").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#turns .step.warn").length === 0);
    assert.equal((await listed(page))[1], "pay, done, ", "in its place");
  });

  test("an effect that runs is not listed a second time", async () => {
    const since = new Date().toISOString();
    const id = order({ steps: { done: 1, current: [{ name: "pay", since }] } });
    stub.store(id, "reserve");
    stub.store(id, "pay", { kind: "intent" });
    const page = await opened();
    await card(page).getByRole("button", { name: "1 done of Order 4711" }).click();
    await card(page).locator(".step").first().waitFor();
    assert.deepEqual(await listed(page), ["reserve, done, "]);
  });
});

describe("the card of a task that has ended", () => {
  const RESULT = { status: "error", summary: "", data: {}, error: "The card has expired.", error_code: "TASK_FAILED" };

  test("says at which step it failed and why, how often it was tried, and that it asked", async () => {
    const id = order({ steps: { done: 4, current: [] } });
    const page = await opened();
    const question = stub.ask(id);
    await card(page).getByText("Publish these images?").waitFor();
    stub.answered(question, "Later", "user:dev", { state: "running", waits_for: undefined, attempt: 2 });
    await card(page).getByText("Answered elsewhere: Later").waitFor();
    await listen(page);
    Object.assign(stub.tasks.get(id), { created_at: new Date(Date.now() - 72_000).toISOString() });
    stub.report(id, { steps: { done: 4, failed: { number: 5, name: "Charge the card", tries: 5 } } });
    stub.end(id, "failed", RESULT);
    const title = card(page).getByRole("heading", { level: 3 });
    await title.getByText(/^Failed at step 5, Charge the card, within 1:1\d · 4 steps · asked once$/).waitFor();
    await card(page).getByText("The card has expired. 5 attempts.").waitFor();
    await hears(page, "Order 4711 failed within 1 minute 12 seconds: The card has expired.");
    if (process.env.SHOT) await page.screenshot({ path: `${process.env.SHOT}-ended.png` });
    await open.accessible("a failed card");
  });

  test("one that failed after its steps names none", async () => {
    const id = order({ steps: { done: 4, current: [] } });
    const page = await opened();
    stub.end(id, "failed", RESULT);
    await card(page).getByText("The card has expired.").waitFor();
    assert.match(await card(page).getByRole("heading").textContent(), /^Failed within /);
  });
});

for (const [name, options] of SCREENS)
  test(`no accessibility violation and no sideways scrolling with effects: ${name}`, async () => {
    const id = story(order(FAILED));
    const page = await opened(options);
    await details(page).click();
    await rows(page).nth(15).waitFor();
    await open.accessible("a timeline with effects");
    await open.fits("a timeline with effects");
    if (process.env.SHOT) {
      const shot = `${process.env.SHOT}-${name.replaceAll(" ", "-")}`;
      await page.screenshot({ path: `${shot}.png` });
      await rows(page).last().scrollIntoViewIfNeeded();
      await page.screenshot({ path: `${shot}-end.png` });
    }
    const small = options.hasTouch
      ? await panel(page)
          .locator("button:visible, summary:visible")
          .evaluateAll((all) => all.filter((el) => el.getBoundingClientRect().height < 32).map((el) => el.textContent))
      : [];
    assert.deepEqual(small, [], `what a finger presses in the timeline of ${id}`);
  });
