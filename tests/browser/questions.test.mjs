// Questions of durable tasks: where they are shown, how they are answered, and what becomes of them. With a stub for what a real
// binary produces only by chance; question-process.test.mjs has a real one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const HOUR = 3_600_000;
const ahead = (ms) => new Date(Date.now() + ms).toISOString();

/** A durable task, "Order 4711". Returns its id. */
function order(over) {
  const call = stub.asked("refine_output", { text: "mug" }, DONE);
  return stub.task(call, "refine_output", { name: "Order 4711", durable: true, ...over });
}

const card = (page) => page.locator("#turns .task");
const question = (page) => card(page).locator(".question");
const choice = (page, name) => question(page).getByRole("button", { name });
const focused = (page) => page.evaluate(() => document.activeElement.textContent);
const asked = () => stub.requests.filter((one) => one.endsWith("/questions")).length;

const DOCUMENTED = {
  oneOf: [
    { const: "Publish", type: "string", description: "Everybody sees them at once." },
    { const: "ship_rest", type: "string", title: "Ship the rest" },
    { const: "Later", type: "string" },
  ],
};
const FORM = {
  type: "object",
  properties: {
    note: { type: "string", maxLength: 400 },
    copies: { type: "integer", minimum: 1, maximum: 9 },
  },
  required: ["note", "copies"],
};

