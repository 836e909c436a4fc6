// The activity panel with many tasks: telling them apart, searching, cancelling all, and its place beside the chat.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const RESULT = { status: "success", summary: "Done.", data: {} };

/** Tasks of the same function with different texts. */
function many(n) {
  return Array.from({ length: n }, (_, k) => {
    const call = stub.asked("refine_output", { text: `draft number ${k}, ${"a long text ".repeat(20)}` }, RESULT);
    return stub.task(call, "refine_output", { percent: 10 });
  });
}

const cards = (page) => page.locator(".drawer .task:not(.ended)");

test("a running task says when it began, with which parameters, its id, and shows its call", async () => {
  const [id] = many(2);
  const page = await opened();
  await page.locator("#open-tasks").click();
  const card = page.locator(`.drawer [data-task="${id}"]`);
  await card.getByText("draft number 0").waitFor();
  await open.fits("the list of tasks");
  await card.locator("code", { hasText: id.slice(-8) }).waitFor();
  assert.match(await card.locator("time").textContent(), /^Started \d\d:\d\d$/);
  await open.accessible("the list of tasks beside the chat");
  await card.getByRole("button", { name: "Show in the chat" }).click();
  const seq = await page.evaluate(() => document.activeElement.dataset.seq);
  assert.equal(stub.turns.find((turn) => String(turn.seq) === seq).call_id, stub.tasks.get(id).call_id);
});

test("the search finds tasks by their text and by the end of their id", async () => {
  const ids = many(8);
  const page = await opened();
  await page.locator("#open-tasks").click();
  const search = page.getByRole("searchbox", { name: "Search tasks" });
  await search.fill("number 5");
  await page.waitForFunction(() => document.querySelectorAll(".drawer .task").length === 1);
  assert.equal(await cards(page).getAttribute("data-task"), ids[5]);
  await search.fill(ids[2].slice(-8));
  assert.equal(await cards(page).getAttribute("data-task"), ids[2]);
  await search.fill("no such words");
  await page.getByText("No task matches.").waitFor();
  await search.fill("");
  assert.equal(await cards(page).count(), 8);
});

test("Cancel all asks once, and cancels the running tasks that are shown", async () => {
  const ids = many(12);
  const page = await opened();
  await page.locator("#open-tasks").click();
  await page.getByRole("button", { name: "Cancel all 12" }).click();
  const question = page.getByRole("alertdialog");
  await question.getByText("and 7 more").waitFor();
  await question.getByRole("button", { name: "Keep them running" }).click();
  assert.equal([...stub.tasks.values()].filter((task) => task.cancel_requested_at).length, 0);
  await page.getByRole("searchbox", { name: "Search tasks" }).fill("number 1");
  await page.getByRole("button", { name: "Cancel all 3" }).click(); // 1, 10, 11
  await question.getByRole("button", { name: "Cancel them" }).click();
  await page.getByText("Asked 3 tasks to stop.").waitFor();
  const asked = ids.filter((id) => stub.tasks.get(id).cancel_requested_at);
  assert.deepEqual(asked, [ids[1], ids[10], ids[11]]);
});

test("from 1100 pixels on the panel stands beside the chat, which stays usable", async () => {
  many(1);
  const page = await opened();
  await page.locator("#open-tasks").click();
  const box = (selector) => page.locator(selector).boundingBox();
  const [chat, panel] = [await box("#main"), await box("#drawer")];
  assert.ok(chat.x + chat.width <= panel.x + 1, "they do not overlap");
  assert.ok(chat.width > 400);
  await open.choose("Ping");
  await open.run();
  await open.turns(".bot").getByText("Done.").last().waitFor();
  assert.ok(await page.locator("#drawer").isVisible(), "it stays open");
  await open.fits("the chat with the panel");
  await page.locator("#open-tasks").click();
  await page.locator("#drawer").waitFor({ state: "hidden" });
  await page.locator("#open-tasks").click();
  await page.locator("#drawer").getByRole("tab", { name: "Tasks" }).press("Escape");
  await page.locator("#drawer").waitFor({ state: "hidden" });
  assert.ok(await page.locator("#open-tasks").evaluate((el) => el === document.activeElement), "the focus goes back");
});

test("on a narrower screen the panel covers the chat, and an open one moves when the window changes", async () => {
  many(1);
  const page = await opened();
  await page.locator("#open-tasks").click();
  const modal = () => page.locator("#drawer").evaluate((el) => el.matches(":modal"));
  assert.equal(await modal(), false);
  await page.setViewportSize({ width: 900, height: 800 });
  await page.waitForFunction(() => document.getElementById("drawer").matches(":modal"));
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.waitForFunction(() => !document.getElementById("drawer").matches(":modal"));
  assert.ok(await page.locator("#drawer").isVisible());
});

