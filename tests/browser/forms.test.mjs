// Forms against the gateway stub: every kind of parameter, errors at their fields, refusals that lose no
// input, and a call with the keyboard only.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const userTurn = () => stub.turns.find((turn) => turn.role === "user");

async function fillReport(page) {
  await page.getByLabel("Title").fill("Weekly");
  await page.getByLabel("Id").fill("7");
  await page.getByLabel("Name").first().fill("First");
  await page.getByLabel("Level").selectOption("High");
  await page.getByLabel("Radius").fill("2,5");
}

describe("forms", () => {
  test("every kind of parameter is sent as its schema requires", async () => {
    const page = await opened();
    await open.choose("Build report");
    await fillReport(page);
    await page.getByRole("button", { name: "Add row" }).click();
    await page.getByLabel("Id").nth(1).fill("18446744073709551615");
    await page.getByLabel("Name").nth(1).fill("Second");
    await page.getByLabel("Done").nth(1).check();
    await page.getByRole("button", { name: "Add tag" }).click();
    await page.getByRole("textbox", { name: "Tag 2" }).fill("new");
    await page.getByLabel("Urgent").check();
    await page.getByLabel("Archive").selectOption("No");
    await page.getByRole("textbox", { name: "Mail optional" }).fill("me@example.com");
    await page.getByLabel("Day").fill("2026-03-01");
    await page.getByLabel("Box").check();
    await page.getByLabel("Width").fill("3");
    await page.getByLabel("Height").fill("4");
    await page.getByRole("button", { name: "Add owner" }).click();
    await page.getByRole("group", { name: "Owner" }).getByLabel("Name").fill("Ada");
    await page.getByRole("button", { name: "Add boss" }).click();
    await page.getByRole("group", { name: "Boss" }).getByLabel("Name").fill("Grace");
    await page.getByRole("button", { name: "Add entry" }).click();
    await page.getByRole("group", { name: "Labels" }).getByLabel("Name").fill("colour");
    await page.getByRole("group", { name: "Labels" }).getByLabel("Value").fill("blue");
    await page.getByRole("button", { name: "Add pair" }).click();
    await page.getByRole("group", { name: "Pair" }).getByRole("textbox").first().fill("x");
    await page.getByRole("group", { name: "Pair" }).getByRole("textbox").last().fill("-3");
    await page.getByRole("group", { name: "Checks" }).getByLabel("SSL").check();
    await page.getByRole("group", { name: "Checks" }).getByLabel("DNS").check();
    await page.getByLabel("Extra").fill('{"any": ["thing"]}');
    const body = page.waitForRequest((request) => request.url().endsWith("/call"));
    await open.run();
    assert.equal(
      (await body).postData(),
      '{"function":"build_report","params":{"title":"Weekly","rows":[{"id":7,"name":"First","done":false},{"id":18446744073709551615,"name":"Second","done":true}],"tags":["draft","new"],"ratio":0.5,"urgent":true,"archive":false,"level":"high","mail":"me@example.com","day":"2026-03-01","shape":{"kind":"box","width":3,"height":4},"owner":{"name":"Ada","boss":{"name":"Grace"}},"labels":{"colour":"blue"},"pair":["x",-3],"checks":["dns","ssl"],"extra":{"any":["thing"]}}}',
    );
  });

  test("missing and invalid values are shown at their fields before anything is sent", async () => {
    const page = await opened();
    await open.choose("Build report");
    await page.getByLabel("Title").fill("ab");
    await page.getByLabel("Limit").fill("501");
    await page.getByRole("textbox", { name: "Mail optional" }).fill("nobody");
    for (const one of ["DNS", "SSL", "Email"])
      await page.getByRole("group", { name: "Checks" }).getByLabel(one).check();
    await open.run();
    const field = (label) => page.locator(".field", { has: page.getByLabel(label) }).locator(".field-error");
    assert.equal(await field("Title").textContent(), "At least 3 characters; this has 2.");
    assert.equal(await field("Limit").textContent(), "This must be at most 500.");
    assert.equal(await field("Mail optional").textContent(), "Enter an e-mail address, such as anna@example.com.");
    assert.equal(await field("Level").textContent(), "Choose one.");
    assert.equal(await page.locator(".field-several .field-error").textContent(), "Choose at most 2.");
    assert.equal(
      await page.evaluate(() => document.activeElement.getAttribute("aria-invalid")),
      "true",
      "the first wrong field has the focus",
    );
    assert.ok(!stub.requests.some((request) => request.endsWith("/call")));
    await page.getByLabel("Title").fill("abc");
    await field("Title").waitFor({ state: "hidden" });
  });

  test("a field that the platform refuses is marked at any depth", async () => {
    const page = await opened();
    await open.choose("Build report");
    await fillReport(page);
    stub.refuse = { status: 422, code: "VALIDATION_TYPE_ERROR", message: "There is no row 7.", field: "rows[0].id" };
    await open.run();
    const id = page.getByLabel("Id");
    await page.locator(".field-error", { hasText: "There is no row 7." }).waitFor();
    assert.equal(await id.getAttribute("aria-invalid"), "true");
    assert.ok(await id.evaluate((el) => el === document.activeElement));
    stub.refuse = { status: 422, code: "VALIDATION_MISSING_FIELD", message: "It is not there.", field: "elsewhere" };
    await open.run();
    await page.locator(".form-error", { hasText: "It is not there." }).waitFor();
    assert.equal(await page.getByLabel("Title").inputValue(), "Weekly", "nothing that was written is lost");
  });

  test("a full or unreachable platform is reported and no input is lost", async () => {
    const page = await opened();
    await open.choose("Refine output");
    await page.getByLabel("Text").fill("A draft");
    stub.refuse = { status: 429, code: "RATE_LIMITED", message: "100 tasks are running; wait for one to end." };
    await open.run();
    await page.locator(".form-error", { hasText: "100 tasks are running" }).waitFor();
    await open.context.setOffline(true);
    await open.run();
    await page.locator(".form-error", { hasText: "You are offline. Your input is kept" }).waitFor();
    await open.context.setOffline(false);
    await page.locator(".form-error", { hasText: "You are connected again. Run sends it now" }).waitFor();
    assert.equal(await page.getByLabel("Text").inputValue(), "A draft");
    await page.reload();
    await open.state("live");
    assert.equal(await page.getByLabel("Text").inputValue(), "A draft", "the draft survives a reload");
    await open.run();
    await open.turns(".bot").waitFor();
    assert.equal(await page.getByLabel("Text").inputValue(), "", "a call that was accepted empties the form");
  });

  test("form and JSON view keep the same values in both directions", async () => {
    const page = await opened();
    await open.choose("Refine output");
    await page.getByRole("button", { name: "Edit as JSON" }).click();
    await page.getByLabel("Parameters").fill('{"text": "hello", "tone": "formal"');
    await page.getByRole("button", { name: "Back to the form" }).click();
    await page.locator(".field-error", { hasText: "This is not JSON" }).waitFor();
    await page.getByLabel("Parameters").fill('{"text": "hello", "tone": "formal"}');
    await page.getByRole("button", { name: "Back to the form" }).click();
    assert.equal(await page.getByLabel("Text").inputValue(), "hello");
    await open.run();
    await open.turns(".bot").waitFor();
    assert.deepEqual(userTurn().params, { text: "hello", tone: "formal" });
  });

  test("a secret is masked, is in no draft, and is needed again when the call is repeated", async () => {
    const page = await opened();
    await open.choose("Connect");
    await page.getByLabel("Service").fill("post");
    await page.getByLabel("Key").fill("s3cret-s3cret");
    assert.equal(await page.getByLabel("Key").getAttribute("type"), "password");
    await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("post")));
    assert.equal(
      await page.evaluate(() => Object.values(sessionStorage).some((text) => text.includes("s3cret"))),
      false,
    );
    let sent;
    stub.answers.set(
      "connect",
      (params) => (
        (sent = params),
        { status: "error", summary: "", data: {}, error: "Try later.", error_code: "BUSY", retryable: true }
      ),
    );
    await open.run();
    await page.getByText("Try later.").waitFor();
    assert.deepEqual(sent, { service: "post", key: "s3cret-s3cret" });
    await open.choose("Ping");
    await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
    await page.getByText("Key is not stored in the chat. Enter it again in the form that has opened.").waitFor();
    assert.equal(await page.getByLabel("Service").inputValue(), "post");
    assert.equal(await page.getByLabel("Key").inputValue(), "");
  });

  test("a destructive function asks first, and an earlier call can be edited and run", async () => {
    stub.asked("delete_draft", { id: 41 }, DONE);
    const page = await opened();
    await page.getByRole("button", { name: "Edit and run Delete draft" }).click();
    assert.equal(await page.getByLabel("Id").inputValue(), "41");
    await page.getByLabel("Id").fill("42");
    await open.run();
    const question = page.getByRole("alertdialog", { name: "Delete draft?" });
    await question.waitFor();
    const described = () =>
      page.locator(`#confirm`).evaluate((el) => document.getElementById(el.getAttribute("aria-describedby")).innerText);
    assert.match(await described(), /^ID\s+42\s+What it removes may be lost permanently\.$/);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep it");
    await page.keyboard.press("Escape");
    assert.equal(stub.turns.length, 2, "an answer of no runs nothing");
    await open.run();
    await question.getByRole("button", { name: "Delete draft" }).click();
    await open.turns().nth(3).waitFor();
    assert.deepEqual(stub.turns[2].params, { id: 42 });
  });

  test("a call works with the keyboard only: search, arrows, form, run", async () => {
    const page = await opened();
    await page.keyboard.press("/");
    await page.keyboard.type("draft state");
    await page.keyboard.press("ArrowDown");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /List drafts/);
    await page.keyboard.press("Enter");
    await page.keyboard.type("letters");
    await page.keyboard.press("Control+Enter");
    await open.turns(".bot").waitFor();
    assert.deepEqual(userTurn().params, { query: "letters" });
  });
});
