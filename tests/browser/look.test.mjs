// What readers set in their browser: larger letters, a finger instead of a pointer, their time zone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busyChat } from "./busy-chat.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

/** Font sizes of all elements with text of their own. */
const sizes = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((el) => [...el.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .filter((el) => el.checkVisibility())
      .map((el) => [`${el.tagName}.${el.className}`, Number.parseFloat(getComputedStyle(el).fontSize)]),
  );

test("every text follows the font size that is set in the browser", async () => {
  busyChat(stub);
  const page = await opened();
  await open.choose("Build report");
  await page.locator("#open-tasks").click();
  const before = await sizes(page);
  await page.evaluate(() => document.documentElement.style.setProperty("font-size", "24px"));
  const after = await sizes(page);
  const still = before.filter(([name, size], n) => after[n][0] === name && after[n][1] < size * 1.49);
  assert.ok(before.length > 40);
  assert.deepEqual(still, []);
});

test("what a finger presses is at least 32 pixels high", async () => {
  const log = [{ method: "POST", url: "https://bank.example/charge", status: 504, ms: 9 }];
  const at = new Date().toISOString();
  const id = busyChat(stub);
  Object.assign(stub.tasks.get(id), { durable: true, steps: { done: 1, current: [] } });
  stub.timelines.set(id, [
    { kind: "started", at },
    { kind: "step", step_kind: "step", ordinal: 1, name: "Charge", attempt: 1, began_at: at, done_at: at, log },
  ]);
  const page = await opened({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  stub.ask(id);
  await page.locator(".choice").first().waitFor();
  const small = (where = "body") =>
    page
      .locator(`${where} :is(button, summary, .filter):visible`)
      .evaluateAll((all) =>
        all
          .filter((el) => el.getBoundingClientRect().height < 32)
          .map((el) => `${el.className}: ${el.textContent}, ${el.getBoundingClientRect().height}`),
      );
  assert.deepEqual(await small(), [], "the chat, with a question");
  await page
    .locator("#turns")
    .getByRole("button", { name: /^Details/ })
    .click();
  await page.locator("#timeline button.event-what").waitFor();
  assert.deepEqual(await small("#timeline"), [], "a timeline");
  await page.keyboard.press("Escape");
  await page.locator("#open-tasks").click();
  assert.deepEqual(await small(), [], "the tasks");
});

test("times are of the reader's zone, and say so", async () => {
  stub.asked(
    "ping",
    {},
    { status: "success", summary: "At noon.", data: { at: "2026-07-01T10:00:00Z" } },
    "2026-07-01T10:00:00Z",
  );
  const page = await opened({ timezoneId: "Asia/Tokyo" });
  const at = page.locator(".turn.user .under time");
  assert.equal(await at.textContent(), "19:00");
  assert.match(await at.getAttribute("title"), /19:00:00 (GMT\+9|JST) \(Asia\/Tokyo\)/);
  assert.match(await page.locator(".data time").getAttribute("title"), /^2026-07-01T10:00:00Z, here .*Asia\/Tokyo/);
});
