// Questions of durable tasks: where they are shown, how they are answered, and what becomes of them. With a stub for what a real
// binary produces only by chance; question-process.test.mjs has a real one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./deadline.mjs";
import { heard, listen, passes, stopClock } from "./listen.mjs";
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
    await until("what it asked before is read", () => asked() === 1);
    stub.ask(id, { schema: DOCUMENTED, fallback: "Later" });
    await question(page).getByText("Publish these images?").waitFor();
    assert.equal(asked(), 2);
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
    const page = await opened();
    const id = order();
    await card(page).waitFor();
    assert.equal(asked(), 0, "nothing is read for a task that asks nothing");
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

describe("the way to a question", () => {
  const strip = (page) => page.getByRole("region", { name: "Questions" }).getByRole("button", { name: /^Answer/ });
  /** The question has the focus, and is on the screen and uncovered. */
  const reached = async (page, where) => {
    await page.waitForFunction((part) => document.activeElement.matches(`${part} [data-question]`), where, {
      timeout: 5000,
    });
    const isSeen = await page.evaluate(() => {
      const { left, top, width, height } = document.activeElement.getBoundingClientRect();
      const at = document.elementFromPoint(left + width / 2, top + Math.min(height / 2, 40));
      return document.activeElement.contains(at);
    });
    assert.ok(isSeen, `the question in ${where} is on the screen`);
  };

  test("Answer goes to a question that is far away in the chat", async () => {
    stub.ask(order(), { schema: FORM });
    for (let n = 0; n < 40; n += 1) stub.turn({ text: `message ${n}` });
    const page = await opened();
    await strip(page).click();
    await reached(page, "#turns");
    await page.locator("#chat").evaluate((el) => (el.scrollTop = el.scrollHeight));
    await strip(page).click();
    await reached(page, "#turns");
  });

  for (const [what, before, options] of [
    ["was called before the first loaded turn", 100, {}],
    ["has no turn, in a window over the chat", 0, { viewport: { width: 760, height: 700 } }],
    ["has no turn, on a phone", 0, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ])
    test(`Answer opens the drawer with the question of a task that ${what}`, async () => {
      const call = before ? stub.asked("refine_output", { text: "mug" }, DONE) : stub.id("call");
      const id = stub.task(call, "refine_output", { name: "Order 4711", durable: true });
      const it = stub.ask(id, { fallback: "Later" });
      for (let n = 0; n < before; n += 1) stub.turn({ text: `message ${n}` });
      const page = await opened(options);
      await strip(page).click();
      await reached(page, "#drawer");
      assert.ok(!stub.requests.some((one) => one.includes("before=")), "no history is loaded for it");
      await open.accessible("a question in the drawer");
      await open.fits("a question in the drawer");
      await page.locator("#drawer .question").getByRole("button", { name: "Publish" }).click();
      await page
        .locator("#drawer .question")
        .getByText(/^You answered: Publish/)
        .waitFor();
      assert.equal(it.answer, "Publish");
    });

  test("a drawer that is open, searched and filtered shows the question all the same", async () => {
    for (let n = 0; n < 7; n += 1) order({ name: `Other ${n}` });
    const id = stub.task(stub.id("call"), "refine_output", { name: "Order 4711", durable: true });
    stub.ask(id);
    const page = await opened();
    await page.locator("#open-tasks").click();
    await page.getByRole("searchbox", { name: "Search tasks" }).fill("Other 3");
    await page
      .locator("#drawer")
      .getByRole("button", { name: /^Succeeded/ })
      .click();
    await page.locator("#drawer").getByRole("tab", { name: "Audit" }).click();
    await strip(page).click();
    await reached(page, "#drawer");
  });

  test("g q from the functions of a narrow screen leaves them for the question, in the chat or in the drawer", async () => {
    for (const [where, call] of [
      ["#turns", stub.asked("refine_output", { text: "mug" }, DONE)],
      ["#drawer", stub.id("call")],
    ]) {
      const id = stub.task(call, "refine_output", { name: "Order 4711", durable: true });
      const it = stub.ask(id);
      const page = await opened({ viewport: { width: 760, height: 700 } });
      await strip(page).waitFor();
      await page.getByRole("button", { name: "Run a function" }).click();
      await page.locator("body.sheet-open").waitFor();
      await page.locator("#side .function").first().focus(); // letters are for the search box while it has the focus
      await page.keyboard.press("g");
      await page.keyboard.press("q");
      await reached(page, where);
      stub.close(it, { state: "withdrawn" });
      stub.end(id, "cancelled", DONE);
      await open.close();
    }
  });
});

describe("reading questions", () => {
  test("at most four requests run at once", async () => {
    for (let n = 0; n < 12; n += 1) stub.ask(order({ name: `Order ${n}` }), { text: `Number ${n}?` });
    let [running, most, release] = [0, 0, null];
    const gate = new Promise((done) => (release = done));
    stub.beforeQuestions = async () => {
      running += 1;
      most = Math.max(most, running);
      await gate;
      running -= 1;
    };
    const page = await opened();
    await until("four requests run", () => running === 4);
    await page.evaluate(() => fetch("v1/session")); // a fifth one would have come before this
    assert.equal(running, 4);
    release();
    await page.waitForFunction(() => document.querySelectorAll("#turns .question").length === 12);
    assert.equal(most, 4);
    assert.equal(asked(), 12);
  });

  test("a failed one is repeated after a growing pause, in one chain, and no longer once the task has ended", async () => {
    const page = await opened();
    const id = order();
    await card(page).waitFor();
    await stopClock(page);
    stub.beforeQuestions = () => 503;
    const passed = async (ms) => {
      await page.clock.runFor(ms);
      await page.evaluate(() => fetch("v1/session")); // what was sent before is counted
      return asked();
    };
    stub.ask(id, { text: "First?" });
    await until("they are read", () => asked() === 1);
    await page.evaluate(() => fetch("v1/session"));
    assert.equal(await passed(400), 1);
    stub.ask(id, { text: "Second?" }); // news of the task begins no second chain
    await until("the page knows", async () => /asks|Asks/.test(await card(page).innerText()));
    assert.equal(await passed(50), 1);
    assert.equal(await passed(600), 2, "after half a second to a second");
    assert.equal(await passed(950), 2);
    assert.equal(await passed(1100), 3, "after one to two seconds");
    assert.equal(await passed(1950), 3);
    assert.equal(await passed(2100), 4, "after two to four seconds");
    stub.end(id, "succeeded", DONE);
    await until("they are read once more", () => asked() === 5);
    await page.locator(".task.ended").waitFor();
    assert.equal(await passed(300_000), 5);
  });

  test("questions whose end cannot be read are closed with their task", async () => {
    const id = order();
    stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    stub.beforeQuestions = () => 500;
    stub.end(id, "succeeded", DONE);
    await question(page).getByText("The task no longer asks this.").waitFor();
  });
});

describe("answering", () => {
  test("choices are in the order in which the schema has them, also if only some are documented", async () => {
    const id = order();
    const page = await opened();
    // as schemars writes an enum of which one variant has no comment: that one comes first
    const schema = {
      oneOf: [
        { type: "string", enum: ["Skip"] },
        { const: "Wait", type: "string", description: "Until it is there." },
        { const: "Buy", type: "string", description: "Another one." },
      ],
    };
    stub.ask(id, { schema });
    await question(page).waitFor();
    const words = (await question(page).getByRole("button").allInnerTexts()).map((text) => text.split("\n")[0]);
    assert.deepEqual(words, ["Skip", "Wait", "Buy"]);
  });

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
    await page.waitForFunction(() => Object.values({ ...sessionStorage }).some((text) => text.includes('"copies":3')));
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

  test("an answer that waits for the server outlives a reload", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    let isDown = true;
    await page.route("**/answer", (route) => (isDown ? route.abort() : route.continue()));
    await choice(page, "Later").click();
    await question(page).getByText("“Later” is sent when you are back.").waitFor();
    await page.reload();
    await question(page).getByText("“Later” is sent when you are back.").waitFor();
    assert.equal(it.answer, undefined);
    isDown = false;
    await question(page)
      .getByText(/^You answered: Later/)
      .waitFor();
    assert.equal(it.answer, "Later");
    await page.waitForFunction(() => !Object.keys(sessionStorage).some((key) => key.startsWith("parked:")));
  });

  test("an answer that waits outlives the end of the session, and a page that closes while it is sent", async () => {
    const id = order();
    const it = stub.ask(id);
    const page = await opened();
    await question(page).waitFor();
    let how = "503";
    const answered = { 503: [503, "UNAVAILABLE"], 401: [401, "UNAUTHENTICATED"] };
    await page.route("**/answer", (route) => {
      if (how === "hangs") return;
      if (!(how in answered)) return route.continue();
      const [status, code] = answered[how];
      return route.fulfill({ status, json: { error: { code, message: "Not now." } } });
    });
    const kept = () => page.evaluate(() => Object.entries(sessionStorage).filter(([key]) => key.startsWith("parked:")));
    await choice(page, "Later").click();
    await question(page).getByText("“Later” is sent when you are back.").waitFor();
    how = "hangs";
    await page.waitForRequest("**/answer");
    assert.equal((await kept()).length, 1, "it is stored while it is sent again");
    how = "401";
    await page.reload();
    await page.waitForResponse((response) => response.url().endsWith("/answer") && response.status() === 401);
    assert.equal((await kept()).length, 1, "it is stored for the next session");
    how = "";
    await page.reload();
    await question(page)
      .getByText(/^You answered: Later/)
      .waitFor();
    assert.equal(it.answer, "Later");
  });

  test("an answer that is a secret waits in the page only", async () => {
    const id = order();
    const it = stub.ask(id, { text: "Which PIN?", schema: { type: "string", writeOnly: true } });
    const page = await opened();
    await page.context().setOffline(true);
    stub.cut();
    await question(page).getByLabel("Answer").first().fill("4711-0815");
    await question(page).getByRole("button", { name: "Answer" }).click();
    await question(page)
      .getByText(/is sent when you are back/)
      .waitFor();
    const stored = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
    assert.ok(!stored.includes("4711-0815"), stored);
    await page.context().setOffline(false);
    await until("it is answered", () => it.answer === "4711-0815");
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
      .getByText(/(You answered|Answered elsewhere): Later/)
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
      .getByText(/^Answered elsewhere: their words, \d\d:\d\d$/)
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
    const before = asked();
    await choice(page, "Publish").click();
    await question(page)
      .getByText(/^A service answered for you: Later/)
      .waitFor();
    assert.equal(asked(), before, "the refusal has the question: it is not read again");
  });

  test("an answered question stays over a reload: on the card of an open task, in the row of an ended one", async () => {
    const id = order();
    stub.ask(id);
    let page = await opened();
    await choice(page, "Later").click();
    const words = /^You answered: Later, \d\d:\d\d$/;
    await question(page).getByText(words).waitFor();
    stub.turn({ text: "later" }); // the stream does not repeat what was before it
    await open.seen("later");
    await page.reload();
    await open.state("live");
    await question(page).getByText(words).waitFor();
    assert.equal(await question(page).getByRole("button").count(), 0);
    await open.accessible("an answered question after a reload");
    const other = await open.again(stub.url);
    await question(other.page)
      .getByText(words) // a tab that was opened later says who it was
      .waitFor();
    await other.page.close();
    stub.end(id, "succeeded", DONE);
    await page.locator(".task.ended").waitFor();
    const before = asked();
    await page.reload();
    await open.state("live");
    await page.locator("#open-tasks").click();
    await page.locator(".ended-task summary").waitFor();
    assert.equal(asked(), before, "the questions of an ended task are read when it is unfolded");
    await page.locator(".ended-task summary").click();
    await page.locator(".asked-list").getByText(words).waitFor();
    await page.locator(".asked-list").getByText("Publish these images?").waitFor();
    await open.accessible("an ended task with what it had asked");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Show outcome here of Order 4711" }).click();
    await question(page).getByText(words).waitFor();
  });

  test("a question that has its end leaves nothing behind, and what was written is in the next view of it", async () => {
    for (let n = 0; n < 5; n += 1) stub.turn({ text: `earlier ${n}` });
    const id = order();
    for (let n = 0; n < 70; n += 1) stub.turn({ text: `message ${n}` });
    const it = stub.ask(id, { schema: { type: "string" } });
    const page = await opened({ viewport: { width: 1280, height: 700 } });
    await page.evaluate(() => {
      window.leaving = 0;
      for (const [name, by] of Object.entries({ addEventListener: 1, removeEventListener: -1 })) {
        const original = window[name];
        window[name] = function (kind, ...rest) {
          if (kind === "pagehide") window.leaving += by;
          return original.call(window, kind, ...rest);
        };
      }
    });
    const leaving = () => page.evaluate(() => window.leaving);
    await page.getByRole("region", { name: "Questions" }).getByRole("button").click();
    const box = (where) => page.locator(where).getByRole("textbox", { name: "Answer" });
    await box("#drawer").pressSequentially("a red one");
    assert.equal(await leaving(), 1);
    await until("the earlier turns are there", async () => {
      await page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
      return (await box("#turns").count()) > 0;
    });
    assert.equal(await box("#turns").inputValue(), "a red one");
    assert.equal(await leaving(), 2);
    stub.close(it, { state: "withdrawn" });
    await question(page).getByText("The task no longer asks this.").waitFor();
    await page.locator("#drawer").getByText("The task no longer asks this.").waitFor();
    assert.equal(await leaving(), 0);
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

  test("many new questions interrupt once, with how many tasks ask, and the next ones after five seconds", async () => {
    const ids = Array.from({ length: 8 }, (_, n) => order({ name: `Order ${n}` }));
    const page = await opened();
    await listen(page);
    await page.locator(".task").nth(7).waitFor();
    await stopClock(page);
    const more = (n) => page.locator(".asks-more", { hasText: `and ${n} more` }).waitFor();
    for (const [n, id] of ids.slice(0, 7).entries()) stub.ask(id, { text: `Number ${n}?`, asked_at: ahead(n) });
    await more(6);
    await page.clock.runFor(300);
    const loud = async () => (await heard(page)).filter(({ text }) => / asks?\b/.test(text)).map(({ text }) => text);
    assert.equal((await loud()).length, 1);
    assert.match((await loud())[0], /^7 tasks ask\. The first: Order \d asks: Number \d\? 2 choices\.$/);
    stub.ask(ids[7], { text: "The last?" });
    await more(7);
    await page.clock.runFor(4500);
    assert.equal((await loud()).length, 1);
    await passes(page, "it is told", async () => (await loud()).length === 2);
    assert.equal((await loud())[1], "Order 7 asks: The last? 2 choices.");
  });
});
