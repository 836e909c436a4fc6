// Takes the screenshots of the documentation from real binaries: `node shots.mjs`, with REFINE_BIN as for the tests
// and `bulk-audit` in the same folder; `node shots.mjs conversation` takes those of one part. Writes docs/images/*.png, as small files if pngquant is installed.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { launch } from "./chromium.mjs";
import { ModelServer } from "./model-server.mjs";
import { Opened } from "./test-page.mjs";
import { Refine, beside } from "./refine.mjs";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const DRAFT = "the harbour opens at  six , and and the first boat leaves at seven . bring warm clothes";
const REFINED = "The harbour opens at six, and the first boat leaves at seven. Bring warm clothes.";
const DOCUMENT = [
  "The island has one road.",
  "it leads to the the lighthouse .",
  "Nobody lives there now ,",
  "the keeper left in 1974 .",
];
const DOMAINS = ["harbour.example.com", "expired.example.com", "listed.example.org", "boats.example.net"];
const THINKING_MS = 2400; // gives the outcome a realistic duration

const DESK = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };
const MORE = { ...DESK, deviceScaleFactor: 1.25 };
const PHONE = { viewport: { width: 360, height: 720 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

mkdirSync(IMAGES, { recursive: true });

/** Opens a new page, brings it into the wanted state, and takes the screenshot. */
function camera(browser, url, storageState) {
  return async (name, options, prepare) => {
    const shown = await Opened.at(browser, url, { storageState, ...options });
    await shown.state("live");
    await prepare(shown);
    await shown.page.waitForFunction(() =>
      document.getAnimations().every((a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity),
    );
    const path = `${IMAGES}${name}.png`;
    await shown.page.screenshot({ path });
    try {
      execFileSync("pngquant", ["--force", "--ext", ".png", "--quality", "70-95", "--strip", path]);
    } catch (error) {
      console.error(`${name}.png is not made smaller: ${error.message}`);
    }
    await shown.close();
  };
}

async function refiner(browser) {
  const refine = await new Refine().start();
  try {
    const open = await Opened.at(browser, refine.link, DESK);
    const { page } = open;
    await open.state("live");
    const ask = async (name, text) => {
      await open.choose(name);
      await page.getByRole("textbox").first().fill(text);
      await open.run();
    };
    await ask("Refine output", "a text that nobody needs any more");
    await refine.completions.next();
    await page.getByRole("button", { name: "Cancel Refine output" }).click();
    await page.locator(".card.outcome", { hasText: "Cancelled" }).waitFor();
    await ask("Check text", DRAFT);
    await page.getByRole("table").waitFor();
    await ask("Refine output", DRAFT);
    const held = await refine.completions.next();
    await new Promise((done) => setTimeout(done, THINKING_MS));
    held.answer(REFINED);
    await page.locator(".card.outcome", { hasText: "Succeeded" }).waitFor();
    await ask("Refine document", DOCUMENT.join("\n\n"));
    for (const paragraph of DOCUMENT.slice(0, 2)) (await refine.completions.next()).answer(paragraph);
    await refine.completions.next();
    // The process is killed. The next one goes on with the third paragraph.
    await refine.crash();
    await refine.start();
    await refine.completions.next();
    const working = async (shown) => {
      const card = shown.page.locator(".task:not(.ended)").first();
      await card.getByText(/^Went on after a restart at .*, 2 kept$/).waitFor();
      if (await card.locator(".steps-toggle[aria-expanded=false]").isVisible())
        await card.locator(".steps-toggle").click();
      await card.locator(".kept").nth(1).waitFor();
    };
    await working(open);

    const shoot = camera(browser, refine.url, await open.context.storageState());
    await shoot("page", DESK, async (shown) => {
      await working(shown);
      await shown.page.evaluate(() => document.querySelector("#chat").scrollTo(0, 1e6));
      await shown.choose("Refine output");
      await shown.page.getByRole("textbox").first().fill("we meet at the lighthouse , at at noon");
    });
    await shoot("page-dark", { ...DESK, colorScheme: "dark" }, working);
    await shoot("page-phone", PHONE, working);
    await shoot("tasks", MORE, async (shown) => {
      await working(shown);
      await shown.page.locator("#open-tasks").click();
    });
    await shoot("audit", MORE, async (shown) => {
      await shown.page.locator("#open-audit").click();
      await shown.page.getByRole("button", { name: "Check", exact: true }).click();
      await shown.page.getByText("The trail is intact.").waitFor();
    });
    await open.close();
  } finally {
    await refine.stop();
  }
}

async function audits(browser) {
  const bulk = new Refine(beside("bulk-audit"));
  await bulk.start({ BULK_AUDIT_SECONDS: "0.2", BULK_AUDIT_DATA: bulk.data });
  try {
    const open = await Opened.at(browser, bulk.link, DESK);
    await open.state("live");
    const shoot = camera(browser, bulk.url, await open.context.storageState());
    const fill = async (shown) => {
      await shown.page.locator(".function", { hasText: "Audit domains" }).first().click();
      await shown.page.locator(".function-form textarea").first().fill(DOMAINS.join("\n"));
    };
    await fill(open);
    await open.run();
    await open.page.getByRole("table").first().waitFor();
    await shoot("form", MORE, async (shown) => {
      await fill(shown);
      await shown.page.locator(".card.outcome").evaluate((el) => el.closest(".turn").scrollIntoView({ block: "end" }));
    });
    await open.close();
  } finally {
    await bulk.stop();
  }
}

async function conversation(browser) {
  const model = await new ModelServer().start();
  const refine = await new Refine().start(model.env);
  try {
    const open = await Opened.at(browser, refine.link, MORE);
    const { page } = open;
    await open.state("live");
    const say = async (text) => {
      await page.getByLabel("Message to").fill(text);
      await page.getByLabel("Message to").press("Enter");
    };
    model
      .calls("check_text", { text: DRAFT }, "I look at it first.")
      .says("Five things can be mended: spaces, a repeated word, and small letters. Shall I refine it?");
    await say(`Is this fine? ${DRAFT}`);
    await page.locator("#turns").getByText("Shall I refine it?").waitFor();
    model
      .calls("refine_output", { text: DRAFT })
      .begins("It is being refined in the background. The refined text comes into this chat", new Promise(() => {}));
    await say("Yes, please.");
    await page.locator("#turns .question").last().getByText("Refine output").first().waitFor();
    // A click at the moment when the question appears is not meant for it.
    await page.waitForTimeout(700);
    await page.locator("#turns .question").last().getByRole("button", { name: "Refine output", exact: true }).click();
    await page.locator("#turns").getByText("It is being refined in the background.").waitFor();
    const shoot = camera(browser, refine.url, await open.context.storageState());
    const settled = async (shown) => {
      await shown.page.locator("#turns").getByText("It is being refined in the background.").waitFor();
      await shown.page.evaluate(() => document.querySelector("#chat").scrollTo(0, 1e6));
    };
    await shoot("conversation", MORE, settled);
    await open.close();
  } finally {
    await refine.stop();
    await model.stop();
  }
}

const parts = { refiner, audits, conversation };
const wanted = process.argv.slice(2);
const browser = await launch();
try {
  for (const [name, take] of Object.entries(parts)) if (!wanted.length || wanted.includes(name)) await take(browser);
} finally {
  await browser.close();
}
