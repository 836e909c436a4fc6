// Cards of tasks in the chat: the time left, and the outcome in place.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
const ahead = (seconds) => ago(-seconds);

function running(over) {
  const call = stub.asked("refine_output", { text: "a draft" }, { status: "success", summary: "Working.", data: {} });
  return stub.task(call, "refine_output", { long_running: true, deadline_at: ahead(1700), ...over });
}

test("a running task shows an estimate, and its time limit only in the tooltip", async () => {
  running({ created_at: ago(60), percent: 50 });
  const page = await opened();
  const left = page.locator(".task .left");
  await left.getByText(/^about (0:5[05]|1:00|1:15) left$/).waitFor();
  assert.match(await left.getAttribute("title"), /^It may take \d+ minutes at most, until /);
});

test("without enough reports there is no estimate, and a time limit that is near is shown", async () => {
  running({ created_at: ago(60), percent: 3 });
  running({ created_at: ago(160), deadline_at: ahead(20), percent: 50 });
  const page = await opened();
  await page
    .locator(".task .left.soon")
    .getByText(/^0:\d\d to its time limit$/)
    .waitFor();
  assert.equal(await page.locator(".task .left").first().textContent(), "");
});

test("the outcome of an ended task unfolds at the card of its call", async () => {
  const task = running({});
  stub.end(task, "succeeded", { status: "success", summary: "It is **done**.", data: { text: "the refined text" } });
  const page = await opened();
  const card = page.locator(".task.ended");
  const unfold = card.getByRole("button", { name: "Show outcome here of Refine output" });
  await unfold.focus();
  await page.keyboard.press("Enter");
  await card.locator("strong", { hasText: "done" }).waitFor();
  await card.getByText("the refined text").waitFor();
  const hide = card.getByRole("button", { name: "Hide outcome of Refine output" });
  assert.equal(await hide.getAttribute("aria-expanded"), "true");
  assert.ok(await hide.evaluate((el) => el === document.activeElement), "the focus stays");
  await open.accessible("an outcome in place");
  await hide.click();
  assert.equal(await card.getByText("the refined text").isVisible(), false);
});

test("an outcome that the page does not have is loaded when it unfolds", async () => {
  const task = running({});
  stub.end(task, "succeeded", { status: "success", summary: "Long ago.", data: {} });
  stub.pageTurns = 2;
  stub.events.pop(); // the outcome turn is not in the loaded history
  const page = await opened();
  await page.getByRole("button", { name: "Show outcome here of Refine output" }).click();
  await page.locator(".task.ended").getByText("Long ago.").waitFor();
});
