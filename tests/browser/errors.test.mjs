// Errors at the controls that they belong to: those of a lost connection go when the server answers again, those of a refusal
// stay; Markdown in them is drawn, and screen readers hear plain words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const FAILED = { status: "error", summary: "", data: {}, error: "The process stopped.", error_code: "INTERRUPTED" };
const TREE = {
  type: "Button",
  props: { label: "Again", on_click: { action: "call", function: "ping", params: { n: 9 } } },
};

const offline = async (page) => {
  await open.context.setOffline(true);
  await open.state("offline");
  return page;
};
const back = async () => {
  await open.context.setOffline(false);
  await open.state("live");
};
const errors = (page) => page.locator(".field-error:visible, .form-error:visible");

test("errors of a lost connection go when the page is connected again, at every control", async () => {
  const running = stub.asked("refine_output", { text: "x" }, DONE);
  const id = stub.task(running, "refine_output", { durable: true, attempt: 1, steps: { done: 1, current: [] } });
  stub.store(id, "Read");
  stub.asked("ping", { n: 1 }, FAILED);
  stub.asked("list_drafts", { query: "x" }, { ...DONE, ui: TREE });
  const waits = stub.id("call");
  stub.turn({ role: "user", text: "ping", function: "ping", params: { n: 3 }, call_id: waits });
  const page = await opened();
  await page.locator(".working").waitFor();
  await offline(page);
  const presses = {
    Cancel: page.locator(".turn .task").getByRole("button", { name: /^Cancel/ }),
    "Run again": page.getByRole("button", { name: "Run again List drafts" }),
    "Run again, of an interrupted call": page.locator(".way-out").getByRole("button", { name: "Run again" }),
    Stop: page.getByRole("button", { name: "Stop Ping" }),
    "a button of an answer": page.getByRole("button", { name: "Again", exact: true }),
    "the steps of a task": page.locator(".turn .steps-toggle"),
  };
  for (const button of Object.values(presses)) await button.click();
  await page.waitForFunction(
    (n) =>
      [...document.querySelectorAll(".field-error")].filter((el) => el.offsetParent && el.textContent).length === n,
    Object.keys(presses).length,
  );
  for (const text of await errors(page).allTextContents()) {
    assert.match(text, /You are offline\. Try again/);
    assert.doesNotMatch(text, /input/, "there is no input at these controls");
  }
  await open.accessible("errors of a lost connection");
  await back();
  await page.waitForFunction(
    () => ![...document.querySelectorAll(".field-error")].some((el) => el.offsetParent && el.textContent),
  );
  await presses.Cancel.click();
  await page.locator(".task.cancelling").waitFor();
});

test("an error of a lost connection goes too if only one request was lost, with the next answer", async () => {
  const id = stub.task(stub.asked("refine_output", { text: "x" }, DONE), "refine_output");
  const page = await opened();
  const cancel = page.getByRole("button", { name: "Cancel Refine output" });
  await page.route("**/cancel", (route) => route.fulfill({ status: 502, body: "<h1>Bad gateway</h1>" }), { times: 1 });
  await cancel.click();
  await page.getByText("The server answered 502. Try again.").waitFor();
  await page.locator("#open-audit").click(); // any request
  await page.waitForFunction(() => !document.querySelector(".task .field-error").offsetParent);
  await page.keyboard.press("Escape");
  await cancel.click();
  await page.locator(".task.cancelling").waitFor();
  assert.ok(stub.tasks.get(id).cancel_requested_at);
});

test("a refusal stays, with its Markdown drawn", async () => {
  stub.asked("list_drafts", { query: "x" }, DONE);
  const page = await opened();
  stub.refuse = { status: 429, code: "TOO_MANY", message: "At most **3** calls of `list_drafts` at once." };
  await page.getByRole("button", { name: "Run again List drafts" }).click();
  const error = page.locator(".turn.user .field-error");
  await error.locator("strong", { hasText: "3" }).waitFor();
  assert.equal(await error.locator("code").textContent(), "list_drafts");
  stub.cut();
  await open.state("live");
  await page.locator("#open-audit").click();
  await page.locator(".audit-row").first().waitFor();
  assert.ok(await error.isVisible());
});

