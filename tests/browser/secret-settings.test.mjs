// The dialog of secrets: entering, replacing and removing a value by keys alone, refusals, and that a value stays nowhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

async function dialogOf(page) {
  await page.locator("#account > summary").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Secrets" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Secrets" });
  await dialog.getByText("Missing").waitFor();
  return dialog;
}

const VALUE = "sk-0123456789";
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

test("a value is entered, replaced and removed by keys alone", async () => {
  const page = await opened();
  const dialog = await dialogOf(page);
  await open.accessible("the dialog of secrets");
  const box = dialog.getByLabel("Value of API key");
  assert.equal(await box.getAttribute("type"), "password");
  await box.focus();
  await page.keyboard.type(VALUE);
  await page.keyboard.press("Enter");
  await dialog.getByText("Set", { exact: true }).waitFor();
  assert.equal(stub.entered, VALUE);
  assert.equal(await focused(page), "API key", "the focus stays at the secret");
  await dialog.getByText(/Entered .* by you\./).waitFor();
  await dialog.getByLabel("New value of API key").fill("sk-another-one");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#secrets input").value === "");
  assert.equal(stub.entered, "sk-another-one");
  await open.accessible("a secret that is set");
  await dialog.getByRole("button", { name: "Remove API key" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await dialog.getByText("Missing").waitFor();
  assert.equal(await focused(page), "API key");
});

test("a refusal is told at the secret, and what was typed stays for another try", async () => {
  const page = await opened();
  const dialog = await dialogOf(page);
  stub.refuseSecret = { status: 422, code: "VALIDATION_TYPE_ERROR", message: "The value of `api_key` is too long." };
  await dialog.getByLabel("Value of API key").fill(VALUE);
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").getByText("is too long").waitFor();
  assert.equal(await dialog.getByLabel("Value of API key").inputValue(), VALUE);
});

test("a closed dialog keeps no value, and neither does the page", async () => {
  const page = await opened();
  let dialog = await dialogOf(page);
  await dialog.getByLabel("Value of API key").fill(VALUE);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.match(await focused(page), /dev@example.com/, "the focus is where it was");
  dialog = await dialogOf(page);
  assert.equal(await dialog.getByLabel("Value of API key").inputValue(), "");
  await dialog.getByLabel("Value of API key").fill(VALUE);
  await page.keyboard.press("Enter");
  await dialog.getByText("Set", { exact: true }).waitFor();
  const kept = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML]),
  );
  assert.ok(!kept.includes(VALUE));
});

test("a secret of all users is only shown", async () => {
  const page = await opened();
  const dialog = await dialogOf(page);
  await dialog.getByText("An operator enters it, for all users.").waitFor();
  assert.equal(await dialog.locator("input").count(), 1);
});
