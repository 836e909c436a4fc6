// The states of the page, one after the other, for checks that each of them has to pass.

import assert from "node:assert/strict";

import { busyChat } from "./busy-chat.mjs";
import { png } from "./media.mjs";
import { open, opened, stub } from "./setup.mjs";

/** Screens on which the states are checked. */
export const SCREENS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ["a dark phone", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
  ["200 percent", { viewport: { width: 640, height: 430 } }],
  ["400 percent", { viewport: { width: 320, height: 256 }, colorScheme: "dark" }],
  ["forced colours", { forcedColors: "active" }],
  [
    "forced colours on a dark phone",
    { viewport: { width: 360, height: 740 }, forcedColors: "active", colorScheme: "dark" },
  ],
];

/** Opens a busy chat and brings it into each state; `visit(what)` checks it. */
export async function busyStates(options, visit) {
  stub.takesFiles = true;
  const chart = stub.files.add("chart.png", "image/png", png(640, 400));
  const rows = stub.files.add("rows.csv", "text/csv", Buffer.from("a,b"));
  const lost = { ...rows, file_id: rows.file_id.replace(/^./, (c) => (c === "0" ? "1" : "0")) };
  const files = { status: "success", summary: "Files.", data: { chart, rows, list: [{ name: "Spring", chart }] } };
  stub.asked("file_report", { photo: chart.file_id, data: lost.file_id }, files);
  const id = busyChat(stub);
  schedules();
  const page = await opened(options);
  const narrow = (options.viewport?.width ?? 1280) <= 820;
  await page.locator(".task .bar").waitFor();
  await page.locator(".bubble").first().scrollIntoViewIfNeeded(); // the names of its files are read as it comes near
  await page.locator(".bubble").getByRole("link", { name: "chart.png" }).waitFor();
  await page.locator(".bubble").getByText("deleted, or its time is over").waitFor();
  await page.locator("#chat").evaluate((el) => el.scrollTo(0, el.scrollHeight));
  await visit("the chat");
  await page.locator(".task-head button").click();
  await page.locator(".task.cancelling").waitFor();
  await visit("a task that is being cancelled");
  await page.locator("#open-tasks").click();
  await page.locator(".ended-task").first().click();
  await visit("the tasks");
  await page.getByRole("button", { name: "Cancelled" }).click();
  await page.getByText("No task is in this state.").waitFor();
  await visit("a filter without a task");
  await page.getByRole("tab", { name: "Audit" }).click();
  await page.locator(".audit-row").first().waitFor();
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("The trail is intact.").waitFor();
  await visit("the audit trail, checked");
  stub.broken = { audit_id: 3, tenant_id: "local", user_id: "dev" };
  await page.getByRole("button", { name: "Check again" }).click();
  await page.getByText("Entry 3 was changed.").waitFor();
  await visit("the audit trail, broken");
  await page.getByRole("tab", { name: "Schedules" }).click();
  await page.locator(".schedule").nth(2).waitFor();
  await visit("the schedules");
  await page.getByRole("button", { name: "Runs of Morning digest", exact: true }).click();
  await page.locator(".run").first().waitFor();
  await visit("the runs of a schedule");
  await page.getByRole("button", { name: "More about Clean drafts" }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  await page.locator(".next-time").waitFor();
  await visit("the dialog of a schedule");
  await page.getByRole("combobox", { name: "Time zone" }).fill("ber");
  await page.locator(".zone-list li").first().waitFor();
  await page.locator(".schedule-preview", { hasText: " ber." }).waitFor();
  await visit("the list of zones");
  await page.getByRole("combobox", { name: "Time zone" }).fill("UTC");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Save and resume" }).click();
  await page.getByRole("alertdialog").waitFor();
  await visit("the question before a destructive schedule");
  await page.getByRole("button", { name: "Don’t" }).click();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.locator("#schedule").waitFor({ state: "hidden" });
  await page.keyboard.press("Escape");
  await page.locator("#drawer").waitFor({ state: "hidden" });
  await page.locator("#account > summary").click();
  await page.getByRole("button", { name: "Secrets" }).click();
  await page.getByRole("dialog", { name: "Secrets" }).getByText("Missing").waitFor();
  await visit("the secrets");
  await page.keyboard.press("Escape");
  await page.locator("#account > summary:focus").waitFor(); // it comes back in an event after the dialog is gone
  if (narrow) await page.locator("#open-side").click();
  await visit("the list of functions");
  await open.choose("Build report");
  for (const group of ["owner", "pair"]) await page.getByRole("button", { name: `Add ${group}` }).click();
  await open.run();
  await page.locator(".field-error:visible").first().waitFor();
  await visit("a form with errors");
  await page.getByRole("button", { name: "All functions" }).click();
  await page.locator(".function", { hasText: "File report" }).last().click(); // the first one is among those used lately
  await page
    .getByRole("button", { name: "More optional" })
    .setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
  await page.locator(".file-row", { hasText: "Text · 1 byte" }).waitFor();
  await page.getByLabel("Photo").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
  stub.files.refuse = { status: 409, code: "FILES_EXCEEDED", message: "You have 10,000 files. Delete some." };
  await page
    .getByRole("button", { name: "More optional" })
    .setInputFiles({ name: "more.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
  await page.getByRole("button", { name: "Try again" }).waitFor();
  stub.files.hold = new Promise(() => {}); // to the end of the test
  await page.getByLabel("Data").setInputFiles({ name: "big.bin", mimeType: "", buffer: Buffer.alloc(9_000_000) });
  await page.getByRole("progressbar", { name: "Upload of big.bin" }).waitFor();
  await visit("a form with files that are uploaded, refused and on their way");
  stub.end(id, "cancelled", {
    status: "error",
    summary: "",
    data: {},
    error: "You cancelled it.",
    error_code: "CANCELLED",
  });
  await open.choose("Delete draft");
  await page.locator(".function-form").getByLabel("Id").fill("1");
  await open.run();
  await page.getByRole("alertdialog").waitFor();
  await visit("the question before a destructive call");
  await page.getByRole("button", { name: "Keep it" }).click();
  if (narrow) for (const _to of ["the list", "the chat"]) await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "JSON" }).first().click();
  await open.context.setOffline(true);
  await page.getByText("You are offline.").waitFor();
  await visit("a connection that is lost, and raw JSON");
  await open.context.setOffline(false);
  await open.state("live");
}

/** Schedules in three states, one of them with runs. */
function schedules() {
  const daily = stub.schedules.add({ zone: "Europe/Berlin" });
  for (const [hours, state] of [
    [50, "failed"],
    [26, "skipped"],
    [2, "succeeded"],
  ]) {
    const due_at = new Date(Date.now() - hours * 3_600_000).toISOString();
    stub.schedules.record(daily, { due_at, at: due_at, ended_at: due_at, late_by_s: 700, state, text: "Done." });
  }
  stub.schedules.add({
    name: "Weekly audit",
    state: "paused",
    paused_by: "user:dev",
    paused_at: new Date().toISOString(),
  });
  stub.schedules.add({
    name: "Clean drafts",
    function: "delete_draft",
    params: { id: 3 },
    state: "needs_you",
    reason: { code: "approval_needed", text: "Its parameters were changed: allow it again." },
    approval: { needed: true, given: false, digest: "" },
  });
}

/** The same for a chat without a turn, and without a session. */
export async function emptyStates(options, visit) {
  const page = await opened(options);
  await page.getByRole("heading", { name: "Text studio" }).waitFor();
  assert.equal(await page.locator("#chat").evaluate((el) => el.scrollTop), 0, "it is read from its beginning");
  await visit("an empty chat");
  await page.locator("#open-tasks").click();
  await page.getByText("No tasks yet").waitFor();
  await visit("an empty drawer");
  await page.keyboard.press("Escape");
  await page
    .getByRole("list", { name: "Begin with" })
    .getByRole("button", { name: /List drafts/ })
    .click();
  await page.getByLabel("Query").waitFor();
  stub.sessionOver = true;
  await page.reload();
  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await visit("the way in");
}
