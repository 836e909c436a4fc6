// Schedules: the dialog with its drafts, preview and errors, the list with its states and acts, and scheduled calls in the chat.
// With a stub, because states such as a failing schedule take days; next times and clock changes are tested in Rust.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./deadline.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const DAY = 86_400_000;
const before = (ms) => new Date(Date.now() - ms).toISOString();
const dialog = (page) => page.locator("#schedule");
const drawer = (page) => page.locator("#drawer");
const row = (page, name) => page.locator(".schedule", { has: page.getByRole("heading", { name }) });
const focused = (page) =>
  page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
const sent = () => stub.schedules.bodies.filter((body) => body.name);
const said = (page, text) => page.locator("#announcer p", { hasText: text }).waitFor({ state: "attached" });

/** The page with the form of a function, and its dialog. */
async function dialogOf(
  name = "Refine output",
  fill = (page) => page.getByLabel("Text").fill("Inbox digest"),
  options,
) {
  const page = await opened(options);
  await open.choose(name);
  await fill(page);
  await page.locator(".function-form").getByRole("button", { name: "Repeat…" }).click();
  await dialog(page).waitFor();
  return page;
}

async function listOf(options) {
  const page = await opened(options);
  await page.locator("#open-schedules").click();
  await drawer(page).getByRole("tabpanel", { name: "Schedules" }).waitFor();
  return page;
}

