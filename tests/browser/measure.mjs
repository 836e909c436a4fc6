// Measures the page in a real Chromium and prints the figures: `node measure.mjs [TURNS] [PER_SECOND]`. Loads two
// thousand turns of history, and sends a burst of progress for three running tasks. It asserts nothing, because a
// busy machine is slower. Frames come from requestAnimationFrame, long tasks from PerformanceObserver, times of
// script and layout from the browser's counters.

import { launch } from "./chromium.mjs";
import { Opened } from "./test-page.mjs";
import { DONE, Stub } from "./stub.mjs";

const [turns, perSecond] = [Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 500)];
const BURST_MS = 5000;

const stub = await new Stub().start();
const browser = await launch();
const at = (list, part) => list[Math.min(list.length - 1, Math.floor(list.length * part))];
const counters = async (cdp) =>
  Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));

for (let n = 0; n < turns / 2; n += 1)
  stub.asked(
    "list_drafts",
    { query: `draft ${n}` },
    { status: "success", summary: `Found ${n}.`, data: { drafts: [{ id: n, name: `Draft ${n}`, words: n * 7 }] } },
  );
const tasks = Array.from({ length: 3 }, (_, n) =>
  stub.task(stub.asked("refine_output", { text: `text ${n}` }, DONE), "refine_output"),
);

const open = await Opened.at(browser, "about:blank");
const { page } = open;
const cdp = await open.context.newCDPSession(page);
await cdp.send("Performance.enable");
await page.addInitScript(() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((entry) => entry.duration))).observe({
    type: "longtask",
    buffered: true,
  });
});
await page.goto(stub.url);
await open.state("live");
await page.locator(".task .bar").nth(2).waitFor();
const shown = await page.evaluate(() => Math.round(performance.now()));
console.log(
  `${turns} turns: live and drawn ${shown} ms after navigation, ${await open.turns().count()} turns and ${await page.evaluate(() => document.querySelectorAll("*").length)} elements in the document`,
);

// all the way up
await page.evaluate(() => (window.long = []));
let before = await counters(cdp);
const started = Date.now();
for (let first = Infinity; first > 1;) {
  await page.locator("#chat").evaluate((el) => (el.scrollTop = 0));
  await page.waitForFunction((was) => Number(document.querySelector("#turns > .turn").dataset.seq) < was, first);
  first = await page.evaluate(() => Number(document.querySelector("#turns > .turn").dataset.seq));
}
let now = await counters(cdp);
let long = (await page.evaluate(() => window.long)).sort((a, b) => a - b);
console.log(
  `up to the first turn: ${Date.now() - started} ms, of which script ${Math.round((now.ScriptDuration - before.ScriptDuration) * 1000)} ms, layout and style ${Math.round((now.LayoutDuration - before.LayoutDuration + now.RecalcStyleDuration - before.RecalcStyleDuration) * 1000)} ms; ${long.length} tasks over 50 ms, the longest ${Math.round(long.at(-1) ?? 0)} ms; heap ${Math.round(now.JSHeapUsedSize / 1e6)} MB`,
);
await page.locator("#newer").click();
await page.locator(".task .bar").nth(2).waitFor();

// a burst of progress
await page.evaluate(() => {
  window.long = [];
  window.frames_ = [];
  let last = performance.now();
  const frame = (at) => (window.frames_.push(at - last), (last = at), requestAnimationFrame(frame));
  requestAnimationFrame(frame);
  window.writes = 0;
  new MutationObserver((list) => (window.writes += list.length)).observe(document.querySelector("#turns"), {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
  });
});
before = await counters(cdp);
const begin = Date.now();
let sent = 0;
while (Date.now() - begin < BURST_MS) {
  for (; sent < ((Date.now() - begin) / 1000) * perSecond; sent += 1)
    stub.progress(tasks[sent % 3], (sent % 1000) / 10, `Step ${sent}`);
  await new Promise((done) => setTimeout(done, 4));
}
now = await counters(cdp);
const { frames, writes } = await page.evaluate(() => ({
  frames: window.frames_.slice(1).sort((a, b) => a - b),
  writes: window.writes,
}));
long = (await page.evaluate(() => window.long)).sort((a, b) => a - b);
console.log(
  `${sent} reports of progress in ${BURST_MS / 1000} s: frames ${at(frames, 0.5).toFixed(1)} ms median, ${at(frames, 0.95).toFixed(1)} ms at 95 %, ${at(frames, 0.99).toFixed(1)} ms at 99 %, ${frames.at(-1).toFixed(1)} ms at worst; ${long.length} tasks over 50 ms; script ${(((now.ScriptDuration - before.ScriptDuration) / BURST_MS) * 1e5).toFixed(1)} % and layout with style ${(((now.LayoutDuration - before.LayoutDuration + now.RecalcStyleDuration - before.RecalcStyleDuration) / BURST_MS) * 1e5).toFixed(1)} % of one core; ${writes} changes of the document`,
);
await open.close();
await browser.close();
await stub.stop();