test("every call can be run again as it is, under a new key", async () => {
  stub.asked("list_drafts", { query: "boats" }, RESULT);
  const page = await opened();
  const keys = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/call")) keys.push([request.headers()["idempotency-key"], request.postDataJSON()]);
  });
  for (let n = 2; n <= 3; n += 1) {
    await page.getByRole("button", { name: "Run again List drafts" }).first().click();
    await open
      .turns(".user")
      .nth(n - 1)
      .waitFor();
  }
  assert.deepEqual(
    keys.map(([, body]) => body.params),
    [{ query: "boats" }, { query: "boats" }],
  );
  assert.notEqual(keys[0][0], keys[1][0]);
});

test("running a destructive call again asks first", async () => {
  stub.asked("delete_draft", { id: 3 }, RESULT);
  const page = await opened();
  await page.getByRole("button", { name: "Run again Delete draft" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Keep it" }).click();
  assert.equal(await open.turns(".user").count(), 1);
});

test("an error code is behind the details", async () => {
  stub.asked(
    "ping",
    {},
    { status: "error", summary: "", error: "The service said no.", error_code: "SERVICE_SAID_NO", data: {} },
  );
  const page = await opened();
  const code = page.getByText("SERVICE_SAID_NO");
  await page.getByText("The service said no.").waitFor();
  assert.equal(await code.isVisible(), false);
  await page.locator(".error-note summary").click();
  assert.ok(await code.isVisible());
});

/** Rows of the audit trail with their sentences: the terminal's test reads the same list. */
const SENTENCES = JSON.parse(
  await readFile(new URL("../../imperal/src/cli/audit_sentences.json", import.meta.url), "utf8"),
);

test("the audit trail has a sentence for each action, and no raw name", async () => {
  const id = many(1)[0];
  const { rows } = SENTENCES;
  const at = new Date().toISOString();
  stub.auditRows = rows.map(([row], n) => ({
    audit_id: rows.length - n,
    at,
    tenant_id: "local",
    user_id: "dev",
    target: id,
    ...row,
  }));
  const page = await opened();
  await page.locator("#open-audit").click();
  await page.locator(".audit-row").first().waitFor();
  assert.deepEqual(
    await page.locator(".audit-row .sentence").allTextContents(),
    rows.map(([, sentence]) => sentence),
  );
  await page.locator(".audit-row").first().getByRole("button", { name: "Show in the chat" }).click();
  const seq = await page.evaluate(() => document.activeElement.dataset.seq);
  assert.equal(
    stub.turns.find((turn) => String(turn.seq) === seq).call_id,
    stub.tasks.get(id).call_id,
    "it still runs",
  );
});

test("the audit trail can be read for one function", async () => {
  const [first] = many(1);
  const call = stub.asked("build_report", {}, RESULT);
  const other = stub.task(call, "build_report", {});
  const row = (audit_id, over) => ({
    audit_id,
    at: new Date().toISOString(),
    tenant_id: "local",
    user_id: "dev",
    actor: "user:dev",
    outcome: "done",
    ...over,
  });
  stub.auditRows = [
    row(1, { action: "task.cancel", target: first }),
    row(2, { action: "task.answer", target: other, app_id: "studio" }),
    row(3, {
      action: "chat.inject",
      target: "gone",
      detail: `outcome of task ${other}: failed`,
      actor: "extension:studio",
    }),
    row(4, { action: "page.link", outcome: "refused" }),
  ];
  const page = await opened();
  await page.locator("#open-audit").click();
  await page.locator(".audit-row").nth(3).waitFor();
  const sentences = () => page.locator(".audit-row .sentence").allTextContents();
  const choose = page.getByRole("combobox", { name: "About which function" });
  await choose.selectOption({ label: "Build report" });
  assert.deepEqual(await sentences(), [
    "Text studio delivered an outcome: failed",
    "You answered a question of a task",
  ]);
  assert.equal(await page.getByRole("button", { name: /^All 2$/ }).count(), 1, "the numbers are of the function");
  await page.getByRole("button", { name: /^Refused 0$/ }).click();
  await page.getByText("No entry of this function has this outcome.").waitFor();
  await page.getByRole("button", { name: /^All 2$/ }).click();
  await choose.selectOption({ label: "All functions" });
  assert.equal((await sentences()).length, 4);
  await open.accessible("the audit trail of a function");
});
