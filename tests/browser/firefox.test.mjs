// The page in Firefox: the kinds of faults that differ between browsers. All other files run in Chromium; each runs in Firefox
// too, with TEST_BROWSER=firefox.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch } from "./firefox.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

// Firefox has no emulation of themes: contrast is a preference, for the whole file.
withStub(() => launch({ "browser.display.document_color_use": 2, "ui.prefersReducedMotion": 1 }));

const focused = (page) =>
  page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.tagName);

test("text typed while a call is sent stays, and the focus with it", async () => {
  const page = await opened();
  let go;
  const held = new Promise((done) => (go = done));
  await page.route("**/call", async (route) => (await held, route.continue()));
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("first text");
  await page.keyboard.press("Control+Enter");
  await page.getByText("Sending…").waitFor();
  await page.getByLabel("Text").fill("second text");
  go();
  await open.turns(".bot").waitFor();
  await page.locator(".function-form button[type=submit]", { hasText: /^Run/ }).waitFor();
  assert.equal(stub.turns[0].params.text, "first text");
  assert.equal(await page.getByLabel("Text").inputValue(), "second text");
  assert.equal(await focused(page), "TEXTAREA");
});

test("turns, progress and the end of a task leave the focus where it is", async () => {
  const call = stub.asked("refine_output", { text: "x" });
  const id = stub.task(call, "refine_output");
  const page = await opened();
  const cancel = page.getByRole("button", { name: "Cancel Refine output" });
  await cancel.evaluate((el) => {
    window.blurs = 0;
    el.addEventListener("blur", () => (window.blurs += 1));
    el.focus();
  });
  stub.turn({ text: "It has begun.", function: "refine_output", call_id: call, result: DONE });
  stub.turn({ text: "On the way.", function: "refine_output", call_id: call, task_id: id });
  stub.progress(id, 40, "Writing");
  await page.getByText("40 %").waitFor();
  await page.locator(".turn.bot .task").waitFor();
  assert.match(await focused(page), /^Cancel Refine output$/);
  assert.equal(await page.evaluate(() => window.blurs), 0, "also while the card moves under its reply");
  await page.keyboard.press("Enter");
  await page.locator(".task.cancelling").waitFor();
  stub.end(id, "cancelled", { status: "error", summary: "", data: {}, error: "Stopped.", error_code: "CANCELLED" });
  await open.seen("Stopped.");
  assert.equal(await focused(page), "See outcome");
});

test("Markdown is drawn, right-to-left texts are laid out from the right, exact numbers keep their digits", async () => {
  const HEBREW = "שלום עולם";
  stub.asked("list_drafts", { query: HEBREW }, { ...DONE, summary: "The **boat**\n\n- `a`", data: { word: HEBREW } });
  const page = await opened();
  await page.locator(".say strong", { hasText: "boat" }).waitFor();
  await page.locator(".say li code", { hasText: "a" }).waitFor();
  for (const place of [".param-text", ".pair-row dd"])
    if (await page.locator(place).count())
      assert.equal(await page.locator(place).evaluate((el) => getComputedStyle(el).direction), "rtl", place);
  await open.choose("Edit all");
  await page.getByLabel("Big").fill("9007199254740993");
  await page.evaluate(() => {
    const send = window.fetch;
    window.fetch = (path, init) => ((window.sent = init?.body ?? window.sent), send(path, init));
  });
  await open.run();
  assert.match(
    await page.waitForFunction(() => window.sent).then((sent) => sent.jsonValue()),
    /"big":9007199254740993[,}]/,
  );
});

test("a stream that is cut goes on without a hole and without a turn twice", async () => {
  for (let n = 0; n < 3; n += 1) stub.turn({ text: `turn ${n}` });
  const page = await opened();
  stub.cut();
  stub.turn({ text: "while away" });
  await open.seen("while away");
  await open.state("live");
  stub.turn({ text: "after" });
  await open.seen("after");
  const numbers = await open.turns().evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
  assert.equal(await page.locator("#lost").isVisible(), false);
});

test("a destructive call asks first, with the focus on the harmless button; a phone's Back closes the sheet", async () => {
  const page = await opened({ viewport: { width: 360, height: 740 } });
  await page.getByRole("button", { name: "Run a function" }).click();
  await open.choose("Delete draft");
  await page.getByLabel("Id").fill("3");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("alertdialog").waitFor();
  assert.equal(await focused(page), "Keep it");
  await page.keyboard.press("Escape");
  await page.getByRole("alertdialog").waitFor({ state: "hidden" });
  await open.fits("the sheet");
  await page.evaluate(() => history.back()); // the tool's own goBack() waits for a load that does not come
  await page.locator("#side").waitFor({ state: "hidden" });
  assert.ok(page.url().startsWith(stub.url));
  assert.deepEqual(stub.turns, []);
});

test("forced colours show what is chosen and done; nothing keeps moving", async () => {
  const id = stub.task(stub.asked("refine_output", { text: "x" }, DONE), "refine_output");
  stub.progress(id, 30, "Writing");
  const page = await opened();
  assert.ok(await page.evaluate(() => matchMedia("(forced-colors: active)").matches), "the browser forces colours");
  const look = (locator, name) => locator.evaluate((el, one) => getComputedStyle(el).getPropertyValue(one), name);
  await page.getByText("30 %").waitFor();
  assert.equal(await look(page.locator(".task .bar"), "border-top-style"), "solid");
  await page.locator("#open-tasks").click();
  const [chosen, other] = [page.getByRole("tab", { name: "Tasks" }), page.getByRole("tab", { name: "Audit" })];
  assert.notEqual(await look(chosen, "background-color"), await look(other, "background-color"));
  const moving = await page.evaluate(
    () => document.getAnimations().filter((one) => one.effect.getComputedTiming().activeDuration > 50).length,
  );
  assert.equal(moving, 0);
});
