// Text, images and data of other users that try to deceive the reader, to track who reads, or to freeze the page.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, openAt, stub, withStub } from "./setup.mjs";

withStub();

const RLO = "\u202e";
const answer = (data, over = {}) => ({ status: "success", summary: "Here it is.", data, ...over });

async function show(data, over) {
  stub.asked("ping", {}, answer(data, over));
  const page = await opened();
  await page.locator(".turn.bot .card").waitFor();
  return page;
}

describe("untrusted text", () => {
  test("reordering and invisible characters are shown as numbers everywhere", async () => {
    const evil = `a${RLO}txt.exe\u2066b\u200bc\ufeff`;
    const call = stub.asked(
      "ping",
      { [evil]: evil, many: `${evil}\n`.repeat(30) },
      answer(
        { [evil]: [evil, { [evil]: evil }], list: [{ name: evil }], deep: { a: { b: { c: { d: evil } } } } },
        { summary: evil },
      ),
    );
    const task = stub.task(call, evil, { message: evil, percent: 20 });
    stub.asked("ping", {}, { status: "error", summary: "", data: {}, error: evil, error_code: "BAD", retryable: true });
    stub.asked(
      "ping",
      {},
      answer(
        {},
        {
          ui: {
            type: "Stack",
            props: {
              children: [
                { type: "Text", props: { content: evil } },
                { type: "Code", props: { content: evil } },
                { type: "Button", props: { label: evil, on_click: { action: "call", function: "ping" } } },
                { type: evil, props: { x: evil } },
              ],
            },
          },
        },
      ),
    );
    stub.turn({ type: "system", text: evil });
    const page = await opened();
    await page.locator(".turn.system").waitFor();
    stub.progress(task, 60, evil);
    await page.locator(".task", { hasText: "60 %" }).waitFor();
    for (const button of await page.getByRole("button", { name: "JSON" }).all()) await button.click();
    await page
      .locator(".turn.user")
      .getByRole("button", { name: /^Show all/ })
      .first()
      .click();
    await page.locator("#open-tasks").click();
    const found = await page.evaluate(() => {
      const bad = /[\u200b\u202a-\u202e\u2060-\u206f\ufeff]/;
      const texts = [];
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) if (bad.test(walk.currentNode.data)) texts.push(walk.currentNode.parentElement.outerHTML);
      for (const el of document.body.querySelectorAll("[title], [aria-label], [alt], [aria-valuetext]"))
        for (const name of ["title", "aria-label", "alt", "aria-valuetext"])
          if (bad.test(el.getAttribute(name) ?? "")) texts.push(`${name} of ${el.outerHTML}`);
      return texts;
    });
    assert.deepEqual(found, []);
    assert.ok((await page.getByText("a<U+202E>txt.exe<U+2066>b<U+200B>c<U+FEFF>").count()) > 5);
  });

  test("a right-to-left name does not reorder its neighbours", async () => {
    const page = await show({});
    const order = await page.evaluate(() => {
      const line = document.createElement("p");
      line.innerHTML = "<span>\u05d0\u05d1\u05d2 1</span> <span>2</span> <span>3 \u05d3</span>";
      document.querySelector(".turn.bot .card").append(line);
      return [...line.children].map((el) => Math.round(el.getBoundingClientRect().left));
    });
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  });

  test("only http and https become links, and links send no referrer", async () => {
    const page = await show({
      a: "javascript:alert(1)",
      b: "data:text/html,x",
      c: "file:///etc/passwd",
      d: "https://example.com/a",
      e: "vbscript:x",
      f: "see HTTPS://example.com/b.",
    });
    const links = await page.locator(".data a").evaluateAll((all) => all.map((a) => [a.protocol, a.rel, a.target]));
    assert.deepEqual(
      links.map(([protocol]) => protocol),
      ["https:"],
    );
    for (const [, rel, target] of links) assert.deepEqual([rel, target], ["noopener noreferrer", "_blank"]);
  });
});

describe("images of other hosts", () => {
  test("are links that name their host, and nothing is loaded from it", async () => {
    const asked = [];
    const tree = {
      type: "Stack",
      props: {
        children: [
          { type: "Image", props: { src: "https://track.example/p.png?u=anna", alt: "A chart" } },
          { type: "Avatar", props: { src: "https://track.example/me.png", fallback: "AB" } },
          { type: "Image", props: { src: "https://other.example/q.png", caption: "A map" } },
        ],
      },
    };
    const rows = [{ logo: "https://track.example/l.png" }];
    stub.asked("ping", {}, answer({ picture: "https://track.example/data.png", rows }));
    stub.asked("ping", {}, answer({}, { summary: "See ![this](https://track.example/m.png).", ui: tree }));
    const page = await openAt("about:blank");
    await open.context.route(/^https:/, (route) => {
      asked.push(route.request().url());
      return route.abort();
    });
    await page.goto(stub.url);
    await open.state("live");
    const chart = page.getByRole("link", { name: "A chart · track.example" });
    assert.equal(await chart.getAttribute("href"), "https://track.example/p.png?u=anna");
    assert.equal(await chart.getAttribute("rel"), "noopener noreferrer");
    await page.getByRole("link", { name: "A map · other.example" }).waitFor();
    await page.getByRole("link", { name: "https://track.example/data.png" }).waitFor();
    assert.equal(await page.locator(".card :is(img, picture, video, audio)").count(), 0);
    await open.accessible("pictures of other hosts");
    assert.deepEqual(asked, [], "nothing leaves");
  });

  test("are forbidden by the page's policy too", async () => {
    const page = await show({});
    const blocked = await page.evaluate(
      () =>
        new Promise((done) => {
          addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective), { once: true });
          new Image().src = "https://track.example/x.png";
        }),
    );
    assert.equal(blocked, "img-src");
    open.faults.length = 0; // it was meant
  });

  test("an SVG data URL is never drawn", async () => {
    const svg = `data:image/svg+xml;base64,${Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'><script>window.harmed=1</script></svg>").toString("base64")}`;
    const page = await show({ a: svg }, { ui: undefined });
    assert.equal(await page.locator(".data img, .data object, .data iframe").count(), 0);
  });
});

