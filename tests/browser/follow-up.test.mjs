// Going on from an ended durable task, and running it again: the buttons on its card, what is asked before, the focus, and the
// links between the ended task and the new one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./deadline.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const FAILED = { status: "error", summary: "", data: {}, error: "The card has expired.", error_code: "CARD_EXPIRED" };

/** An ended durable task with two done steps. */
function ended(state = "failed", over = {}, failure = FAILED) {
  const call = stub.asked("refine_output", { text: "a draft" }, { status: "success", summary: "Shipping…", data: {} });
  const task = stub.task(call, "refine_output", { name: "Order 4711", durable: true, steps: { done: 2 }, ...over });
  stub.store(task, "Reserve stock");
  stub.store(task, "Print label");
  const done = { status: "success", summary: "Shipped.", data: {} };
  stub.end(task, state, state === "succeeded" ? done : failure);
  return task;
}

const starts = () => stub.requests.filter((request) => /\/(continue|run-again)$/.test(request));

test("a failed task says what is kept, and goes on in a new task by the keyboard", async () => {
  const task = ended();
  const page = await opened();
  const card = page.locator(`.task[data-task="${task}"]`);
  const goOn = card.getByRole("button", { name: "Go on from step 3 of Order 4711" });
  await card.getByText("2 done steps are kept and not done again.", { exact: true }).waitFor();
  await open.accessible("a failed task");
  await goOn.focus();
  await page.keyboard.press("Enter");
  const see = card.getByRole("button", { name: "See the new task Order 4711" });
  await see.waitFor();
  await until("the focus is on the way to the new task", () => see.evaluate((el) => el === document.activeElement));
  assert.equal(await goOn.count(), 0);
  await until("it is announced", async () =>
    (await open.said()).some((text) => text === "Order 4711 goes on in a new task. 2 done steps kept."),
  );
  await open.seen("Go on with “Order 4711” from step 3");
  await page.keyboard.press("Enter");
  const fresh = page.locator(".task:not(.ended)");
  await until("the new task's card has the focus", () => fresh.evaluate((el) => el === document.activeElement));
  await fresh.getByText("Goes on from an earlier task, 2 steps kept", { exact: true }).waitFor();
  await open.accessible("both tasks");
  await fresh.getByRole("button", { name: "See that task of Order 4711" }).click();
  await until("the ended task's card has the focus", () => card.evaluate((el) => el === document.activeElement));
  assert.equal(starts().length, 1);
});

test("a double click and a second window start one task", async () => {
  const task = ended();
  const page = await opened();
  const other = await open.again(stub.url);
  await other.state("live");
  const button = (of) => of.getByRole("button", { name: "Go on from step 3 of Order 4711" });
  await button(other.page).waitFor();
  await button(page).dblclick();
  await page.getByText("A new task goes on from here", { exact: true }).waitFor();
  assert.equal(starts().length, 1, "the button waits for its answer");
  await other.page.getByText("A new task goes on from here", { exact: true }).waitFor();
  assert.equal(await button(other.page).count(), 0, "the other window knows it from the stream");
  assert.equal([...stub.tasks.values()].filter(({ follows }) => follows?.task_id === task).length, 1);
});

test("effects that were done are named before they are done again", async () => {
  const task = ended();
  stub.store(task, "Charge the card", { kind: "intent" });
  stub.store(task, "Charge the card", { kind: "effect" });
  stub.store(task, "Tell the customer", { kind: "intent" });
  stub.store(task, "Pay by a declined card", { kind: "intent" });
  stub.store(task, "Pay by a declined card", { kind: "not_done" });
  const page = await opened();
  const card = page.locator(`.task[data-task="${task}"]`);
  const again = card.getByRole("button", { name: "Run again from the start of Order 4711" });
  await again.click();
  const dialog = page.getByRole("alertdialog");
  await dialog.getByText("Charge the card, Tell the customer", { exact: true }).waitFor();
  await open.accessible("the question");
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await until("the focus is back", () => again.evaluate((el) => el === document.activeElement));
  assert.equal(starts().length, 0);
  // To go on does none of them again, and asks nothing.
  await again.click();
  await dialog.getByRole("button", { name: "Run it again" }).click();
  await card.getByText("It ran again in a new task", { exact: true }).waitFor();
  assert.match(starts()[0], /run-again$/);
});