describe("where a question is", () => {
  test("on its task's card, in the strip, in the bar and in the title, until it is answered", async () => {
    const id = order();
    const page = await opened();
    const title = await page.title();
    assert.equal(asked(), 0, "nothing is read for a task that asks nothing");
    stub.ask(id, { schema: DOCUMENTED, fallback: "Later" });
    await question(page).getByText("Publish these images?").waitFor();
    assert.equal(asked(), 1);
    assert.deepEqual(await question(page).getByRole("button").allInnerTexts(), [
      "Publish\nEverybody sees them at once.",
      "Ship the rest",
      "Later\nif nobody answers",
    ]);
    await question(page).getByText("Answer within 1 day 3 h, else: Later").waitFor();
    const strip = page.getByRole("region", { name: "Questions" });
    assert.match(await strip.textContent(), /^Order 4711 asks: Publish these images\?/);
    assert.equal(await page.locator("#open-tasks").textContent(), "Tasks1 not ended? 1 asks");
    assert.equal(await page.title(), `? ${title}`);
    await card(page).getByText("Asks. It goes on when you have answered.").waitFor();
    await page
      .getByRole("article", { name: /^Task Order 4711, asks/ })
      .first()
      .waitFor();
    await open.accessible("a question");
    await choice(page, "Ship the rest").click();
    await question(page)
      .getByText(/^You answered: Ship the rest, \d\d:\d\d$/)
      .waitFor();
    await strip.waitFor({ state: "hidden" });
    assert.equal(await page.title(), title);
    assert.equal(await page.locator("#open-tasks").textContent(), "Tasks1 not ended");
    await open.accessible("an answered question");
  });

  test("a page that opens later shows it, and a phone too", async () => {
    for (let n = 0; n < 30; n += 1) stub.turn({ text: `message ${n}` });
    stub.ask(order(), { fallback: "Later" });
    const page = await opened({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await question(page).waitFor();
    await page.getByRole("region", { name: "Questions" }).waitFor();
    await open.accessible("a question on a phone");
    await open.fits("a question");
    await page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
    const latest = await page.getByRole("button", { name: "Latest" }).boundingBox();
    const strip = await page.getByRole("region", { name: "Questions" }).boundingBox();
    assert.ok(latest.y + latest.height <= strip.y, "what leads to the end of the chat does not cover the strip");
  });

  test("each change of the number of open questions reads them once", async () => {
    const id = order();
    const page = await opened();
    stub.ask(id, { text: "First?" });
    await question(page).getByText("First?").waitFor();
    stub.report(id, { percent: 10 });
    stub.change(id, { percent: 20 });
    stub.ask(id, { text: "Second?" });
    await question(page).getByText("Second?").waitFor();
    assert.equal(asked(), 2);
    assert.equal(await page.locator(".asks-more").textContent(), " and 1 more");
  });
});

describe("answering", () => {
  test("yes or no is two buttons, more than four choices are a list", async () => {
    const id = order();
    const page = await opened();
    const first = stub.ask(id, { text: "Send it?", schema: { type: "boolean" } });
    await choice(page, "Yes").click();
    await question(page)
      .getByText(/^You answered: Yes/)
      .waitFor();
    assert.equal(first.answer, true);
    const many = stub.ask(id, { text: "Which?", schema: { enum: ["a", "b", "c", "d", "e"] } });
    await question(page).getByLabel("Answer").selectOption({ label: "D" });
    await question(page).getByRole("button", { name: "Answer" }).click();
    await question(page)
      .getByText(/^You answered: D/)
      .waitFor();
    assert.equal(many.answer, "d");
  });

  test("a form has the errors at its fields, keeps its draft over a reload, and Ctrl+Enter sends it", async () => {
    const id = order();
    let page = await opened();
    const it = stub.ask(id, { schema: FORM, fallback: { note: "as it is", copies: 1 } });
    await question(page).getByText("Answer within 1 day 3 h, else: Note: as it is · Copies: 1").waitFor();
    await question(page).getByLabel("Note").fill("a red one");
    await question(page).getByRole("button", { name: "Answer" }).click();
    await question(page).getByText("This is needed.").waitFor();
    await question(page).getByLabel("Copies").fill("3");
    await page.waitForTimeout(400); // drafts are kept 300 ms after the last change
    await page.reload();
    await open.state("live");
    page = open.page;
    assert.equal(await question(page).getByLabel("Note").inputValue(), "a red one");
    await open.accessible("a question with a form");
    stub.refuseAnswer = { field: "copies", message: "copies must be less" };
    await question(page).getByLabel("Copies").press("Control+Enter");
    await question(page).locator(".field-error", { hasText: "copies must be less" }).waitFor();
    assert.ok(
      await question(page)
        .getByLabel("Copies")
        .evaluate((el) => el === document.activeElement),
    );
    await question(page).getByLabel("Copies").press("Control+Enter");
    await question(page)
      .getByText(/^You answered: Note: a red one · Copies: 3/)
      .waitFor();
    assert.deepEqual(it.answer, { note: "a red one", copies: 3 });
  });

  test("an answer that is no object is one field", async () => {
    const id = order();
    const page = await opened();
    const it = stub.ask(id, { text: "What should change?", schema: { type: "string" } });
    await question(page).getByRole("textbox", { name: "Answer" }).fill("the title");
    await question(page).getByRole("button", { name: "Answer" }).click();
    await question(page)
      .getByText(/^You answered: the title/)
      .waitFor();
    assert.equal(it.answer, "the title");
  });

  test("offline the buttons stay, and the answer is sent when the page is back", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    await page.context().setOffline(true);
    stub.cut();
    await choice(page, "Later").click();
    await question(page).getByText("“Later” is sent when you are back.").waitFor();
    assert.equal(await choice(page, "Publish").getAttribute("aria-disabled"), null);
    await choice(page, "Publish").click(); // changed their mind
    await question(page).getByText("“Publish” is sent when you are back.").waitFor();
    await page.context().setOffline(false);
    await question(page)
      .getByText(/^You answered: Publish/)
      .waitFor();
    assert.equal(it.answer, "Publish");
  });

  test("an answer whose response was lost is sent again, and counts once", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    let lost = false;
    await page.route("**/answer", async (route) => {
      if (lost) return route.continue();
      lost = true;
      await route.fetch();
      await route.abort();
    });
    await choice(page, "Later").click();
    await question(page)
      .getByText(/(You answered|Answered in another window): Later/)
      .waitFor();
    assert.equal(it.answer, "Later");
  });

  test("a refused answer is said, and the question stays open", async () => {
    const id = order();
    stub.ask(id);
    const page = await opened();
    stub.refuseAnswer = { message: "That is no longer possible." };
    await choice(page, "Later").click();
    await question(page).getByRole("alert").getByText("That is no longer possible.").waitFor();
    await choice(page, "Publish").click();
    await question(page)
      .getByText(/^You answered: Publish/)
      .waitFor();
  });
});

