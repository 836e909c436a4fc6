// Utterances of the page to screen readers, with their times: the regions keep only the latest ones.

import { until } from "./deadline.mjs";

/** Collects every utterance from now on, as `{at, text}`. */
export async function listen(page) {
  await page.evaluate(() => {
    window.heard = [];
    const hear = (list) =>
      list.forEach(({ addedNodes }) =>
        addedNodes.forEach((el) => window.heard.push({ at: performance.now(), text: el.textContent })),
      );
    for (const id of ["announcer", "question"])
      new MutationObserver(hear).observe(document.getElementById(id), { childList: true });
  });
}

/** Stops the page's clock. From now on its time goes on only in `passes()`. */
export async function stopClock(page) {
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 10_000);
}

/** Lets the page's time go on, 50 ms after 50 ms, until something is true. */
export const passes = (page, what, isThere) =>
  until(what, async () => {
    await page.clock.runFor(50);
    return isThere();
  });

export const heard = (page) => page.evaluate(() => window.heard);

/** Waits until an utterance has this text in it. */
export const hears = (page, text) =>
  page.waitForFunction((wanted) => window.heard.some((one) => one.text.includes(wanted)), text);
