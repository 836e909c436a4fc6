// Questions of the real probe: answered in one of two windows, with the keyboard, after the process was killed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "./chromium.mjs";
import { beside, Refine } from "./refine.mjs";
import { Opened } from "./test-page.mjs";

let browser;
const probe = new Refine(beside("probe"));

before(async () => (browser = await launch()));
after(async () => {
  await browser?.close();
  await probe.stop();
});

/** Calls `inquire_user` as the owner of a page. */
async function inquire(open, what, within_ms = 3_600_000) {
  const [{ name, value }] = await open.context.cookies();
  const response = await fetch(`${probe.url}v1/extensions/probe/call`, {
    method: "POST",
    headers: { "content-type": "application/json", cookie: `${name}=${value}` },
    body: JSON.stringify({ function: "inquire_user", params: { what, within_ms } }),
  });
  assert.equal(response.status, 200, await response.text());
}

test("a question survives its process, is answered in one window with the keyboard, and the other one says so", async () => {
  await probe.start();
  const open = await Opened.at(browser, probe.link);
  const { page } = open;
  await open.state("live");
  const other = await open.again(probe.url);
  await other.state("live");
  await inquire(open, "choice");
  const question = (of) => of.locator("#turns .question").last();
  await question(page).getByText("Publish these images?").waitFor();
  await question(other.page)
    .getByText(/^Answer within 59 min, else: Later$/)
    .waitFor();
  assert.match(await page.title(), /^\? /);
  await page.getByText("Asks. It goes on when you have answered.").waitFor();
  await open.accessible("a question of the probe");
  await probe.crash();
  await page.locator('#link-state:not([data-state="live"])').waitFor();
  await question(page)
    .getByRole("button", { name: /^Publish/ })
    .click();
  await question(page).getByText("“Publish” is sent when you are back.").waitFor();
  await question(page)
    .getByRole("button", { name: /^Later/ })
    .waitFor();
  await probe.start();
  await open.seen("The answer was: Publish.");
  await question(page)
    .getByText(/^You answered: Publish/)
    .waitFor();
  await question(other.page)
    .getByText(/^Answered elsewhere: Publish, \d\d:\d\d$/)
    .waitFor();
  assert.doesNotMatch(await page.title(), /^\? /);

  await inquire(open, "choice");
  await question(other.page)
    .getByRole("button", { name: /^Later/ })
    .waitFor();
  await other.page.keyboard.press("g");
  await other.page.keyboard.press("q");
  await other.page.waitForFunction(() => document.activeElement.matches("[data-question]"));
  await other.page.keyboard.press("Tab");
  await other.page.keyboard.press("Tab");
  await other.page.keyboard.press("Enter");
  await other.seen("The answer was: Later.");
  await open.close();
});

test("a form of the probe has the server's refusal at its field, and a question that nobody answers goes on", async () => {
  const open = await Opened.at(browser, await link());
  const { page } = open;
  await open.state("live");
  await inquire(open, "form");
  const question = page.locator("#turns .question").last();
  await question.getByLabel("Note").fill("a red one");
  await question.getByLabel("Copies").fill("4");
  await question.getByLabel("Copies").press("Control+Enter");
  await open.seen("The answer was: 4 x a red one.");
  await inquire(open, "choice", 1500);
  await page.locator("#turns").getByText("Nobody answered; it went on with: Later").waitFor({ timeout: 30_000 });
  await inquire(open, "both");
  await page.getByRole("button", { name: "Cancel Inquiry" }).click();
  await page.locator(".task.ended", { hasText: "Cancelled" }).waitFor();
  await page.getByRole("region", { name: "Questions" }).waitFor({ state: "hidden" });
  await open.close();
});

/** Another one-time link. */
async function link() {
  const { execFileSync } = await import("node:child_process");
  return execFileSync(probe.binary, ["link", "--data-dir", probe.data], { encoding: "utf8" }).trim();
}
