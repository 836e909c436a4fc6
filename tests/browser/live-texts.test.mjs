// Texts that appear while they are written: each byte once in every tab, plain text, the reader's place, and what is left of a
// text whose work was stopped. Against the gateway stub.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const live = (page) => page.locator(".live-text");
const shows = async (page, text) => {
  await live(page).getByText(text, { exact: true }).waitFor();
};

/** A call whose handler writes. */
function call() {
  const call_id = stub.asked("refine_output", { text: "x" });
  return { call_id };
}

test("words appear under their call, each byte once, whatever comes twice or late", async () => {
  const of = call();
  const page = await opened();
  stub.write("d1", of, "Grüße 😀");
  await shows(page, "Grüße 😀");
  stub.write("d1", of, "Grüße 😀", { again: true });
  stub.write("d1", of, " and", { lost: true });
  stub.write("d1", of, " more");
  await shows(page, "Grüße 😀 and more");
  const second = await page.context().newPage();
  await second.goto(page.url());
  await shows(second, "Grüße 😀 and more");
  stub.write("d1", of, ".");
  await Promise.all([shows(page, "Grüße 😀 and more."), shows(second, "Grüße 😀 and more.")]);
  await page.reload();
  await shows(page, "Grüße 😀 and more.");
});

test("the text is no markup, loads nothing, and is busy but no live region", async () => {
  const asked = [];
  const page = await opened();
  page.on("request", (request) => asked.push(request.url()));
  const hostile = "![x](https://evil.example/?q=1) <img src=https://evil.example/2> [a](javascript:alert(1))";
  stub.write("d1", call(), hostile);
  await shows(page, hostile);
  assert.equal(await live(page).locator("a, img").count(), 0);
  assert.deepEqual(
    asked.filter((url) => url.includes("evil")),
    [],
  );
  assert.equal(await live(page).getAttribute("aria-busy"), "true");
  assert.equal(await live(page).getAttribute("aria-live"), null);
  await open.accessible("a text while it is written");
});

test("the turn takes the place of the text, and late pieces are ignored", async () => {
  const of = call();
  const page = await opened();
  stub.write("d1", of, "Half a sen");
  await shows(page, "Half a sen");
  stub.turn({
    ...of,
    text: "Half a sentence.",
    drafts: ["d1"],
    result: { status: "success", summary: "Half a sentence." },
  });
  await open.seen("Half a sentence.");
  assert.equal(await live(page).count(), 0);
  stub.write("d1", of, "tence.");
  stub.turn({ text: "after it" });
  await open.seen("after it");
  assert.equal(await live(page).count(), 0);
});

test("what was written is kept in the turn that says that it was stopped", async () => {
  const of = call();
  const page = await opened();
  stub.write("d1", of, "Half a sen");
  await shows(page, "Half a sen");
  const error = "Refine output was cancelled.";
  const result = { status: "error", error, error_code: "CANCELLED", retryable: false };
  stub.turn({ ...of, text: error, drafts: ["d1"], partial: "Half a sen", result });
  await page.locator(".partial", { hasText: "Half a sen" }).waitFor();
  await open.accessible("a text that was broken off");
  await page.reload();
  await page.locator(".partial", { hasText: "Half a sen" }).waitFor();
});

test("a later attempt of a task begins its text again", async () => {
  const asked = stub.asked("refine_output", { text: "x" });
  const page = await opened();
  const task_id = stub.task(asked, "refine_output");
  stub.write("d1", { task_id, attempt: 1 }, "of the first");
  await shows(page, "of the first");
  stub.drafts.delete("d1");
  stub.write("d2", { task_id, attempt: 2 }, "of the second");
  await shows(page, "of the second");
  assert.equal(await live(page).count(), 1);
});

test("the page stays where the reader is", async () => {
  for (let n = 0; n < 40; n += 1) stub.turn({ text: `turn ${n}` });
  const of = call();
  const page = await opened();
  await open.seen("turn 39");
  const scroller = page.locator("#main");
  const top = () =>
    page.evaluate(() => Math.round(document.querySelector('[data-seq="5"]').getBoundingClientRect().top));
  await page.locator('[data-seq="5"]').scrollIntoViewIfNeeded();
  await scroller.hover();
  await page.mouse.wheel(0, -50);
  await page.waitForTimeout(200);
  const before = await top();
  for (let n = 0; n < 30; n += 1) stub.write("d1", of, `word ${n}\n`);
  await live(page).getByText("word 29").waitFor({ state: "attached" });
  assert.equal(await top(), before);
});
