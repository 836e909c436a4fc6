// Takes the pictures of the documentation from the real binary: `node shots.mjs`, with REFINE_BIN
// as for the tests. Writes docs/images/page.png, page-dark.png and page-phone.png.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { launch } from "./chromium.mjs";
import { Opened } from "./opened.mjs";
import { Refine } from "./refine.mjs";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const DRAFT = "the harbour opens at  six , and and the first boat leaves at seven . bring warm clothes";
const REFINED = "The harbour opens at six, and the first boat leaves at seven. Bring warm clothes.";
const DOCUMENT = ["The island has one road.", "it leads to the the lighthouse .", "Nobody lives there now ,", "the keeper left in 1974 ."];
const THINKING_MS = 2400; // so that the outcome has a duration that a service would have

mkdirSync(IMAGES, { recursive: true });
const refine = await new Refine().start();
const browser = await launch();
try {
  const open = await Opened.at(browser, refine.link, { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 });
  const { page } = open;
  await open.state("live");
  const ask = async (name, text) => {
    await open.choose(name);
    await page.getByRole("textbox").first().fill(text);
    await open.run();
  };
  await ask("Check text", DRAFT);
  await page.getByRole("table").waitFor();
  await ask("Refine output", DRAFT);
  const held = await refine.completions.next();
  await new Promise((done) => setTimeout(done, THINKING_MS));
  held.answer(REFINED);
  await page.locator(".card.outcome").waitFor();
  await ask("Refine document", DOCUMENT.join("\n\n"));
  for (const paragraph of DOCUMENT.slice(0, 2)) (await refine.completions.next()).answer(paragraph);
  await page.locator(".task .stage", { hasText: "Paragraph 3 of 4" }).waitFor();

  const storageState = await open.context.storageState();
  const shoot = async (name, options, prepare) => {
    const shown = await Opened.at(browser, refine.url, { storageState, ...options });
    await shown.state("live");
    await shown.page.locator(".task .stage", { hasText: "Paragraph 3 of 4" }).waitFor();
    await prepare?.(shown);
    await shown.page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity));
    await shown.page.screenshot({ path: `${IMAGES}${name}.png` });
    await shown.close();
  };
  const desk = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };
  await shoot("page", desk, async (shown) => {
    await shown.choose("Refine output");
    await shown.page.getByRole("textbox").first().fill("we meet at the lighthouse , at at noon");
  });
  await shoot("page-dark", { ...desk, colorScheme: "dark" });
  await shoot("page-phone", { viewport: { width: 360, height: 720 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  await open.close();
} finally {
  await browser.close();
  await refine.stop();
}