describe("the dialog", () => {
  test("a schedule is made by keys alone, and the focus is back where it was", async () => {
    const page = await opened();
    await open.choose("Refine output");
    await page.getByLabel("Text").fill("Inbox digest");
    await page.locator(".function-form").getByRole("button", { name: "Repeat…" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement.matches("#schedule input[type=text]"));
    await page.keyboard.type("Morning digest");
    const radio = page.getByRole("radio", { name: "Day", exact: true });
    while (!(await radio.evaluate((el) => el === document.activeElement))) await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.getByRole("radio", { name: "Weekday" }).isChecked());
    await page.keyboard.press("Control+Enter");
    await dialog(page).waitFor({ state: "hidden" });
    const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
    assert.deepEqual(sent(), [
      {
        name: "Morning digest",
        app_id: "studio",
        function: "refine_output",
        params: { text: "Inbox digest", tone: "neutral" },
        when: { cron: "0 8 * * 1-5" },
        zone,
      },
    ]);
    assert.match(await focused(page), /^Repeat…/);
    await said(page, "Morning digest is created.");
    await row(page, "Morning digest").getByText("Every weekday at 08:00").waitFor();
    assert.equal(await page.getByLabel("Text").inputValue(), "Inbox digest", "the form keeps its text");
  });

  test("the preview shows the next times, and tells them in one sentence after a pause", async () => {
    stub.schedules.notes = [{ at: before(0), text: "On 2027-03-28 the clocks go forward, still 08:00 there." }];
    const page = await dialogOf();
    const preview = page.locator(".schedule-preview");
    await preview.getByText("Runs every day at 08:00").waitFor();
    assert.match(await preview.locator(".next-time").textContent(), /^Next .*08:00.* in \d+ h \d+ min$/);
    await preview.getByText("clocks go forward").waitFor();
    await preview.getByText("3 more").click();
    assert.equal(await preview.locator(".next-times li").count(), 5);
    const status = dialog(page).getByRole("status").last();
    await page.getByLabel("Time", { exact: true }).fill("09:30");
    await page.waitForFunction(() =>
      document.querySelector("#schedule .schedule-preview + [role=status]").textContent.includes("09:30"),
    );
    assert.match(
      await status.textContent(),
      /^Every day at 09:30, .+\. Next: \w+ \d+ \w+ at 9:30, in \d+ (hours?|minutes?)\. 1 note about clock changes\.$/,
    );
    await open.accessible("the dialog of a schedule");
    await open.fits("the dialog of a schedule");
  });

  test("each choice of how often becomes its expression", async () => {
    const page = await dialogOf();
    const expression = () => stub.schedules.bodies.at(-1)?.when;
    const becomes = (when) => until(JSON.stringify(when), () => JSON.stringify(expression()) === JSON.stringify(when));
    await becomes({ cron: "0 8 * * *" });
    await page.getByRole("button", { name: "another time" }).click();
    assert.match(await focused(page), /^Time 2$/);
    await becomes({ cron: "0 8,20 * * *" });
    await page.getByRole("button", { name: "Remove 08:00" }).click();
    await becomes({ cron: "0 20 * * *" });
    await page.getByRole("radio", { name: "Week", exact: true }).check();
    await page.getByRole("checkbox", { name: "Sunday" }).check();
    await becomes({ cron: "0 20 * * 1,0" });
    await page.getByRole("radio", { name: "Month" }).check();
    await page.getByLabel("On day").fill("15");
    await becomes({ cron: "0 20 15 * *" });
    await page.getByRole("radio", { name: "Every…" }).check();
    await becomes({ every_seconds: 7200 });
    await page.getByLabel("Unit").selectOption("days");
    await becomes({ every_seconds: 172_800 });
    await page.getByRole("radio", { name: "Day", exact: true }).check();
    await page.getByRole("button", { name: "Edit as cron" }).click();
    assert.equal(await page.getByLabel("Cron expression").inputValue(), "0 20 * * *");
    await open.accessible("a cron expression");
    await page.getByLabel("Cron expression").fill("30  7 * * 1-5");
    await becomes({ cron: "30 7 * * 1-5" });
    await page.getByRole("button", { name: "Choose without cron" }).click();
    assert.ok(await page.getByRole("radio", { name: "Weekday" }).isChecked());
    assert.equal(await page.getByLabel("Time", { exact: true }).inputValue(), "07:30");
  });

  test("the first and the last day count in the schedule's zone, and a number of runs ends it", async () => {
    const page = await dialogOf();
    await page.getByRole("combobox", { name: "Time zone" }).fill("Asia/Tokyo");
    await page.keyboard.press("Escape");
    await page.getByLabel("Starts").fill("2027-03-01");
    await page.getByLabel("Last day").fill("2027-03-31");
    assert.ok(await page.getByRole("radio", { name: "on", exact: true }).isChecked(), "writing a day chooses it");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    const [body] = sent();
    assert.equal(body.starts_at, "2027-02-28T15:00:00.000Z");
    assert.equal(body.ends_at, "2027-03-31T14:59:59.000Z", "the last day is whole");
    await page.getByRole("button", { name: "More about Refine output" }).click();
    await page.getByRole("menuitem", { name: "Edit" }).click();
    assert.equal(await page.getByLabel("Starts").inputValue(), "2027-03-01");
    assert.equal(await page.getByLabel("Last day").inputValue(), "2027-03-31");
    await page.getByLabel("Number of runs").fill("10");
    await page.getByRole("button", { name: "Save" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    assert.deepEqual(
      stub.schedules.bodies.filter((one) => "version" in one),
      [{ ends_at: null, max_runs: 10, version: 1 }],
    );
  });

  test("the zones are a list that finds, by keys, and Esc closes the list and not the dialog", async () => {
    const page = await dialogOf();
    const box = page.getByRole("combobox", { name: "Time zone" });
    await box.fill("ber");
    const options = page.getByRole("listbox").getByRole("option");
    assert.deepEqual(await options.evaluateAll((all) => all.map((el) => el.firstChild.textContent)), [
      "Atlantic/Bermuda",
      "Europe/Berlin",
    ]);
    await open.accessible("the list of zones");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const active = await box.getAttribute("aria-activedescendant");
    assert.match(await page.locator(`#${active}`).textContent(), /^Europe\/Berlin, UTC plus [12]/);
    await page.keyboard.press("Enter");
    assert.equal(await box.inputValue(), "Europe/Berlin");
    assert.equal(await box.getAttribute("aria-expanded"), "false");
    await until("the preview asks for it", () => stub.schedules.bodies.at(-1)?.zone === "Europe/Berlin");
    await box.fill("new york");
    assert.equal(await options.count(), 1);
    await page.keyboard.press("Escape");
    assert.ok(await dialog(page).isVisible());
    await box.fill("no such place");
    assert.equal(await box.getAttribute("aria-expanded"), "false");
  });

  test("Esc keeps a draft over a reload, Cancel throws it away", async () => {
    const page = await dialogOf();
    await page.getByLabel("Name").fill("Evening digest");
    await page.getByLabel("Time", { exact: true }).fill("18:15");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    assert.match(await focused(page), /^Repeat…/);
    await page.reload();
    await open.state("live");
    const repeat = page.locator(".function-form").getByRole("button", { name: "Repeat…" });
    await repeat.click();
    await dialog(page).getByText("This is your draft.").waitFor();
    assert.equal(await page.getByLabel("Name").inputValue(), "Evening digest");
    assert.equal(await page.getByLabel("Time", { exact: true }).inputValue(), "18:15");
    await page.getByRole("button", { name: "Start over" }).click();
    assert.equal(await page.getByLabel("Name").inputValue(), "Refine output");
    await page.getByLabel("Name").fill("Something else");
    await page.getByRole("button", { name: "Cancel" }).click();
    await repeat.click();
    assert.equal(await page.getByLabel("Name").inputValue(), "Refine output");
    assert.equal(await dialog(page).getByText("This is your draft.").count(), 0);
  });

  test("missing parts are told at their fields, and the first one gets the focus", async () => {
    const page = await dialogOf("Refine output", () => {});
    await page.getByLabel("Name").fill(" ");
    await page.getByRole("radio", { name: "Every…" }).check();
    await page.getByLabel("Every", { exact: true }).fill("2");
    await page.getByLabel("Unit").selectOption("minutes");
    await page.getByRole("button", { name: "Create schedule" }).click();
    for (const words of ["A name is needed.", "This is needed.", "At least 5 minutes."])
      await dialog(page).locator(".field-error:visible", { hasText: words }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.labels[0].textContent), "Name");
    await open.accessible("a dialog with errors");
    await page.getByLabel("Name").fill("Poll");
    await dialog(page).getByLabel("Text").fill("x");
    await page.getByLabel("Every", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    assert.deepEqual(
      sent().map(({ when }) => when),
      [{ every_seconds: 300 }],
    );
  });

  test("times with different minutes are refused with the way out", async () => {
    const page = await dialogOf();
    await page.getByRole("button", { name: "another time" }).click();
    await page.getByLabel("Time 2").fill("20:30");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).getByRole("alert").getByText("Make a second schedule for the others.").waitFor();
    assert.deepEqual(sent(), []);
  });

  test("a refusal of the server is at the field that it names, and what is written stays", async () => {
    const page = await dialogOf();
    await page.getByRole("button", { name: "Edit as cron" }).click();
    await page.getByLabel("Cron expression").fill("61 8 * * *");
    stub.schedules.refusePreview = stub.schedules.refuse = {
      status: 422,
      code: "SCHEDULE_INVALID",
      message: "The minute 61 is not one of 0 to 59.",
      field: "cron",
    };
    await dialog(page).getByText("The minute 61 is not one of 0 to 59.").waitFor();
    await page.getByRole("button", { name: "Create schedule" }).click();
    await page.waitForFunction(() => document.activeElement.getAttribute("aria-invalid") === "true");
    assert.equal(await page.getByLabel("Cron expression").inputValue(), "61 8 * * *");
    stub.schedules.refusePreview = null;
    stub.schedules.refuse = {
      status: 429,
      code: "TOO_MANY_SCHEDULES",
      message: "100 schedules are the most. Delete one.",
    };
    await page.getByLabel("Cron expression").fill("1 8 * * *");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).getByRole("alert").getByText("100 schedules are the most. Delete one.").waitFor();
    stub.schedules.refuse = { status: 422, code: "VALIDATION_TYPE_ERROR", message: "It is too long.", field: "text" };
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).locator(".schedule-params").getByText("It is too long.").waitFor();
  });

  test("offline it stays open, and is sent once after the connection is back", async () => {
    const page = await dialogOf();
    await page.getByLabel("Name").fill("Morning digest");
    await open.context.setOffline(true);
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).getByRole("alert").getByText("You are offline. What you wrote is kept.").waitFor();
    await open.context.setOffline(false);
    await dialog(page).getByText("You are connected again. Send it now: it cannot be made twice.").waitFor();
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(stub.schedules.all.length, 1);
  });

  test("an answer that is lost makes one schedule", async () => {
    const page = await dialogOf();
    let lost = false;
    await page.route("**/v1/schedules", async (route) => {
      if (lost || route.request().method() !== "POST") return route.continue();
      lost = true;
      await route.fetch();
      return route.abort();
    });
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).getByRole("alert").getByText("What you wrote is kept.").waitFor();
    await page.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(stub.schedules.all.length, 1);
  });

  test("a destructive function asks once, with its parameters and next times; no leaves the dialog", async () => {
    const page = await dialogOf("Delete draft", (it) => it.getByLabel("Id").fill("3"));
    await page.getByRole("button", { name: "Create schedule" }).click();
    const question = page.getByRole("alertdialog");
    await question.getByRole("heading", { name: "Let Delete draft run by itself?" }).waitFor();
    await question.getByText("without asking again").waitFor();
    assert.equal(await question.locator("ul li").count(), 3);
    assert.match(await question.locator("dl").textContent(), /ID\s*3/);
    assert.equal(await focused(page), "Don’t", "the harmless button has the focus");
    await open.accessible("the question before a destructive schedule");
    await page.keyboard.press("Enter");
    await question.waitFor({ state: "hidden" });
    assert.ok(await dialog(page).isVisible());
    assert.deepEqual(sent(), []);
    await page.getByRole("button", { name: "Create schedule" }).click();
    await question.getByRole("button", { name: "Create schedule" }).click();
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(sent()[0].approve, 'of delete_draft {"id":3}', "the consent is to these parameters");
  });

  test("a function with a parameter that is not kept cannot run by itself", async () => {
    const page = await dialogOf("Connect", (it) => it.getByLabel("Key").fill("0123456789"));
    await dialog(page).getByText("It cannot run by itself.").waitFor();
    await page.getByRole("button", { name: "Create schedule" }).click({ force: true });
    await page.keyboard.press("Control+Enter");
    assert.deepEqual(sent(), []);
    await page.getByLabel("Name").fill("x");
    await page.keyboard.press("Escape");
    const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }));
    assert.ok(!kept.includes("0123456789"));
  });

  test("a call in the chat is repeated with its parameters", async () => {
    stub.asked(
      "refine_output",
      { text: "From the chat", tone: "formal" },
      { status: "success", summary: "Done.", data: {} },
    );
    const page = await opened();
    await page.locator("#turns").getByRole("button", { name: "Repeat… Refine output" }).click();
    await dialog(page).getByText("From the chat").waitFor();
    await page.getByRole("button", { name: "Change… what runs" }).click();
    assert.equal(await dialog(page).getByLabel("Text").inputValue(), "From the chat");
    await page.keyboard.press("Control+Enter");
    await dialog(page).waitFor({ state: "hidden" });
    assert.deepEqual(sent()[0].params, { text: "From the chat", tone: "formal" });
  });

  test("a schedule that another window has changed is not overwritten", async () => {
    const schedule = stub.schedules.add();
    const page = await listOf();
    await page.getByRole("button", { name: "More about Morning digest" }).click();
    await page.getByRole("menuitem", { name: "Edit" }).click();
    await page.getByLabel("Name").fill("Mine");
    stub.schedules.change(schedule, { name: "Theirs" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Load what it is now" }).click();
    await page.waitForFunction(() => document.querySelector("#schedule input[type=text]").value === "Theirs");
    await page.getByLabel("Name").fill("Ours");
    await page.getByRole("button", { name: "Save" }).click();
    await row(page, "Ours").waitFor();
  });
});

