// Utterances of the page to screen readers, with their times: the regions keep only the latest ones.

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

export const heard = (page) => page.evaluate(() => window.heard);

/** Waits until an utterance has this text in it. */
export const hears = (page, text) =>
  page.waitForFunction((wanted) => window.heard.some((one) => one.text.includes(wanted)), text);
