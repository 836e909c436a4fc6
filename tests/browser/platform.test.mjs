// The page against the real binary of the example: the promises to a user, in a real browser. Each test has its own
// process and data folder. Kills and outages are outages.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DRAFT, REFINED, ask, cookie, outcome, working } from "./platform-steps.mjs";
import { Opened } from "./test-page.mjs";
import { browser, open, openAt, opened, refine, restart, withRefine } from "./setup.mjs";

withRefine();

test("a background call shows its acknowledgement, progress and outcome", async () => {
  const page = await opened();
  const held = await working();
  assert.equal(held.asked, DRAFT);
  assert.equal(
    await open.turns(".bot.response").first().locator(".say-text").textContent(),
    "Refining your text in the background…",
  );
  assert.equal(await page.getByRole("progressbar").getAttribute("aria-valuenow"), "30");
  assert.match(await page.title(), /^\(1\) /, "the title says that one runs");
  assert.equal(await outcome().count(), 0);
  held.answer(REFINED);
  await outcome().getByText(REFINED).waitFor();
  await outcome().locator(".chip", { hasText: "Succeeded" }).waitFor();
  assert.equal(await page.getByRole("progressbar").count(), 0);
  await page.locator("#open-audit").click();
  await page.locator(".audit-row", { hasText: "chat.inject" }).first().waitFor();
});

test("a call of an MCP client is watched while it works", async () => {
  const page = await opened();
  const client = await refine.mcp("claude-code");
  client.call("refine_output", { text: DRAFT });
  const held = await refine.completions.next();
  await page.locator(".turn.user .bubble").getByText("From Claude Code", { exact: true }).waitFor();
  await page.getByRole("progressbar").waitFor();
  held.answer(REFINED);
  await outcome().getByText(REFINED).waitFor();
  assert.match(await client.answer(), new RegExp(REFINED));
  client.close();
});

test("the outcome is in the chat when a closed browser comes back", async () => {
  await opened();
  const held = await working();
  const [storageState, owner] = [await open.context.storageState(), await cookie()];
  await open.close();
  held.answer(REFINED);
  await refine.untilTurn(owner, (turn) => turn.task_id && turn.result);
  await openAt(refine.url, { storageState });
  await outcome().getByText(REFINED).waitFor();
  assert.equal(await outcome().count(), 1);
});

test("a running task is cancelled from the page", async () => {
  const page = await opened();
  await working();
  await page.getByRole("button", { name: "Cancel Refine output" }).click();
  await outcome().locator(".chip", { hasText: "Cancelled" }).waitFor();
  await page.locator(".task.ended", { hasText: "Cancelled" }).waitFor();
  assert.equal(await outcome().count(), 1);
  await page.locator("#open-tasks").click();
  await page.getByRole("dialog").getByText("Nothing runs right now.").waitFor();
  await page.getByRole("dialog").locator("summary", { hasText: "Cancelled" }).waitFor();
});

test("several tasks run at once, each with its own card and outcome", async () => {
  const page = await opened();
  const texts = ["first draft", "second draft", "third draft"];
  const held = [];
  for (const text of texts) {
    await ask("Refine output", text);
    held.push(await refine.completions.next());
  }
  await page.locator("#open-tasks .badge", { hasText: "3" }).waitFor();
  assert.equal(await page.getByRole("progressbar").count(), 3);
  for (const one of held.reverse()) one.answer(`${one.asked}, refined`);
  for (const text of texts) await outcome().getByText(`${text}, refined`).waitFor();
  await page.locator("#open-tasks .badge").waitFor({ state: "detached" });
});

test("two pages of one user see the same chat, and either can cancel", async () => {
  const page = await opened();
  const other = await open.again(refine.url);
  await other.state("live");
  await working();
  await other.page.locator(".task .percent", { hasText: "30 %" }).waitFor();
  await other.page.getByRole("button", { name: "Cancel Refine output" }).click();
  await outcome().locator(".chip", { hasText: "Cancelled" }).waitFor();
  await other.page.locator(".card.outcome", { hasText: "Cancelled" }).waitFor();
  const read = (one) =>
    one
      .locator("#turns > .turn")
      .evaluateAll((turns) => turns.map((turn) => `${turn.dataset.seq} ${turn.dataset.turn}`));
  assert.deepEqual(await read(other.page), await read(page));
});

test("a refusal is shown at its field, and no input is lost", async () => {
  const page = await opened();
  // The page would refuse this input: remove the rule from its copy of the schema.
  await page.route("**/v1/session", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll('"maxLength":20000', '"maxLength":99999');
    await route.fulfill({ response, body });
  });
  await page.reload();
  await open.state("live");
  await ask("Check text", "x".repeat(20_001));
  const field = page.locator(".field", { has: page.getByRole("textbox", { name: "Text" }) });
  await field.locator(".field-error").waitFor();
  assert.match(await field.locator(".field-error").textContent(), /20,?000/);
  assert.equal(await page.getByRole("textbox", { name: "Text" }).getAttribute("aria-invalid"), "true");
  assert.equal((await page.getByRole("textbox", { name: "Text" }).inputValue()).length, 20_001);
  assert.equal(await open.turns().count(), 0, "a refused call leaves no turn");
});

test("a call works with the keyboard only, from opening the page to the answer", async () => {
  const page = await opened();
  await page.keyboard.press("/");
  await page.keyboard.type("check");
  await page.keyboard.press("Enter");
  await page.keyboard.type(DRAFT);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.startsWith("Run")), true);
  await page.keyboard.press("Enter");
  await page.getByRole("table").waitFor();
  await page.locator("#announcer p", { hasText: "Reply from Check text: 7 words" }).waitFor({ state: "attached" });
  assert.ok(
    await page.getByRole("textbox", { name: "Text" }).evaluate((el) => el === document.activeElement),
    "ready for the next",
  );
});

