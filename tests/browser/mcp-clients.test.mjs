// Calls of MCP clients in the chat: from whom they are, and how many in a row become one line. A real client is platform.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const noon = new Date().setHours(12, 0, 0, 0);
let minute = 0;

/** A call of a client with its reply. */
function call(client, result = { status: "success", summary: `Done ${minute}.`, data: {} }) {
  const call_id = stub.id("call");
  const at = new Date(noon + (minute += 1) * 60_000).toISOString();
  stub.turn({ role: "user", text: "ping", function: "ping", params: {}, call_id, at, ...(client && { client }) });
  if (result) stub.turn({ text: result.error ?? result.summary, function: "ping", call_id, result, at });
}

test("a call says from which client it is", async () => {
  call("Claude Code");
  const page = await opened();
  const bubble = page.locator(".turn.user .bubble");
  await bubble.getByText("From Claude Code", { exact: true }).waitFor();
  assert.match(await bubble.getAttribute("aria-label"), /^From Claude Code, 12:\d\d$/);
  await open.accessible("a call of a client");
});

test("successful calls of a client in a row are one line, which opens; the rest stays", async () => {
  minute = 0;
  for (let n = 0; n < 36; n += 1) call("Claude Code");
  const page = await opened();
  const lines = page.locator(".fold-line");
  await lines.getByText("From Claude Code: 36 calls, 12:01 to 12:36", { exact: true }).waitFor();
  assert.equal(await page.locator(".turn article:visible").count(), 0);
  call("Claude Code", null);
  await page.locator(".turn.user:not(.folded)").waitFor();
  assert.equal(await page.locator(".turn.user:not(.folded)").count(), 1, "a call at work is watched");
  call("Claude Code", { status: "error", summary: "", data: {}, error: "No answer.", error_code: "DOWN" });
  await open.seen("No answer.");
  call("Claude Code");
  await lines.getByText("From Claude Code: 37 calls, 12:01 to 12:39", { exact: true }).waitFor();
  await open.accessible("folded calls");
  await lines.getByRole("button", { name: "Show the calls from Claude Code" }).click();
  await page.getByText("Done 5.", { exact: true }).waitFor();
  await lines.getByRole("button", { name: "Fold the calls from Claude Code" }).click();
  await page.getByText("Done 5.", { exact: true }).waitFor({ state: "hidden" });
});

test("a call by hand or of another client ends the row", async () => {
  minute = 0;
  for (let n = 0; n < 3; n += 1) call("Claude Code");
  call(null);
  for (let n = 0; n < 2; n += 1) call("Claude Code");
  for (let n = 0; n < 3; n += 1) call("Cursor");
  const page = await opened();
  const lines = page.locator(".fold-line");
  await lines.getByText("From Cursor: 3 calls, 12:07 to 12:09", { exact: true }).waitFor();
  await lines.getByText("From Claude Code: 3 calls, 12:01 to 12:03", { exact: true }).waitFor();
  assert.equal(await page.locator(".turn.user article:visible").count(), 3, "one by hand, two of Claude Code");
});

test("a client's call does not end the wait of the same call by hand", async () => {
  const page = await opened();
  await page.route("**/call", () => {});
  await open.choose("Ping");
  await open.run();
  call("Claude Code");
  await page.locator(".turn.user").waitFor();
  assert.match(await page.locator(".function-form button[type=submit]").textContent(), /Sending/);
});
