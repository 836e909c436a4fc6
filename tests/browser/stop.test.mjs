// Stopping a call while the chat waits for its answer, against the binary of the example.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, refine, withRefine } from "./setup.mjs";

withRefine();

test("Stop ends a call that the chat waits for, with one reply that says so", async () => {
  const page = await opened();
  await open.choose("Refine now");
  await page.getByRole("textbox").first().fill("a draft");
  await open.run();
  await refine.completions.next();
  const stop = page.getByRole("button", { name: "Stop Refine now" });
  await stop.focus();
  await page.keyboard.press("Enter");
  await open.turns(".bot").getByText("Refine now was cancelled.").waitFor();
  assert.equal(await open.turns(".bot").count(), 1);
  assert.equal(await open.turns(".bot").locator(".failed").count(), 0, "what the user asked for is no failure");
  assert.equal(await page.locator(".working").count(), 0);
  await page.reload();
  await open.turns(".bot").getByText("Refine now was cancelled.").waitFor();
  assert.equal(await open.turns(".bot").count(), 1);
  await page.locator("#open-audit").click();
  await page.locator(".audit-row", { hasText: "asked a call to stop" }).waitFor();
});

test("a stop that is refused says why, and can be tried again", async () => {
  const page = await opened();
  await page.route("**/v1/calls/*/cancel", (route) =>
    route.fulfill({
      status: 403,
      json: { error: { code: "PERMISSION_DENIED", message: "This call belongs to another user." } },
    }),
  );
  await open.choose("Refine now");
  await page.getByRole("textbox").first().fill("a draft");
  await open.run();
  await refine.completions.next();
  await page.getByRole("button", { name: "Stop Refine now" }).click();
  await page.locator(".working").getByText("This call belongs to another user.").waitFor();
  await open.accessible("a refused stop");
  await page.unroute("**/v1/calls/*/cancel");
  await page.getByRole("button", { name: "Stop Refine now" }).click();
  await open.turns(".bot").getByText("Refine now was cancelled.").waitFor();
});
