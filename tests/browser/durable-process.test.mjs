// A durable task of a real binary: it is killed while a step is tried again, and goes on in the next process.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { launch } from "./chromium.mjs";
import { beside, Refine } from "./refine.mjs";
import { Opened } from "./test-page.mjs";

let browser;
const folder = mkdtempSync(join(tmpdir(), "imperal-orders-"));
const bank = join(folder, "bank");
const orders = new Refine(beside("orders"));

before(async () => (browser = await launch()));
after(async () => {
  await browser?.close();
  await orders.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a task goes on after its process was killed, and the page says what was kept and what runs again", async () => {
  await orders.start({ ORDERS_BANK: bank });
  const open = await Opened.at(browser, orders.link);
  const { page } = open;
  await open.state("live");
  await page.getByLabel("Number").fill("4711");
  await open.run();
  const card = page.locator("#turns .task");
  await card.getByText("Charge the card", { exact: true }).waitFor();
  await card.getByText(/^attempt \d+ of 50/).waitFor();
  await card.getByText("The bank did not answer (504).").waitFor();
  await card.getByText(/^Next try /).waitFor();
  assert.match(await card.locator(".clock").textContent(), /^step 3 · 0:\d\d so far$/);
  await orders.crash();
  await page.locator(".task.unheard").waitFor();
  await orders.start({ ORDERS_BANK: bank });
  await card.getByText(/^Went on after a restart at \d\d:\d\d, 2 kept$/).waitFor({ timeout: 60_000 });
  await card.getByText(/^attempt \d+ of 50/).waitFor();
  await card.getByRole("button", { name: "2 done of Order 4711" }).click();
  const steps = card.locator(".step-name:has(.kept)");
  await steps.nth(1).waitFor();
  assert.deepEqual(await steps.allTextContents(), ["Reserve stock, done, kept", "Print label, done, kept"]);
  writeFileSync(bank, "open");
  await open.seen("Order 4711 is shipped.");
  await card.getByText(/^Succeeded within .* · 4 steps$/).waitFor();
  await open.close();
});

test("a person goes on from a cancelled task, and its done steps are not done again", async () => {
  rmSync(bank);
  const open = await Opened.at(browser, orders.link);
  const { page } = open;
  await open.state("live");
  await page.getByLabel("Number").fill("4712");
  await open.run();
  const first = page.locator("#turns .task").last();
  await first.getByText(/^attempt \d+ of 50/).waitFor();
  await first.getByRole("button", { name: "Cancel Order 4712" }).click();
  const goOn = page.getByRole("button", { name: "Go on from step 3 of Order 4712" });
  await goOn.waitFor();
  await page.getByText("2 done steps are kept and not done again.", { exact: true }).waitFor();
  writeFileSync(bank, "open");
  await goOn.click();
  await open.seen("Go on with “Order 4712” from step 3");
  await open.seen("Order 4712 is shipped.");
  const second = page.locator("#turns .task.ended").last();
  await second.getByText("Goes on from an earlier task, 2 steps kept", { exact: true }).waitFor();
  await second.getByRole("button", { name: "Details of Order 4712" }).click();
  const timeline = page.locator("#timeline");
  await timeline.getByText("Goes on from an earlier task, 2 steps kept", { exact: true }).waitFor();
  assert.equal(await timeline.getByText("Kept", { exact: true }).count(), 2);
  await open.close();
});
