// Every state of the page under axe, in light and dark, on a desk and on a phone, without sideways scrolling.

import { test } from "node:test";
import assert from "node:assert/strict";

import { busyChat } from "./busy-chat.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ["a dark phone", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
]) {
  test(`no accessibility violation and no sideways scrolling: ${name}`, async () => {
    const id = busyChat(stub);
    const page = await opened(options);
    const phone = options.viewport !== undefined;
    const fits = (what) => open.fits(what);
    await page.locator(".task .bar").waitFor();
    await open.accessible("the chat");
    await fits("the chat");
    await page.locator(".task-head button").click();
    await page.locator(".task.cancelling").waitFor();
    await open.accessible("a task that is being cancelled");
    await page.locator("#open-tasks").click();
    await page.locator(".ended-task").first().click();
    await open.accessible("the tasks");
    await fits("the tasks");
    await page.getByRole("button", { name: "Cancelled" }).click();
    await page.getByText("No task is in this state.").waitFor();
    await open.accessible("a filter without a task");
    await page.getByRole("tab", { name: "Audit" }).click();
    await page.locator(".audit-row").first().waitFor();
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("The trail is intact.").waitFor();
    await open.accessible("the audit trail, checked");
    stub.broken = { audit_id: 3, tenant_id: "local", user_id: "dev" };
    await page.getByRole("button", { name: "Check again" }).click();
    await page.getByText("Entry 3 was changed.").waitFor();
    await open.accessible("the audit trail, broken");
    await fits("the audit trail");
    await page.keyboard.press("Escape");
    if (phone) await page.locator("#open-side").click();
    await open.accessible("the list of functions");
    await open.choose("Build report");
    for (const group of ["owner", "pair"]) await page.getByRole("button", { name: `Add ${group}` }).click();
    await open.run();
    await page.locator(".field-error:visible").first().waitFor();
    await open.accessible("a form with errors");
    await fits("the form");
    stub.end(id, "cancelled", {
      status: "error",
      summary: "",
      data: {},
      error: "You cancelled it.",
      error_code: "CANCELLED",
    });
    await open.choose("Delete draft");
    await page.getByLabel("Id").fill("1");
    await open.run();
    await page.getByRole("alertdialog").waitFor();
    await open.accessible("the question before a destructive call");
    await page.getByRole("button", { name: "Keep it" }).click();
    if (phone) for (const _to of ["the list", "the chat"]) await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "JSON" }).first().click();
    await open.context.setOffline(true);
    await page.getByText("You are offline.").waitFor();
    await open.accessible("a connection that is lost, and raw JSON");
    await fits("a connection that is lost");
    await open.context.setOffline(false);
    await open.state("live");
  });

  test(`no accessibility violation in an empty chat: ${name}`, async () => {
    const page = await opened(options);
    await page.getByRole("heading", { name: "Text studio" }).waitFor();
    assert.equal(await page.locator("#chat").evaluate((el) => el.scrollTop), 0, "it is read from its beginning");
    await open.accessible("an empty chat");
    await open.fits("an empty chat");
    await page.locator("#open-tasks").click();
    await page.getByText("No tasks yet").waitFor();
    await open.accessible("an empty drawer");
    await page.keyboard.press("Escape");
    await page
      .getByRole("list", { name: "Begin with" })
      .getByRole("button", { name: /List drafts/ })
      .click();
    await page.getByLabel("Query").waitFor();
    stub.sessionOver = true;
    await page.reload();
    await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
    await open.accessible("the way in");
    await open.fits("the way in");
  });
}