test("a refusal stays beside the buttons", async () => {
  const task = ended("timed_out");
  stub.refuseFollowUp =
    "The task cannot go on. The values of its steps are no longer kept: run it again from the start.";
  const page = await opened();
  const card = page.locator(`.task[data-task="${task}"]`);
  const goOn = card.getByRole("button", { name: "Go on from step 3 of Order 4711" });
  await goOn.click();
  await card.getByRole("alert").getByText(stub.refuseFollowUp, { exact: true }).waitFor();
  await until("the focus stays", () => goOn.evaluate((el) => el === document.activeElement));
  stub.refuseFollowUp = null;
  await goOn.click();
  await card.getByText("A new task goes on from here", { exact: true }).waitFor();
  assert.equal(await card.getByRole("alert").count(), 0);
});

test("a task that succeeded can only run again, and a background task neither", async () => {
  const done = ended("succeeded");
  const background = ended("failed", { durable: undefined, steps: undefined });
  const page = await opened();
  const line = page.locator(`.task[data-task="${done}"] .ended-line`);
  await line.getByRole("button", { name: "Run again of Order 4711" }).click();
  await line.getByText("It ran again in a new task", { exact: true }).waitFor();
  const other = page.locator(`.task[data-task="${background}"]`);
  await other.getByRole("button", { name: "See outcome" }).waitFor();
  assert.equal(await other.locator(".follow-up").count(), 0);
});

test("the turn that goes on says so, and has no form", async () => {
  const task = ended();
  const page = await opened();
  await page
    .locator(`.task[data-task="${task}"]`)
    .getByRole("button", { name: /^Go on from step 3/ })
    .click();
  const turn = page.locator(".turn.user").last();
  await turn.getByText("Go on with “Order 4711” from step 3", { exact: true }).waitFor();
  assert.equal(await turn.getByRole("button").count(), 0);
});

test("a follower that is not loaded is named by its id, on the card and in the timeline", async () => {
  const call = stub.asked("refine_output", { text: "a draft" }, { status: "success", summary: "Shipping…", data: {} });
  const next = stub.task(call, "refine_output", { name: "Order 4711", durable: true, steps: { done: 3 } });
  stub.end(next, "succeeded", { status: "success", summary: "Shipped.", data: {} });
  const task = ended("failed", { followed_by: next });
  stub.taskPage = 1; // only the ended task
  const page = await opened();
  const card = page.locator(`.task[data-task="${task}"]`);
  await card.getByText("It was continued as another task", { exact: true }).waitFor();
  assert.equal(await card.getByRole("button", { name: /^Go on from|^Run again/ }).count(), 0);
  await open.accessible("a task whose follower is not loaded");
  await card.getByRole("button", { name: "Details of Order 4711" }).click();
  const panel = page.getByRole("dialog", { name: "Order 4711" });
  await panel.getByText("Continued as another task").getByRole("link").click();
  await panel.locator(`code[title="${next}"]`).waitFor();
  assert.equal(await panel.getByText("Continued as another task").isVisible(), false);
  await page.keyboard.press("Escape");
  await card.getByRole("button", { name: "See the new task Order 4711" }).click();
  const other = page.locator(`.task[data-task="${next}"]`);
  await until("the new task's card has the focus", () => other.evaluate((el) => el === document.activeElement));
});

test("the outcome of a durable task leads to the ways on at its card, and has no second one", async () => {
  const retryable = { ...FAILED, error_code: "BANK_DOWN", retryable: true };
  const task = ended("failed", {}, retryable);
  const page = await opened();
  const outcome = page.locator(".turn.bot .card.outcome");
  await outcome.waitFor();
  assert.equal(
    await outcome.getByRole("button", { name: "Run again", exact: true }).count(),
    0,
    "it would keep nothing",
  );
  await outcome.getByRole("button", { name: "Go on or run again, at its card" }).click();
  const card = page.locator(`.task[data-task="${task}"]`);
  await until("the card has the focus", () => card.evaluate((el) => el === document.activeElement));
  assert.equal(await card.getByRole("button", { name: /^Run again/ }).count(), 1);
});