describe("what becomes of a question", () => {
  test("the first answer wins: the form of another window turns into it, with what was written", async () => {
    const id = order();
    const it = stub.ask(id, { schema: { type: "string" } });
    const page = await opened();
    const box = question(page).getByRole("textbox");
    await box.fill("my own words");
    stub.answered(it, "their words");
    await question(page)
      .getByText(/^Answered in another window: their words, \d\d:\d\d$/)
      .waitFor();
    assert.equal(await box.count(), 0);
    assert.ok(await question(page).evaluate((el) => el === document.activeElement), "the focus stays at the question");
    await question(page).getByText("What you had written").click();
    await question(page).getByText("my own words").waitFor();
  });

  test("an answer that comes too late shows the one that counts", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    Object.assign(it, { state: "answered", answer: "Later", answered_by: "service", answered_at: ahead(0) });
    await choice(page, "Publish").click();
    await question(page)
      .getByText(/^A service answered for you: Later/)
      .waitFor();
  });

  test("a question whose time is over says with what the task went on", async () => {
    const id = order();
    const it = stub.ask(id, { fallback: "Later", until: ahead(HOUR) });
    const page = await opened();
    await question(page).getByText("Answer within 59 min, else: Later").waitFor();
    stub.close(it, { state: "expired" });
    await question(page).getByText("Nobody answered; it went on with: Later").waitFor();
    const other = stub.ask(id, { text: "And now?" });
    await question(page).getByText("And now?").waitFor();
    stub.close(other, { state: "withdrawn" });
    await question(page).getByText("The task no longer asks this.").waitFor();
    assert.equal(await question(page).count(), 1, "of those that are not open the last one stays");
  });

  test("a waiting task is cancelled at once, and its question is withdrawn", async () => {
    const id = order();
    stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    await page.getByRole("button", { name: "Cancel Order 4711" }).click();
    await page.locator(".task.ended", { hasText: "Cancelled" }).waitFor();
    await question(page).getByText("The task no longer asks this.").waitFor();
    await page.getByRole("region", { name: "Questions" }).waitFor({ state: "hidden" });
  });

  test("after an answer the task goes on after its wait, not after a restart", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    stub.answered(it, "Later");
    stub.change(id, { state: "running", waits_for: undefined, attempt: 2, steps: { done: 2, kept: 2, current: [] } });
    await card(page)
      .getByText(/^Went on after its wait at \d\d:\d\d, 2 kept$/)
      .waitFor();
  });
});

describe("keyboard and screen readers", () => {
  test("g q goes from one question to the next, Tab reaches the choices and Enter answers", async () => {
    const [first, second] = [order({ name: "First order" }), order({ name: "Second order" })];
    stub.ask(first, { text: "First?", asked_at: ahead(-2000) });
    const page = await opened();
    const it = stub.ask(second, { text: "Second?" });
    await page.getByText("Second?").first().waitFor();
    const go = async () => (await page.keyboard.press("g"), page.keyboard.press("q"));
    const at = (text) =>
      page.waitForFunction(
        (words) =>
          document.activeElement.matches(`[data-question]`) && document.activeElement.textContent.includes(words),
        text,
      );
    await go();
    await at("First?");
    await go();
    await at("Second?");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Later");
    await page.keyboard.press("Enter");
    await page.getByText(/^You answered: Later/).waitFor();
    assert.equal(it.answer, "Later");
    assert.ok(await page.evaluate(() => document.activeElement.matches("[data-question]")));
  });

  test("the focus on a choice survives turns, reports and the end of another task", async () => {
    const id = order();
    const other = order({ name: "Other" });
    stub.ask(id);
    const page = await opened();
    await choice(page, "Later").focus();
    stub.turn({ text: "A message.", task_id: id });
    stub.report(id, { percent: 50 });
    stub.ask(other, { text: "Other?" });
    stub.end(other, "succeeded", DONE);
    stub.change(id, { percent: 60 });
    await open.seen("A message.");
    await page.locator(".task.ended").waitFor();
    assert.equal(await focused(page), "Later");
  });

  test("a new question interrupts once; one that was there when the page opened does not", async () => {
    const id = order();
    const page = await opened();
    stub.ask(id, { fallback: "Later" });
    const words = "Order 4711 asks: Publish these images? 2 choices. It goes on by itself in 1 day 3 h.";
    const loud = page.locator("#question p");
    await loud.getByText(words, { exact: true }).waitFor({ state: "attached" });
    stub.change(id, { percent: 5 });
    await page.reload();
    await open.state("live");
    await page.locator("#announcer p", { hasText: words }).waitFor({ state: "attached" });
    assert.equal(await loud.count(), 0);
  });
});
