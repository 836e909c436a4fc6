// What a person has written is never lost: while a call is sent, when an earlier call fills the form, while the page is
// offline. And what screen readers hear of a form's errors.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

/** Holds calls back, so that the form says that it is sending. */
async function slowLine(page) {
  let go;
  const held = new Promise((done) => (go = done));
  await page.route("**/call", async (route) => {
    await held;
    await route.continue();
  });
  return go;
}

test("text typed while a call is sent survives, in the form and in the draft", async () => {
  const page = await opened();
  const go = await slowLine(page);
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("first text");
  await open.run();
  await page.getByText("Sending…").waitFor();
  await page.getByLabel("Text").fill("second text typed meanwhile");
  go();
  await open.turns(".bot").waitFor();
  await page.locator(".function-form button[type=submit]", { hasText: /^Run/ }).waitFor();
  assert.equal(stub.turns[0].params.text, "first text");
  assert.equal(await page.getByLabel("Text").inputValue(), "second text typed meanwhile");
  await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("meanwhile")));
  await page.reload();
  await open.state("live");
  assert.equal(await page.getByLabel("Text").inputValue(), "second text typed meanwhile");
});

test("a form that was not edited is empty after its call, with the focus in its field", async () => {
  const page = await opened();
  const go = await slowLine(page);
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("only text");
  await page.keyboard.press("Control+Enter");
  await page.getByText("Sending…").waitFor();
  go();
  await open.turns(".bot").waitFor();
  await page.waitForFunction(() => document.querySelector(".function-form textarea").value === "");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  assert.equal(await page.locator(".set-aside").innerText(), "");
});

test("a draft that an earlier call replaces is set aside and can be put back, also after a reload", async () => {
  stub.asked("refine_output", { text: "the earlier text", tone: "formal" }, DONE);
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("half a draft");
  await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("half a draft")));
  await page.getByRole("button", { name: "Edit and run Refine output" }).click();
  assert.equal(await page.getByLabel("Text").inputValue(), "the earlier text");
  await page.getByText("Your draft was set aside.").waitFor();
  await open.accessible("a form with a draft that was set aside");
  await page.reload(); // nothing was edited: the stored draft is still the person's own
  await open.state("live");
  assert.equal(await page.getByLabel("Text").inputValue(), "half a draft");
  await page.getByRole("button", { name: "Edit and run Refine output" }).click();
  await page.getByLabel("Text").fill("the earlier text, edited");
  const back = page.getByRole("button", { name: "Put it back" });
  await back.click();
  assert.equal(await page.getByLabel("Text").inputValue(), "half a draft");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "TEXTAREA");
  await back.click();
  assert.equal(await page.getByLabel("Text").inputValue(), "the earlier text, edited", "and the other way round");
});

test("filling an empty form, or with what it has already, sets nothing aside", async () => {
  stub.asked("refine_output", { text: "the earlier text", tone: "formal" }, DONE);
  const page = await opened();
  const edit = page.getByRole("button", { name: "Edit and run Refine output" });
  await edit.click();
  await edit.click();
  assert.equal(await page.getByText("Your draft was set aside.").count(), 0);
  await page.getByLabel("Text").fill("x");
  await page.getByLabel("Text").fill("");
  await edit.click();
  assert.equal(await page.getByLabel("Text").inputValue(), "the earlier text");
});

test("an error of a lost connection goes when the page is connected again, and the call runs once", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("A draft");
  await open.context.setOffline(true);
  await open.state("offline");
  await open.run();
  await page
    .locator(".form-error", { hasText: "You are offline. Your input is kept: send it when you are back." })
    .waitFor();
  await open.context.setOffline(false);
  await open.state("live");
  await page.locator(".form-error", { hasText: "You are connected again. Run sends it now" }).waitFor();
  await open.run();
  await open.turns(".bot").waitFor();
  await page.locator(".form-error").waitFor({ state: "hidden" });
  assert.equal(stub.turns.filter((turn) => turn.role === "user").length, 1);
});

test("screen readers hear how many fields need attention, and the name of the first", async () => {
  const page = await opened();
  await open.choose("Build report");
  await open.run();
  await page
    .locator("#announcer p", { hasText: /^\d fields need attention\. First: Title is needed\.$/ })
    .waitFor({ state: "attached" });
  await open.choose("Refine output");
  await open.run();
  await page.locator("#announcer p", { hasText: /^Text is needed\.$/ }).waitFor({ state: "attached" });
});

test("a draft is readable after the session has ended", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("not sent yet");
  stub.sessionOver = true;
  await open.run();
  await page.getByText("Your session has ended.").waitFor();
  assert.equal(await page.getByLabel("Text").inputValue(), "not sent yet");
});

test("a stored draft that cannot be read is set aside, told of once, and not lost", async () => {
  const page = await opened();
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("half a draft");
  await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("half a draft")));
  const broken = await page.evaluate(() => {
    const [key] = Object.keys(sessionStorage).filter((one) => one.startsWith("draft:"));
    const text = '{"text":"half a dra';
    addEventListener("pagehide", () => {
      sessionStorage.setItem(key, text);
      sessionStorage.setItem(`${key}:aside`, "5");
    });
    return text;
  });
  await page.reload();
  await open.state("live");
  const words = "A stored draft of this form cannot be read.";
  await page.locator(".function-form").getByText(words).waitFor();
  await page.locator("#announcer p", { hasText: words }).waitFor({ state: "attached" });
  assert.equal(await page.getByText("Show its text").count(), 2, "the draft, and those that were set aside");
  await page.getByText("Show its text").last().click();
  await page.locator(".function-form pre", { hasText: broken }).waitFor();
  await open.accessible("a form with a stored draft that cannot be read");
  await page.getByLabel("Text").fill("a new draft");
  await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("a new draft")));
  await page.reload();
  await open.state("live");
  assert.equal(await page.getByLabel("Text").inputValue(), "a new draft");
  assert.equal(await page.getByText(words).count(), 0, "said once");
  const kept = await page.evaluate(() => Object.values(sessionStorage));
  assert.ok(kept.includes(broken) && kept.includes("5"), "both are still stored");
});

test("the list marks a function in whose form something is written and not sent, also after a reload", async () => {
  const page = await opened();
  const marked = () => page.locator(".function", { hasText: "Draft" }).locator(".function-name > :first-child");
  const drafts = async () => (await marked().filter({ visible: true }).allTextContents()).filter(Boolean);
  const chips = page.locator(".function .chip", { hasText: /^Draft$/ }).filter({ visible: true });
  assert.equal(await chips.count(), 0);
  await open.choose("Refine output");
  await page.getByLabel("Text").fill("half a thought");
  await page.getByRole("button", { name: "All functions" }).click();
  assert.equal(await chips.count(), 1);
  assert.ok((await drafts()).includes("Refine output"));
  await open.accessible("a list with a draft");
  await page.goto(stub.url);
  await open.state("live");
  assert.equal(await chips.count(), 1);
  await open.choose("Refine output");
  await open.run();
  await open.seen("Done.");
  await page.getByRole("button", { name: "All functions" }).click();
  assert.equal(await chips.count(), 0, "it was sent");
});
