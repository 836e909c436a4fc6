// The keys of the page: their list, moving between turns, leaving a form, and turning single letters off.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const ten = () => {
  for (let n = 0; n < 10; n += 1) stub.turn({ text: `message ${n}` });
};
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

test("? lists the keys, and the list closes again", async () => {
  const page = await opened();
  await page.keyboard.press("?");
  const list = page.getByRole("dialog", { name: "Keys" });
  await list.waitFor();
  assert.ok((await list.locator("dt").count()) > 8);
  await open.accessible("the list of keys");
  await page.keyboard.press("Escape");
  await list.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "All keys" }).click();
  await list.waitFor();
});

test("Alt with arrows moves between turns, and Alt+End goes to the newest", async () => {
  ten();
  const page = await opened();
  await page.keyboard.press("Alt+ArrowUp");
  assert.match(await focused(page), /message 9/);
  await page.keyboard.press("Alt+ArrowUp");
  await page.keyboard.press("Alt+ArrowUp");
  assert.match(await focused(page), /message 7/);
  await page.keyboard.press("Alt+ArrowDown");
  assert.match(await focused(page), /message 8/);
  await page.keyboard.press("Alt+End");
  assert.match(await focused(page), /message 9/);
  await page.keyboard.press("Alt+ArrowDown");
  assert.match(await focused(page), /message 9/, "there is none after it");
});

test("Alt with arrows reaches the cards of tasks between the turns", async () => {
  stub.turn({ text: "before" });
  const call = stub.asked("refine_output", { text: "x" }, DONE);
  const ids = [stub.task(call, "refine_output"), stub.task(call, "refine_output", { name: "Order 4711" })];
  stub.turn({ text: "after" });
  const page = await opened();
  await page.locator("#turns .task").nth(1).waitFor();
  const at = () => page.evaluate(() => document.activeElement.dataset.task ?? document.activeElement.className);
  const seen = [];
  for (let n = 0; n < 5; n += 1) {
    await page.keyboard.press("Alt+ArrowUp");
    seen.push(await at());
  }
  assert.deepEqual(seen.slice(1, 3), [ids[1], ids[0]]);
  assert.match(seen[3], /^turn bot/, "the reply that they are under");
  await page.keyboard.press("Alt+ArrowDown");
  await page.keyboard.press("Alt+ArrowDown");
  assert.equal(await at(), ids[0]);
  stub.progress(ids[0], 40, "Half");
  await page.locator(".task").getByText("Half").waitFor();
  assert.equal(await at(), ids[0], "news of the task leave the focus");
  await page.getByRole("heading", { name: "Order 4711", level: 3 }).waitFor();
});

test("moving up loads earlier turns", async () => {
  for (let n = 0; n < 100; n += 1) stub.turn({ text: `message ${n}` });
  const page = await opened();
  for (let n = 0; n < 100; n += 1) {
    await page.keyboard.press("Alt+ArrowUp");
    await page.waitForFunction((text) => document.activeElement.textContent.includes(text), `message ${99 - n}`);
  }
});

test("Esc in a form goes back to the list and keeps what was typed", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("half a thought");
  await page.keyboard.press("Escape");
  await page.getByRole("searchbox", { name: "Search functions" }).waitFor();
  assert.match(await focused(page), /Refine output/, "the focus is on its row");
  await page.keyboard.press("Enter");
  assert.equal(await page.getByLabel("Text").inputValue(), "half a thought");
});

test("letters open tasks and audit, type in a text box, and can be turned off", async () => {
  const page = await opened();
  await page.keyboard.press("t");
  await page.getByRole("tab", { name: "Tasks", selected: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.keyboard.press("a");
  await page.getByRole("tab", { name: "Audit", selected: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("ta?");
  assert.equal(await page.getByRole("searchbox").inputValue(), "ta?");
  await page.getByRole("switch").uncheck();
  await page.locator("#chat").focus();
  for (const key of ["t", "a", "?", "/"]) await page.keyboard.press(key);
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.ok(await page.locator("#chat").evaluate((el) => el === document.activeElement));
});
