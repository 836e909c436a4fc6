// The page against the real binary while something fails: killed processes, lost answers, network outages, pruned
// events. Nothing is lost, repeated or counted for work that may be over.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./deadline.mjs";
import { DRAFT, REFINED, ask, cookie, interrupted, outcome, working } from "./platform-steps.mjs";
import { open, opened, refine, restart, withRefine } from "./setup.mjs";

withRefine();

test("a kill during the work shows one interrupted turn, and the call runs again", async () => {
  const page = await opened();
  await working();
  await refine.crash();
  const killed = Date.now();
  await open.state("reconnecting");
  const frozen = page.locator(".task.unheard .clock", { hasText: /^0:\d\d when the connection was lost$/ });
  await frozen.waitFor();
  const [at] = await frozen.allTextContents();
  await page.getByText("The server does not answer.").waitFor();
  assert.deepEqual(await frozen.allTextContents(), [at], "nothing counts up for work that may be over");
  await until("a time without a process is long enough to be told", () => Date.now() > killed + 1500);
  await refine.start();
  await interrupted().waitFor();
  await open.state("live");
  // a part of the time until now had no process: none of the three places counts it as work
  const words = /Interrupted[^]*\sran \d.*, then no process for \d/;
  for (const place of [interrupted().locator(".kicker"), page.locator(".task.ended")])
    assert.match(await place.innerText(), words);
  await page.locator("#open-tasks").click();
  await page.locator(".ended-task summary").click();
  assert.match(await page.locator(".ended-body .chip").innerText(), words);
  await page.keyboard.press("Escape");
  await page.getByText("The server does not answer.").waitFor({ state: "hidden" });
  assert.equal(await page.getByRole("progressbar").count(), 0);
  await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
  const held = await refine.completions.next();
  assert.equal(held.asked, DRAFT, "with the parameters it had");
  held.answer(REFINED);
  await outcome().getByText(REFINED).waitFor();
  await page.reload();
  await outcome().getByText(REFINED).waitFor();
  assert.equal(await interrupted().count(), 1, "exactly one turn says that it was interrupted");
});

test("a foreground call that a crash interrupted gets an answer and runs again", async () => {
  const page = await opened();
  await ask("Refine now", DRAFT);
  await refine.completions.next();
  await page.locator(".working").waitFor();
  await refine.crash();
  await refine.start();
  await interrupted().waitFor();
  await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
  (await refine.completions.next()).answer(REFINED);
  await open.turns().getByText(REFINED).waitFor();
  assert.equal(await page.locator(".working").count(), 0);
  assert.equal(await interrupted().count(), 1);
});

test("a call whose answer is lost is retried, and the function runs once", async () => {
  const page = await opened();
  const keys = [];
  await page.route("**/call", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    const answer = await route.fetch();
    if (keys.length === 1) await route.abort("connectionreset");
    else await route.fulfill({ response: answer });
  });
  const sentAgain = page.waitForResponse((response) => response.url().endsWith("/call"));
  const held = await working();
  assert.equal((await sentAgain).headers()["idempotency-replayed"], "true");
  assert.equal(keys.length, 2);
  assert.ok(keys[0] && keys[0] === keys[1], `under one key: ${keys}`);
  assert.equal(await page.locator(".form-error", { hasText: /./ }).count(), 0);
  held.answer(REFINED);
  await outcome().getByText(REFINED).waitFor();
  assert.equal(await open.turns(".user").count(), 1);
  // A deliberate repetition is another call.
  await ask("Refine output", DRAFT);
  (await refine.completions.next()).answer(REFINED);
  await open.turns(".user").nth(1).waitFor();
  assert.equal(new Set(keys).size, 2);
});

test("after a network outage no turn is missing, duplicated or out of order", async () => {
  const page = await opened();
  const owner = await cookie();
  await refine.call(owner, "check_text", { text: "before" });
  await open.turns().nth(1).waitFor();
  await open.context.setOffline(true);
  await open.state("offline");
  for (let n = 0; n < 20; n += 1) await refine.call(owner, "check_text", { text: `while away ${n}` });
  assert.equal(await open.turns().count(), 2, "the line is really cut");
  await open.context.setOffline(false);
  await open.state("live");
  await refine.call(owner, "check_text", { text: "after" });
  await open.seen("after");
  await open.turns().nth(43).waitFor();
  const asked = await open.turns(".user").locator(".param-text").allTextContents();
  assert.deepEqual(asked, ["before", ...Array.from({ length: 20 }, (_, n) => `while away ${n}`), "after"]);
});

test("pages that missed pruned events show the complete chat afterwards", async () => {
  await restart((fresh) => fresh.start({ IMPERAL_KEEP_EVENTS: "1s" }));
  await opened();
  const owner = await cookie();
  const both = [open, await open.again(refine.url)];
  await both[1].state("live");
  await refine.call(owner, "check_text", { text: "before" });
  for (const one of both) await one.turns().nth(1).waitFor();
  await open.context.setOffline(true);
  for (const one of both) await one.state("offline");
  for (let n = 0; n < 3; n += 1) await refine.call(owner, "check_text", { text: `while away ${n}` });
  await refine.untilPruned(owner, 2);
  await open.context.setOffline(false);
  for (const one of both) await one.seen("while away 2");
  await refine.call(owner, "check_text", { text: "after" });
  for (const one of both) {
    await one.turns().nth(9).waitFor();
    await one.state("live");
    const numbers = await one.turns().evaluateAll((turns) => turns.map((turn) => Number(turn.dataset.seq)));
    assert.deepEqual(
      numbers,
      Array.from({ length: 10 }, (_, n) => n + 1),
    );
    assert.deepEqual(await one.turns(".user").locator(".param-text").allTextContents(), [
      "before",
      "while away 0",
      "while away 1",
      "while away 2",
      "after",
    ]);
  }
});

test("eight pages share one connection through a kill and a restart, without gaps", async () => {
  const page = await opened();
  const all = [open];
  while (all.length < 8) {
    all.push(await open.again(refine.url));
    await all.at(-1).state("live");
  }
  await working();
  await Promise.all(all.map((one) => one.page.locator(".task .percent", { hasText: "30 %" }).waitFor()));
  assert.equal(await refine.streams(), 1);
  await refine.crash();
  await Promise.all(all.map((one) => one.state("reconnecting")));
  await refine.start();
  for (const one of all) await one.turns(".bot").locator(".card.failed", { hasText: "was interrupted" }).waitFor();
  await page.locator(".way-out").getByRole("button", { name: "Run again" }).click();
  (await refine.completions.next()).answer(REFINED);
  const numbers = (one) => one.turns().evaluateAll((turns) => turns.map((turn) => Number(turn.dataset.seq)));
  for (const one of all) {
    await one.page.locator(".card.outcome").getByText(REFINED).waitFor();
    await one.page.locator(".way-out .done").waitFor();
    assert.deepEqual(await numbers(one), await numbers(open));
  }
  assert.equal(await refine.streams(), 1);
});