describe("very large data", () => {
  const deep = (n, inner) => Array.from({ length: n }).reduce((value) => ({ a: value }), inner);
  const shapes = {
    "one text": { text: "word ".repeat(210_000) },
    "a text of addresses": { text: "https://example.com/x ".repeat(48_000) },
    numbers: { list: Array.from({ length: 180_000 }, (_, i) => i) },
    keys: Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`key ${i}`, i])),
    rows: {
      rows: Array.from({ length: 12_000 }, (_, i) => ({
        id: i,
        name: `row ${i}`,
        state: "ok",
        deep: { a: [1, 2, 3] },
      })),
    },
    "rows of many columns": {
      rows: Array.from({ length: 100 }, (_, i) =>
        Object.fromEntries(Array.from({ length: 1000 }, (_, j) => [`c${i}_${j}`, j])),
      ),
    },
    "120 deep": deep(
      119,
      Array.from({ length: 170_000 }, (_, i) => i),
    ),
    "120 lists deep": JSON.parse(`${"[".repeat(119)}${"1,".repeat(200_000)}1${"]".repeat(119)}`),
    "a cell": { rows: [{ a: { b: "x".repeat(1_000_000) } }] },
  };

  for (const [name, data] of Object.entries(shapes)) {
    test(`a megabyte of ${name} is drawn in steps`, async () => {
      const page = await show(data, { status: "success" });
      const size = () =>
        page.locator(".turn.bot").evaluate((turn) => [turn.querySelectorAll("*").length, turn.textContent.length]);
      for (let step = 0; step < 3; step += 1) {
        const [elements, text] = await size();
        assert.ok(elements < 12_000 && text < 200_000, `${elements} elements, ${text} characters`);
        const next = page
          .locator(".turn.bot")
          .getByRole("button", { name: /^Show (more|all|\d+ more)|^JSON$/ })
          .last();
        if (step < 2 && (await next.count())) await next.click();
      }
      await page.locator("#open-tasks").click();
      await page.getByRole("tab", { name: "Tasks" }).waitFor();
    });
  }

  test("a megabyte of parameters is edited as JSON, unchanged", async () => {
    const params = {
      limit: 3,
      meta: Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`k${i}`, "some text"])),
    };
    stub.asked("edit_all", params, answer({}));
    const page = await opened();
    await page.getByRole("button", { name: "Edit and run Edit all" }).click();
    await open.run();
    await open.turns().nth(3).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, params);
  });
});

describe("signing out", () => {
  test("ends the session in every tab and explains how to sign in again", async () => {
    const page = await opened();
    const other = await open.again(stub.url);
    await other.state("live");
    await open.choose("Refine output");
    await page.getByLabel("Text").fill("A draft of mine");
    await page.waitForFunction(() => Object.values(sessionStorage).some((text) => text.includes("A draft")));
    await page.locator("#account summary").click();
    await page.getByText("Signed in as").waitFor();
    await open.accessible("the account menu");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "You are signed out" }).waitFor();
    await page.getByText("cargo run -- link").waitFor();
    assert.ok(stub.requests.includes("DELETE /v1/session"));
    assert.equal(await page.evaluate(() => Object.values(sessionStorage).join()), "");
    assert.equal(await page.locator(".turn, .function").filter({ visible: true }).count(), 0);
    await other.page.getByRole("heading", { name: "Your session has ended" }).waitFor();
    await open.accessible("a page that is signed out");
  });

  test("reports a failure and can be retried", async () => {
    const page = await opened();
    await page.locator("#account summary").click();
    await open.context.setOffline(true);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.locator("#notice", { hasText: "You are still signed in." }).waitFor();
    await open.context.setOffline(false);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  });
});

describe("answers of a newer platform", () => {
  test("history pages that end by size and tasks without results are handled", async () => {
    for (let i = 0; i < 30; i += 1) stub.asked("ping", {}, answer({ n: i }));
    const call = stub.asked("ping", {});
    const task = stub.task(call, "slow");
    stub.pageTurns = 7;
    const page = await opened();
    await page.waitForFunction(() => {
      document.querySelector("#chat").scrollTop = 0;
      return document.querySelectorAll("#turns > .turn").length > 60;
    });
    assert.equal(await open.turns().count(), 61, "all pages were read");
    await page.locator("#open-tasks").click();
    stub.end(task, "succeeded", answer({ answer: 42 }, { summary: "It took a while." }));
    const row = page.locator(".ended-task", { hasText: "It took a while." });
    await row.locator("summary").click();
    await row.getByText("42", { exact: true }).waitFor();
  });
});
