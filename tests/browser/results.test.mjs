// The results of calls, against the gateway stub: data of every shape, links, exact numbers, and running a call again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

describe("results", () => {
  const show = async (data, summary = "Here.") => {
    stub.asked("ping", {}, { status: "success", summary, data });
    return opened();
  };

  test("a list of objects is a table, and the raw JSON is one click away", async () => {
    const page = await show({ rows: Array.from({ length: 30 }, (_, n) => ({ id: n, name: `row ${n}` })) });
    assert.equal(await page.getByRole("row").count(), 26);
    await page.getByRole("button", { name: "Show all 30" }).click();
    assert.equal(await page.getByRole("row").count(), 31);
    await page.getByRole("button", { name: "JSON" }).click();
    await page.locator(".raw pre", { hasText: '"name": "row 29"' }).waitFor();
  });

  test("wide tables stay inside their card and are no landmarks", async () => {
    const row = {
      domain: "a-rather-long-name.example.com",
      status: "unknown",
      issues: 0,
      dns: "unknown",
      ssl: "unknown",
      http: "unknown",
      email: "unknown",
      blacklist: "unknown",
    };
    const page = await show({ checked: "now", domains: [row, row], issues: [row, row] });
    await page.getByRole("table").nth(1).waitFor();
    const outside = await page.evaluate(
      () =>
        [...document.querySelectorAll(".table-scroll")].filter(
          (one) => one.getBoundingClientRect().right > one.closest(".card").getBoundingClientRect().right,
        ).length,
    );
    assert.equal(outside, 0);
    await open.accessible("an answer with two tables");
  });

  test("web addresses become safe links and images, and nothing else does", async () => {
    const page = await show({
      site: "https://example.com/a?b=1",
      script: "javascript:alert(1)",
      html: "<img src=x onerror=alert(1)>",
      data: "data:text/html,<script>alert(1)</script>",
      dot: "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
    });
    const links = page.locator(".data a");
    assert.equal(await links.count(), 1);
    assert.equal(await links.getAttribute("rel"), "noopener noreferrer");
    assert.equal(await links.getAttribute("target"), "_blank");
    assert.equal(await page.locator(".data img").count(), 1);
    await page.getByText("<img src=x onerror=alert(1)>", { exact: true }).waitFor();
  });

  test("integers beyond 2^53 keep their digits", async () => {
    const page = await opened();
    await page.route("**/v1/chat/turns?latest=60", async (route) => {
      const turn =
        '{"seq":1,"turn_id":"t","at":"2026-01-01T00:00:00Z","role":"bot","type":"response","text":"Here.","app_id":"studio","call_id":"c","result":{"status":"success","summary":"Here.","data":{"id":9007199254740993}}}';
      await route.fulfill({ contentType: "application/json", body: `{"turns":[${turn}]}` });
    });
    stub.turn({ text: "so that the number of the first turn is known" });
    await page.reload();
    await page.getByText("9007199254740993", { exact: true }).waitFor();
  });

  test("running again is offered only if it can help, and shows when it was used", async () => {
    stub.asked(
      "ping",
      {},
      { status: "error", summary: "", data: {}, error: "No such row.", error_code: "ROW_NOT_FOUND" },
    );
    const lost = stub.asked(
      "ping",
      { n: 2 },
      { status: "error", summary: "", data: {}, error: "The process stopped.", error_code: "INTERRUPTED" },
    );
    const page = await opened();
    assert.equal(await page.locator(".way-out").getByRole("button", { name: "Run again" }).count(), 1);
    await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
    await open.turns().nth(5).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, stub.turns.find((turn) => turn.call_id === lost).params);
    await page.locator(".way-out .done", { hasText: /^Run again at / }).waitFor();
    assert.equal(
      await page.locator(".way-out").getByRole("button", { name: "Run again" }).count(),
      0,
      "used, it is no longer offered",
    );
    await page.reload(); // another page, or this one later, knows it too
    await page.locator(".way-out .done").waitFor();
    await page.getByRole("button", { name: "See the new call" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.seq), "5");
    await page.getByRole("button", { name: "Once more" }).click();
    await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
    await page.locator(".way-out .done", { hasText: "Run again 2 times" }).waitFor();
  });
});
