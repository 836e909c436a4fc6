// Markdown in the texts of the extension, as it is drawn: summaries, errors, messages and long texts of answers. Parsing
// is markdown.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const answer = (summary, data = {}) => ({ status: "success", summary, data });

const TEXT = `# Report

The **boat** leaves at *seven*, run \`make\` first. See [the plan](https://example.com/plan).

- warm clothes
  - gloves
1. ~~first~~

\`\`\`rust
let a = "*b*";

fn main() {}
\`\`\`

> a quote

| Day | Boats |
| --- | ----: |
| Mon | 3 |`;

async function show(summary, data, options) {
  stub.asked("ping", {}, answer(summary, data));
  const page = await opened(options);
  await page.locator(".turn.bot .card").waitFor();
  return page;
}

test("Markdown of a summary is drawn as elements, and a code block has its own copy button", async () => {
  const page = await show(TEXT, {}, { permissions: ["clipboard-read", "clipboard-write"] });
  const card = page.locator(".turn.bot .card");
  await card.getByRole("heading", { name: "Report" }).waitFor();
  assert.equal(await card.locator("strong", { hasText: "boat" }).count(), 1);
  assert.equal(await card.locator("em").textContent(), "seven");
  assert.equal(await card.locator("code.code-span").textContent(), "make");
  assert.equal(await card.locator("li li").textContent(), "gloves");
  assert.equal(await card.locator("ol del").textContent(), "first");
  assert.equal(await card.locator("blockquote").textContent(), "a quote");
  assert.deepEqual(await card.locator("td").allTextContents(), ["Mon", "3"]);
  const link = card.getByRole("link", { name: "the plan" });
  assert.equal(await link.getAttribute("href"), "https://example.com/plan");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
  assert.equal(await card.locator(".code-head").locator("span").first().textContent(), "rust");
  await card.getByRole("button", { name: "Copy code" }).click();
  await card.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'let a = "*b*";\n\nfn main() {}');
  await open.accessible("a turn with Markdown");
});

test("Markdown makes no HTML, no picture and no link to another scheme", async () => {
  const asked = [];
  const page = await show("");
  page.on("request", (request) => asked.push(request.url()));
  stub.asked(
    "ping",
    {},
    answer(
      "<img src=x onerror=alert(1)> **<b>x</b>** ![p](https://elsewhere.example/p.png) [run](javascript:alert(1)) `<i>`",
    ),
  );
  const card = page.locator(".turn.bot .card").last();
  await card.locator("strong", { hasText: "<b>x</b>" }).waitFor();
  assert.equal(await card.locator(".say img, .say b, .say i").count(), 0);
  assert.deepEqual(await card.locator(".say a").evaluateAll((all) => all.map((a) => a.href)), [
    "https://elsewhere.example/p.png",
  ]);
  assert.match(await card.locator(".say").textContent(), /\[run\]\(javascript:alert\(1\)\)/);
  assert.deepEqual(
    asked.filter((url) => !url.startsWith(stub.url)),
    [],
  );
});

test("errors, messages and outcomes have Markdown; what the user typed stays as typed", async () => {
  const call = stub.asked("ping", { text: "a **b** `c`" }, null);
  stub.turn({
    call_id: call,
    function: "ping",
    result: { status: "error", error: "No **key**.", data: {} },
    text: "No **key**.",
  });
  stub.turn({ text: "A **message**." });
  stub.turn({ type: "system", text: "A **notice**." });
  const page = await opened();
  for (const word of ["key", "message", "notice"]) await page.locator(".turn.bot strong", { hasText: word }).waitFor();
  assert.equal(await page.locator(".turn.user .param-text").textContent(), "a **b** `c`");
});

test("long texts of an answer are drawn with Markdown if they are prose, and unchanged if they are code", async () => {
  const code = `# a comment\nfn main() {\n    let a = b * c * d;\n}\n`.repeat(5);
  const page = await show("Done.", { text: `# Title\n\nSome **prose** here.\n\n- one\n- two` });
  await page.locator(".data strong", { hasText: "prose" }).waitFor();
  stub.asked("ping", {}, answer("Done.", { text: code }));
  await page.locator(".data .long-text", { hasText: "# a comment" }).waitFor();
  stub.asked("ping", {}, answer("Done.", { text: "plain\n\n\n   text" }));
  await page.locator(".data .long-text", { hasText: "plain" }).waitFor();
});

test("a long Markdown text is drawn in steps that keep its blocks whole", async () => {
  const items = Array.from({ length: 2000 }, (_, n) => `- item **${n}** with some words`).join("\n");
  const page = await show(`Intro\n\n${items}\n\n\`\`\`\nthe end\n\`\`\``);
  const card = page.locator(".turn.bot .card");
  assert.ok((await card.locator("li").count()) < 80);
  await card.getByRole("button", { name: /^Show more of/ }).click();
  await card.getByRole("button", { name: "Show all" }).click();
  assert.equal(await card.locator("li").count(), 2000);
  await card.locator(".code-block", { hasText: "the end" }).waitFor();
  await card.getByRole("button", { name: "Show less" }).click();
  assert.ok((await card.locator("li").count()) < 80);
});

test("64 KiB of hostile marks do not stop the page", async () => {
  const page = await show("Hello.");
  const nested = `${"*a ".repeat(11_000)}${" a*".repeat(11_000)}`;
  const start = performance.now();
  for (const text of [
    nested,
    "_a*b".repeat(16_000),
    "[a](http://".repeat(6000),
    "> - ".repeat(16_000),
    "|a".repeat(32_000),
  ])
    stub.turn({ text });
  stub.turn({ text: "and on" });
  await open.seen("and on");
  assert.ok(performance.now() - start < 5000, `${performance.now() - start} ms`);
  await page
    .getByRole("button", { name: /^Show (all|more)/ })
    .first()
    .click();
});