test("Markdown of a refusal is drawn at its field and in the form; what a person typed is not", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("x");
  stub.refuse = { status: 422, code: "INVALID", message: "`text` must be **longer**.", field: "text" };
  await open.run();
  const field = page.locator(".field .field-error:visible");
  await field.locator("code", { hasText: "text" }).waitFor();
  assert.equal(await field.textContent(), "text must be longer.");
  await page.locator("#announcer p", { hasText: /^text must be longer\.$/ }).waitFor({ state: "attached" });
  stub.refuse = { status: 429, code: "TOO_MANY", message: "Wait for **one** to end." };
  await open.run();
  await page.locator(".form-error strong", { hasText: "one" }).waitFor();
  await open.choose("Edit all");
  await page.getByRole("button", { name: "Edit as JSON" }).click();
  await page.locator(".function-form textarea").fill("**not** JSON");
  await open.run();
  const json = page.locator(".function-form .field-error:visible");
  await json.getByText("This is not JSON").waitFor(); // some browsers quote the text
  assert.equal(await json.locator("strong").count(), 0);
});

test("a result that could not be loaded is loaded when the page is connected again", async () => {
  const call = stub.asked("refine_output", { text: "x" }, DONE);
  const id = stub.task(call, "refine_output");
  const result = { ...DONE, summary: "An **old** outcome." };
  Object.assign(stub.tasks.get(id), { state: "succeeded", finished_at: new Date().toISOString(), result });
  const page = await opened();
  const show = page.getByRole("button", { name: "Show outcome here of Refine output" });
  await show.waitFor();
  await offline(page);
  await show.click();
  await page.locator(".outcome-here .form-error", { hasText: "You are offline." }).waitFor();
  await back();
  await page.locator(".outcome-here strong", { hasText: "old" }).waitFor();
});

test("errors of Cancel all, of older tasks and of signing out go when the page is connected again", async () => {
  const ended = { state: "succeeded", finished_at: new Date().toISOString() };
  for (let n = 0; n < 100; n += 1) {
    const id = stub.task(stub.id("call"), "refine_output", ended);
    stub.tasks.get(id).created_at = new Date(Date.now() - n * 1000).toISOString();
  }
  for (let n = 0; n < 2; n += 1) stub.task(stub.asked("refine_output", { text: "x" }, DONE), "refine_output");
  const page = await opened();
  await page.locator("#open-tasks").click();
  await page.getByRole("button", { name: "Show older tasks" }).waitFor();
  await offline(page);
  await page.getByRole("button", { name: "Cancel all 2" }).click();
  await page.getByRole("button", { name: "Cancel them" }).click();
  await page.getByText("2 could not be asked: You are offline. Try again.").waitFor();
  await page.getByRole("button", { name: "Show older tasks" }).click();
  await page.locator(".form-error", { hasText: "You are offline." }).waitFor();
  await page.locator("#account > summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are still signed in.").waitFor();
  await back();
  await page.getByText("You are still signed in.").waitFor({ state: "hidden" });
  await page.locator(".form-error", { hasText: "You are offline." }).waitFor({ state: "detached" });
  await page.getByText("could not be asked").waitFor({ state: "detached" });
  await page.getByText("Asked 0 tasks to stop.").waitFor();
});

test("the audit trail and its check recover from a lost connection", async () => {
  stub.asked("ping", {}, DONE);
  const page = await opened({ viewport: { width: 1280, height: 860 } });
  await page.locator("#open-audit").click();
  await page.locator(".audit-row").first().waitFor();
  await offline(page);
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByText("The trail could not be checked.").waitFor();
  await back();
  await page.getByText("Is the trail intact?").waitFor();
});