test("a used link and a browser without a session explain how to sign in", async () => {
  await opened();
  const stranger = await Opened.at(browser, refine.link);
  await stranger.page.getByRole("heading", { name: "This link was used already" }).waitFor();
  assert.equal(new URL(stranger.page.url()).search, "", "a reload is not about the link any more");
  await stranger.page.getByText("refine link", { exact: true }).waitFor();
  await stranger.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await stranger.page.getByRole("button", { name: "Copy command" }).click();
  assert.equal(await stranger.page.evaluate(() => navigator.clipboard.readText()), "refine link");
  await stranger.accessible("the page without a session");
  await stranger.page.reload();
  await stranger.page.getByRole("heading", { name: "This browser is not signed in yet" }).waitFor();
  await stranger.page.goto(`${refine.url}open/00000000000000000000000000000000`);
  await stranger.page.getByRole("heading", { name: "This link is not valid any more" }).waitFor();
  await stranger.context.addCookies([{ ...(await open.context.cookies())[0], value: "of another time" }]);
  await stranger.page.evaluate(() => localStorage.setItem("imperal:been-here", "1"));
  await stranger.page.reload();
  await stranger.page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await stranger.context.addCookies(await open.context.cookies()); // a link that was opened in another tab
  await stranger.again(refine.url);
  await stranger.state("live");
  await stranger.close();
});

test("a session that ends under an open page names the command, with a button that copies it", async () => {
  const page = await opened();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate(() => fetch("/v1/session", { method: "DELETE" }));
  const notice = page.locator("#notice", { hasText: "Your session has ended." });
  await notice.waitFor();
  await notice.getByText("refine link", { exact: true }).waitFor();
  await notice.getByRole("button", { name: "Copy command" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "refine link");
});

test("two users in two browsers see nothing of each other", async () => {
  await restart((fresh) => fresh.serve());
  const as = (user) => ({ extraHTTPHeaders: { authorization: `Bearer ${refine.token(user)}` } });
  await openAt(refine.url, as("anna"));
  const berta = await Opened.at(browser, refine.url, as("berta"));
  for (const [one, user] of [
    [open, "anna"],
    [berta, "berta"],
  ]) {
    await one.state("live");
    await one.page.locator("#who", { hasText: user }).waitFor();
  }
  await working();
  await refine.inject("anna", "for anna alone");
  await refine.inject("berta", "for berta alone");
  await open.seen("for anna alone");
  await berta.seen("for berta alone");
  assert.deepEqual(
    await berta
      .turns()
      .allTextContents()
      .then((all) => all.map((text) => text.includes("for berta alone"))),
    [true],
    "one turn, and it is hers",
  );
  assert.equal(await berta.page.locator("#open-tasks .badge").count(), 0);
  const id = await open.page.locator(".task[data-task]").getAttribute("data-task");
  const refused = await berta.page.evaluate(
    (task) =>
      fetch(`/v1/tasks/${task}/cancel`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      }).then((response) => response.status),
    id,
  );
  assert.equal(refused, 403);
  await berta.page.locator("#open-audit").click();
  await berta.page.locator(".audit-row.refused", { hasText: "tried to cancel a task of another user" }).waitFor();
  await berta.close();
});

test("of two thousand turns few are in the document, and all can be reached", async () => {
  const page = await opened();
  const owner = await cookie();
  for (let n = 0; n < 1000; n += 20) {
    await Promise.all(
      Array.from({ length: 20 }, (_, k) => refine.call(owner, "check_text", { text: `text ${n + k}` })),
    );
  }
  await page.reload();
  await open.state("live");
  const numbers = () =>
    page.evaluate(() => [...document.querySelectorAll("#turns > .turn")].map((turn) => Number(turn.dataset.seq)));
  const seen = new Set();
  const look = async () => {
    const shown = await numbers();
    assert.ok(shown.length <= 200, `${shown.length} turns in the document`);
    shown.forEach((seq, index) => index && assert.equal(seq, shown[index - 1] + 1, "in order and without a hole"));
    shown.forEach((seq) => seen.add(seq));
    return shown;
  };
  let first = (await look())[0];
  while (first > 1) {
    await page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
    await page.waitForFunction((was) => Number(document.querySelector("#turns > .turn").dataset.seq) < was, first);
    first = (await look())[0];
  }
  assert.equal(seen.size, 2000, "upward");
  let last = (await look()).at(-1);
  while (last < 2000) {
    await page.locator("#chat").evaluate((el) => (el.scrollTop = el.scrollHeight));
    await page.waitForFunction(
      (was) => Number(document.querySelector("#turns > .turn:last-child").dataset.seq) > was,
      last,
    );
    last = (await look()).at(-1);
  }
  await refine.call(owner, "check_text", { text: "the newest" });
  await open.turns().getByText("the newest").waitFor();
});

for (const [name, options] of [
  ["light", {}],
  ["a dark phone", { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true, isMobile: true }],
]) {
  test(`no accessibility violation with real turns and a running task: ${name}`, async () => {
    const page = await opened(options);
    if (options.isMobile) await page.getByRole("button", { name: "Run a function" }).click();
    await ask("Check text", DRAFT);
    await page.getByRole("table").waitFor();
    if (options.isMobile) await page.getByRole("button", { name: "Run a function" }).click();
    await working();
    await open.accessible("the chat");
    await open.fits("the chat");
    await page.locator("#open-audit").click();
    await page.locator(".audit-row").first().waitFor();
    await open.accessible("the audit trail");
  });
}