describe("the list", () => {
  test("without schedules it says how to make one", async () => {
    const page = await listOf();
    await page.getByText("Nothing repeats yet.").waitFor();
    await open.accessible("an empty list of schedules");
    await page.getByRole("button", { name: "New schedule" }).click();
    await page.getByLabel("Function", { exact: true }).selectOption("Ping");
    assert.equal(await page.getByLabel("Name").inputValue(), "Ping");
    await page.keyboard.press("Control+Enter");
    await row(page, "Ping").waitFor();
    assert.deepEqual(sent()[0].params, {});
    assert.equal(await drawer(page).getByRole("tab", { name: "Schedules 1" }).count(), 1);
  });

  test("a row says what it does, when, and how its latest runs went", async () => {
    const schedule = stub.schedules.add({ zone: "Europe/Berlin" });
    for (let n = 7; n > 0; n -= 1) {
      const [due_at, ended_at] = [before(n * DAY), before(n * DAY - 12_000)];
      stub.schedules.ran(schedule, { due_at, ended_at, state: n === 3 ? "failed" : "succeeded" });
    }
    const page = await listOf({ timezoneId: "America/New_York" });
    const it = row(page, "Morning digest");
    const there = { hour: "2-digit", minute: "2-digit", timeZone: "America/New_York" };
    const own = new Intl.DateTimeFormat("en-GB", there).format(new Date(schedule.next_at));
    await it.getByText(`Every day at 08:00 Europe/Berlin (${own} here)`).waitFor();
    await it.getByText(/^next in \d+ h \d+ min, /).waitFor();
    const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", timeZone: "America/New_York" }).format(
      Date.now() - 3 * DAY,
    );
    assert.equal(
      await it.locator(".dots").getAttribute("aria-label"),
      `7 latest runs: 6 succeeded, 1 failed on ${day}`,
    );
    assert.deepEqual(
      await it.locator(".dot-run").evaluateAll((all) => all.map((el) => el.dataset.state[0]).join("")),
      "ssssfss",
    );
    await it.getByText(/last: succeeded yesterday, .*took 12 s/).waitFor();
    const name = await it.getByRole("article").getAttribute("aria-label");
    assert.match(
      name,
      /^Morning digest, active, every day at 08:00 Europe Berlin, next run in .+, last run succeeded$/,
    );
    await open.accessible("the list of schedules");
  });

  test("a pause acts at once and can be undone; the button keeps the focus", async () => {
    const schedule = stub.schedules.add();
    const page = await listOf();
    await page.getByRole("button", { name: "Pause Morning digest" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Resume Morning digest" }).waitFor();
    assert.equal(schedule.state, "paused");
    assert.equal(await focused(page), "Resume Morning digest");
    await said(page, "Morning digest paused.");
    await row(page, "Morning digest").getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Pause Morning digest" }).waitFor();
    await said(page, /Morning digest resumed\. Next: .*08:00/);
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Resume Morning digest" }).waitFor();
    assert.equal(schedule.state, "paused", "p pauses the row with the focus");
  });

  test("p does nothing when single keys are off", async () => {
    const schedule = stub.schedules.add();
    const page = await listOf();
    await page.getByRole("button", { name: "Pause Morning digest" }).focus();
    await page.evaluate(() => document.querySelector(".slash input").click());
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Pause Morning digest" }).waitFor();
    assert.equal(schedule.state, "active");
  });

  test("a failed pause says so at the row and changes nothing", async () => {
    stub.schedules.add();
    const page = await listOf();
    stub.schedules.refuse = { status: 403, code: "PERMISSION_DENIED", message: "You may not." };
    await page.getByRole("button", { name: "Pause Morning digest" }).click();
    await row(page, "Morning digest").getByRole("alert").getByText("You may not.").waitFor();
    await open.context.setOffline(true);
    await page.getByRole("button", { name: "Pause Morning digest" }).click();
    await row(page, "Morning digest").getByRole("alert").getByText("You are offline. Try again.").waitFor();
    await open.context.setOffline(false);
    await row(page, "Morning digest").getByRole("alert").waitFor({ state: "hidden" });
  });

  test("the menu works by keys: run now, duplicate, delete", async () => {
    const schedule = stub.schedules.add({
      counts: { runs: 41, skipped: 0, missed: 0, failures: 0, failures_in_a_row: 0 },
    });
    const page = await listOf();
    const more = page.getByRole("button", { name: "More about Morning digest" });
    await more.focus();
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "Run now");
    await open.accessible("the menu of a schedule");
    await page.keyboard.press("End");
    assert.equal(await focused(page), "Delete…");
    await page.keyboard.press("Escape");
    assert.equal(await focused(page), "More about Morning digest");
    assert.ok(await drawer(page).isVisible(), "Esc closes the menu only");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await said(page, "Morning digest runs now.");
    await row(page, "Morning digest").getByText("It runs now.").waitFor();
    await more.click();
    await page.getByRole("menuitem", { name: "Duplicate" }).click();
    assert.equal(await page.getByLabel("Name").inputValue(), "Copy of Morning digest");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    await more.click();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    const question = page.getByRole("alertdialog");
    await question.getByText("Its 41 past runs stay in the chat.").waitFor();
    await question.getByRole("button", { name: "Keep it" }).click();
    assert.equal(await focused(page), "More about Morning digest");
    assert.deepEqual(stub.schedules.all, [schedule]);
    await more.click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await question.getByRole("button", { name: "Delete" }).click();
    await page.getByText("Nothing repeats yet.").waitFor();
    await said(page, "Morning digest is deleted.");
    assert.equal(await focused(page), "New schedule");
  });

  test("the filters count, and the bar tells of schedules that need the user", async () => {
    stub.schedules.add({ name: "A" });
    stub.schedules.add({ name: "B", state: "paused", paused_by: "user:anna", paused_at: before(DAY) });
    stub.schedules.add({
      name: "C",
      state: "needs_you",
      reason: { code: "failing", text: "It failed 5 times in a row." },
    });
    const page = await listOf();
    await page.locator("#open-schedules").getByText("! 1 needs you").waitFor();
    await page.getByRole("button", { name: "Paused 1" }).click();
    assert.deepEqual(await page.locator(".schedule-name").allTextContents(), ["B"]);
    await row(page, "B").getByText("Paused by anna since Yesterday").waitFor();
    await page.getByRole("button", { name: "Resume B" }).click();
    await page.getByText("No schedule is in this state.").waitFor();
    await page.getByRole("button", { name: "All 3" }).click();
    assert.equal(await page.getByRole("button", { name: "Ended" }).count(), 0, "a filter without rows is not there");
  });

  test("skipped, missed and late runs are told", async () => {
    const schedule = stub.schedules.add();
    stub.schedules.ran(schedule, { due_at: before(2 * DAY), state: "skipped" });
    stub.schedules.ran(schedule, { due_at: before(DAY), late_by_s: 3700 });
    schedule.counts.missed = 2;
    const page = await listOf();
    const it = row(page, "Morning digest");
    await it
      .getByText("1 skipped: the run before was still going. 2 missed: nothing could run them in time.")
      .waitFor();
    await it.getByText(/last: succeeded yesterday, .*1 h late/).waitFor();
    assert.match(await it.locator(".dots").getAttribute("aria-label"), /^2 latest runs: 1 succeeded, 1 skipped on /);
    await it.getByRole("button", { name: "Runs of Morning digest" }).click();
    await it.getByText("The run before was still going.", { exact: true }).waitFor();
    assert.equal(await it.locator(".run").count(), 2);
    await open.accessible("the runs of a schedule");
    await it.getByRole("button", { name: "Show in the chat" }).click();
    await page.waitForFunction(() => document.activeElement.matches(".turn.user"));
  });

  test("a schedule that needs the user says why and what to do", async () => {
    stub.schedules.add({
      name: "Gone",
      function: "no_such",
      state: "needs_you",
      reason: { code: "function_gone", text: "The function no_such is no longer there." },
    });
    stub.schedules.add({
      name: "Misfit",
      params: {},
      state: "needs_you",
      reason: { code: "params_invalid", text: "“text” is needed since version 0.2." },
    });
    const page = await listOf();
    await open.accessible("schedules that need the user");
    await row(page, "Gone").getByRole("button", { name: "Delete… Gone" }).waitFor();
    await row(page, "Misfit").getByRole("button", { name: "Open form Misfit" }).click();
    await dialog(page).getByLabel("Text").fill("now it is there");
    await page.getByRole("button", { name: "Save and resume" }).click();
    await page.getByRole("button", { name: "Pause Misfit" }).waitFor();
    assert.equal(stub.schedules.all.find(({ name }) => name === "Misfit").state, "active");
  });

  test("a changed destructive schedule asks again before it goes on", async () => {
    stub.schedules.add({
      name: "Clean",
      function: "delete_draft",
      params: { id: 3 },
      state: "needs_you",
      reason: { code: "approval_needed", text: "Its parameters were changed: allow it again." },
      approval: { needed: true, given: false, digest: "" },
    });
    const page = await listOf();
    await page.getByRole("button", { name: "Review and allow… Clean" }).click();
    await page.getByRole("button", { name: "Save and resume" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Save schedule" }).click();
    await page.getByRole("button", { name: "Pause Clean" }).waitFor();
    assert.equal(stub.schedules.bodies.findLast((body) => "version" in body).approve, 'of delete_draft {"id":3}');
  });

  test("a cause that remains is told, and the schedule stays as it is", async () => {
    stub.schedules.add({
      state: "needs_you",
      stays: true,
      reason: { code: "failing", text: "The key of the service is missing." },
    });
    const page = await listOf();
    await page.getByRole("button", { name: "Resume Morning digest" }).click();
    await row(page, "Morning digest").getByRole("alert").getByText("The key of the service is missing.").waitFor();
  });

  test("a list that cannot be read is read again when the server is back", async () => {
    const page = await opened();
    stub.schedules.add();
    await page.route("**/v1/schedules", (route) => route.abort());
    await page.locator("#open-schedules").click();
    await drawer(page).getByRole("alert").getByText("The schedules are shown when it answers.").waitFor();
    await page.unroute("**/v1/schedules");
    await row(page, "Morning digest").waitFor();
    await drawer(page).getByRole("alert").waitFor({ state: "hidden" });
  });

  test("g s opens the tab, on a phone it covers the chat and a new schedule gets the focus", async () => {
    const page = await opened();
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await drawer(page).getByRole("tab", { name: "Schedules", selected: true }).waitFor();
    await open.close();
    const phone = await listOf({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await phone.getByRole("button", { name: "New schedule" }).click();
    await phone.getByLabel("Function", { exact: true }).selectOption("Ping");
    await open.fits("the dialog on a phone");
    await phone.getByRole("button", { name: "Create schedule" }).click();
    await phone.waitForFunction(() => document.activeElement.matches(".schedule"));
    await open.fits("the list on a phone");
  });
});

describe("the chat", () => {
  test("a scheduled call says which schedule it is of, and leads to it", async () => {
    const schedule = stub.schedules.add();
    const due_at = new Date(new Date().setHours(0, 5, 0, 0)).toISOString();
    stub.schedules.ran(schedule, { due_at, late_by_s: 720 });
    const page = await opened();
    const turn = page.locator(".turn.user");
    await turn.getByText("Morning digest, due 00:05, 12 min late").waitFor();
    assert.equal(await turn.getByRole("article").getAttribute("aria-label"), "Morning digest, due 00:05, 12 min late");
    await open.accessible("a scheduled call");
    await turn.getByRole("button", { name: "Schedule Refine output" }).click();
    await page.waitForFunction(() => document.activeElement.matches(".schedule"));
  });

  test("a schedule that stopped tells it in the chat, with the way to it, and in the bar", async () => {
    const schedule = stub.schedules.add();
    const page = await opened();
    const reason = { code: "failing", text: "It failed 5 times in a row." };
    stub.schedules.change(schedule, { state: "needs_you", reason, next_at: undefined });
    stub.turn({
      type: "system",
      text: "Morning digest was paused: it failed 5 times in a row.",
      schedule: { id: schedule.id, name: schedule.name, due_at: before(0), late_by: 0 },
    });
    await page.locator("#open-schedules").getByText("! 1 needs you").waitFor();
    await page.locator("#turns").getByRole("button", { name: "Show Morning digest" }).click();
    await row(page, "Morning digest").getByText("It failed 5 times in a row.").waitFor();
  });

  test("equal successes of a day are one line, which opens; failures stay", async () => {
    const schedule = stub.schedules.add({ function: "ping", params: {} });
    const noon = new Date().setHours(12, 0, 0, 0);
    const at = (n) => new Date(noon - n * 60_000).toISOString();
    const run = (n, summary = `Checked ${n} pages.`) =>
      stub.schedules.ran(schedule, { due_at: at(n), ended_at: at(n) }, { status: "success", summary, data: {} });
    for (let n = 52; n > 2; n -= 1) run(n);
    stub.schedules.ran(
      schedule,
      { due_at: at(2), ended_at: at(2), state: "failed" },
      { status: "error", summary: "", data: {}, error: "No answer.", error_code: "DOWN" },
    );
    const page = await opened();
    const line = page.locator(".fold-line");
    await line.getByText(/^Morning digest: 50 runs succeeded, 11:08 to 11:57$/).waitFor();
    assert.equal(await page.locator(".turn:visible article:visible").count(), 2, "the failed call and its error");
    await open.accessible("folded runs");
    run(1);
    await line.getByText(/^Morning digest: 51 runs succeeded, 11:08 to 11:59$/).waitFor();
    assert.equal(await line.count(), 1);
    run(0, "Found a broken page!");
    await open.seen("Found a broken page!");
    assert.equal(await line.count(), 1, "another answer is not folded");
    await page.keyboard.press("Alt+End");
    for (let n = 0; n < 5; n += 1) await page.keyboard.press("Alt+ArrowUp");
    assert.match(
      await page.evaluate(() => document.activeElement.innerText),
      /No answer\.|Morning digest, due 11:58/,
      "folded turns are passed over",
    );
    await line.getByRole("button", { name: "Show the runs of Morning digest" }).click();
    await page.getByText("Checked 52 pages.").waitFor();
    await line.getByRole("button", { name: "Fold the runs of Morning digest" }).click();
    await page.getByText("Checked 52 pages.").waitFor({ state: "hidden" });
  });

  test("a folded run that is looked for unfolds", async () => {
    const schedule = stub.schedules.add({ function: "ping", params: {} });
    for (let n = 4; n > 0; n -= 1) {
      const due_at = new Date(new Date().setHours(12, 0, 0, 0) - n * 60_000).toISOString();
      stub.schedules.ran(schedule, { due_at, ended_at: due_at });
    }
    const page = await listOf();
    await page.locator(".fold-line").waitFor();
    await page.getByRole("button", { name: "Runs of Morning digest", exact: true }).click();
    await page.locator(".run").last().getByRole("button", { name: "Show in the chat" }).click();
    await page.waitForFunction(() => document.activeElement.matches(".turn.user:not(.folded)"));
  });

  test("a scheduled call does not end the wait of the same call by hand", async () => {
    const page = await opened();
    const schedule = stub.schedules.add({ function: "ping", params: {} });
    await page.route("**/call", () => {});
    await open.choose("Ping");
    await open.run();
    stub.schedules.ran(schedule);
    await page.locator(".turn.user").waitFor();
    assert.match(await page.locator(".function-form button[type=submit]").textContent(), /Sending/);
  });
});
