// What users of the page rely on and no other file tests: an outage moves nothing, a link to a function, the days of the chat, the
// search of functions, texts over their limit, the empty chat, and tabs that wait for a session.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, openAt, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const DAY_MS = 86_400_000;

test("the strip of an outage moves nothing that is read, hides nothing for good, and Try now connects", async () => {
  for (let n = 0; n < 40; n += 1) stub.turn({ text: `turn ${n}` });
  const page = await opened();
  await page.locator("#chat").evaluate((el) => (el.scrollTop = 300));
  await page.locator("#newer").waitFor();
  const place = () =>
    page.getByText("turn 12", { exact: true }).evaluate((el) => Math.round(el.getBoundingClientRect().top));
  const before = await place();
  await open.context.setOffline(true);
  await page.getByText("You are offline.").waitFor();
  assert.equal(await place(), before, "during the outage");
  await page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
  const [strip, first] = [await page.locator("#lost").boundingBox(), await page.locator(".turn").first().boundingBox()];
  assert.ok(first.y >= strip.y + strip.height, "the first turn can be seen");
  await page.locator("#chat").evaluate((el) => (el.scrollTop = 400));
  const away = await place();
  await open.context.setOffline(false);
  await page.locator("#lost").waitFor({ state: "hidden" });
  assert.equal(await place(), away, "and after it");
  // the server is gone and comes back: the strip's button does not wait for the next try
  await page.route("**/v1/events/stream*", (route) => route.abort());
  stub.cut();
  const retry = page.locator("#lost").getByRole("button", { name: "Try now" });
  await retry.waitFor();
  await page.unroute("**/v1/events/stream*");
  await retry.click();
  await open.state("live");
});

test("a link to a function opens its form", async () => {
  const page = await openAt(`${stub.url}#studio/delete_draft`);
  await page.getByRole("heading", { name: "Delete draft" }).waitFor();
  await open.choose("Ping");
  assert.equal(new URL(page.url()).hash, "#studio/ping");
});

test("each day of the chat begins with its name", async () => {
  const at = (days) => new Date(Date.now() - days * DAY_MS).toISOString();
  for (const days of [400, 1, 1]) stub.asked("ping", {}, DONE, at(days));
  stub.asked("ping", {}, DONE);
  const page = await opened();
  const days = await page.locator(".day").allTextContents();
  assert.equal(days.length, 3);
  assert.match(days[0], /\d{4}/, "with its year, if that is another one");
  assert.deepEqual(days.slice(1), ["Yesterday", "Today"]);
});

test("the search of functions marks what it finds, and Enter opens the first hit", async () => {
  const page = await opened();
  await page.getByRole("searchbox", { name: "Search functions" }).fill("draft lists");
  assert.deepEqual(await page.locator(".function:visible mark").allTextContents(), ["draft", "Lists", "draft"]);
  await page.getByText("1 found").waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "List drafts" }).waitFor();
});

test("a text over its limit is not cut: the counter goes over and says by how much", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("x".repeat(20_003));
  assert.equal(await page.locator(".counter.over").textContent(), "20,003 / 20,000");
  await open.run();
  await page.locator(".field-error:visible").waitFor();
  assert.equal((await page.getByLabel("Text").inputValue()).length, 20_003);
  assert.deepEqual(stub.turns, []);
});

test("an empty chat says what it is, offers three functions and tells three things", async () => {
  const page = await opened();
  await page.getByRole("heading", { name: "Text studio" }).waitFor();
  const starts = page.getByRole("list", { name: "Begin with" }).getByRole("button");
  assert.equal(await starts.count(), 3);
  assert.equal(await page.locator(".empty li:not(:has(button))").count(), 3);
  await starts.first().click();
  await page.locator(".function-form").waitFor();
});

test("a tab that waits for a session goes on when a link is opened in another tab", async () => {
  stub.sessionOver = true;
  const page = await openAt(stub.url);
  await page.getByRole("heading", { name: "This browser is not signed in yet" }).waitFor();
  stub.sessionOver = false;
  const other = await open.again(stub.url);
  await other.state("live");
  await open.state("live");
});
