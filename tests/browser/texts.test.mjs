// Texts as a reader meets them: their direction, where they are cut and folded, and what is copied.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";

withStub();

const FAMILY = "👩‍👩‍👧‍👦"; // eleven UTF-16 units
const HEBREW = "שלום עולם, זה טקסט";

const answer = (data, summary = "Here.") => ({ status: "success", summary, data });

describe("direction", () => {
  test("right-to-left texts are laid out from the right, in boxes, calls, answers and tables", async () => {
    stub.asked(
      "list_drafts",
      { query: HEBREW },
      answer({ word: HEBREW, rows: [{ name: HEBREW, note: "left" }] }, HEBREW),
    );
    const page = await opened();
    await open.choose("Refine output");
    const box = page.getByLabel("Text");
    await box.fill(HEBREW);
    assert.equal(await box.evaluate((el) => getComputedStyle(el).direction), "rtl", "a text box");
    await box.fill("Hello");
    assert.equal(await box.evaluate((el) => getComputedStyle(el).direction), "ltr");
    for (const [what, at] of [
      ["a call", ".param-text"],
      ["a summary", ".say .long-text"],
      ["a pair", ".pair-row dd"],
      ["a cell", "td:first-child"],
    ])
      assert.equal(
        await page
          .locator(at)
          .first()
          .evaluate((el) => getComputedStyle(el).direction),
        "rtl",
        what,
      );
    assert.equal(await page.locator("td:nth-child(2)").evaluate((el) => getComputedStyle(el).direction), "ltr");
  });

  test("a direction mark has no effect outside its own text, and an override is shown", async () => {
    stub.asked("list_drafts", { query: "x" }, answer({ file: "\u202Egnp.exe", next: "after" }));
    const page = await opened();
    await page.getByText("<U+202E>gnp.exe", { exact: true }).waitFor();
    const bidi = await page.evaluate(() =>
      [...document.querySelectorAll("#turns span, #turns dd, #turns div, #turns article")]
        .map((el) => getComputedStyle(el).unicodeBidi)
        .filter((value) => value !== "plaintext" && value !== "isolate"),
    );
    assert.deepEqual(bidi, []);
  });
});

describe("cuts", () => {
  test("no cut is inside of a character", async () => {
    const page = await opened();
    const broken = await page.evaluate(
      async ([family]) => {
        const { beginning, shortened } = await import("./page/cut-text.js");
        const [wrong, letters] = [[], new Intl.Segmenter(undefined, { granularity: "grapheme" })];
        const whole = (text) =>
          new Set([...letters.segment(text)].map((one) => one.index + one.segment.length).concat(0));
        for (const text of [
          family.repeat(40),
          `${"a".repeat(197)}${family}b`,
          "e\u0301".repeat(300),
          "🇮🇱".repeat(80),
          "x".repeat(999),
        ])
          for (let n = 1; n < Math.min(400, text.length); n += 1) {
            const part = beginning(text, n);
            if (!whole(text).has(part.length) || (part.length > n && part.length > family.length))
              wrong.push([n, part.length]);
          }
        if (shortened("short", 200) !== "short") wrong.push("short");
        const zalgo = `a${"\u0301".repeat(5000)}`;
        if (beginning(zalgo, 300).length !== 300) wrong.push("a character without an end");
        return wrong;
      },
      [FAMILY],
    );
    assert.deepEqual(broken, []);
  });

  test("an emoji at the place of a cut is whole or absent, in calls, answers, rows and announcements", async () => {
    const at = (n) => `${"a".repeat(n - 3)}${FAMILY}${"b".repeat(100)}`;
    const call = stub.asked("list_drafts", { query: at(280) }, answer({ text: at(1200) }, at(1200)));
    stub.end(stub.task(call, "list_drafts"), "succeeded", answer({}, at(140)));
    const page = await opened();
    stub.turn({ text: at(200) });
    await page.locator("#announcer p", { hasText: "aaa" }).waitFor({ state: "attached" });
    await page.locator("#open-tasks").click();
    await page.locator(".ended-task .gist").waitFor();
    const halves = await page.evaluate(() => {
      const found = [];
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const { data } = walk.currentNode;
        if (!data.isWellFormed() || /👩(?!‍👩‍👧‍👦)(?<!‍👩)/u.test(data)) found.push(data.slice(-20));
      }
      return found;
    });
    assert.deepEqual(halves, []);
  });

  test("a long text is folded at every depth, by its length and by its lines", async () => {
    const long = "A sentence of a refined text. ".repeat(6000);
    const lines = Array.from({ length: 300 }, (_, n) => `${n}`).join("\n");
    const page = await opened();
    const height = async () => (await page.locator(".turn.bot").last().boundingBox()).height;
    for (const [what, data] of [
      ["beside numbers", { text: long, paragraphs: 9, changed: 4 }],
      ["in an object in an object", { a: { b: { text: long, n: 1 }, n: 1 }, n: 1 }],
      ["in a table", { rows: [{ text: long, n: 1 }] }],
      ["in a list", { list: [long, lines], n: 1 }],
      ["lines beside numbers", { text: lines, paragraphs: 9 }],
      ["lines alone", { text: lines }],
    ]) {
      const seen = await open.turns(".bot").count();
      stub.asked("ping", {}, answer(data));
      await open.turns(".bot").nth(seen).waitFor();
      assert.ok((await height()) < 2200, `${what}: ${await height()} px`);
      await page
        .locator(".turn.bot")
        .last()
        .getByRole("button", { name: /^Show (all|more)/ })
        .first()
        .waitFor();
    }
    const ui = {
      type: "Stack",
      props: {
        children: [
          { type: "Alert", props: { message: lines } },
          { type: "Header", props: { text: "x", subtitle: long } },
        ],
      },
    };
    stub.asked("ping", {}, { ...answer({}), ui });
    await page.locator(".ui-alert").waitFor();
    assert.ok((await height()) < 2200, `a tree: ${await height()} px`);
  });

  test("nothing is folded for a rest of a few words, lines or rows, and the button has a gap before it", async () => {
    const page = await opened();
    const words = (n) => `${"word ".repeat(n / 5 + 1).slice(0, n - 1)}!`;
    const lines = (n) => Array.from({ length: n }, (_, k) => `line ${k}`).join("\n");
    const rows = (n) => Array.from({ length: n }, (_, k) => ({ id: k, name: `row ${k}` }));
    const last = page.locator("#turns > .turn").last();
    const folds = async (shown) => {
      const seen = await open.turns().count();
      shown();
      await open.turns().nth(seen).waitFor();
      return (await last.getByRole("button", { name: /^Show (all|more)/ }).count()) > 0;
    };
    const call = (text) => () => stub.asked("ping", { text, n: 1 });
    const reply = (data) => () =>
      stub.turn({ text: "x", function: "ping", call_id: stub.id("call"), result: answer(data) });
    for (const [what, shown, expected] of [
      ["274 characters of a parameter", call(words(274)), false],
      ["395 characters of a parameter", call(words(395)), false],
      ["400 characters of a parameter", call(words(400)), true],
      ["eight lines of a parameter", call(lines(8)), false],
      ["nine lines of a parameter", call(lines(9)), true],
      ["1,315 characters of an answer", reply({ text: words(1315) }), false],
      ["1,320 characters of an answer", reply({ text: words(1320) }), true],
      ["26 lines of an answer", reply({ text: lines(26) }), false],
      ["27 lines of an answer", reply({ text: lines(27) }), true],
      ["27 rows", reply({ rows: rows(27) }), false],
      ["28 rows", reply({ rows: rows(28) }), true],
    ])
      assert.equal(await folds(shown), expected, what);
    await folds(call(lines(9))); // the button is in the line of the last words
    const gap = await last
      .locator(".stepped")
      .first()
      .evaluate((el) => {
        const range = document.createRange();
        range.selectNodeContents(el.firstElementChild);
        const [text] = [...range.getClientRects()].slice(-1);
        const button = el.querySelector("button").getBoundingClientRect();
        return button.top < text.bottom && button.left - text.right;
      });
    assert.ok(gap >= 6, `${gap} px between the text and the button`);
  });

  test("a text of many short lines, items, rows or headings is folded by its lines", async () => {
    const page = await opened();
    const card = page.locator(".turn.bot").last();
    const repeat = (n, line, between = "\n") => Array.from({ length: n }, (_, k) => line(k)).join(between);
    for (const [what, text, most] of [
      ["items", repeat(300, (n) => `- ${n}`), 900],
      ["items with numbers", repeat(200, (n) => `${n + 1}. x`), 900],
      ["nested items", repeat(60, (n) => `- ${n}\n  - a\n  - b\n  - c`), 900],
      ["one item with many inside", `- all\n${repeat(200, (n) => `  - ${n}`)}`, 900],
      ["paragraphs", repeat(150, (n) => `**${n}**`, "\n\n"), 1200],
      ["lines of a paragraph", repeat(300, (n) => `*${n}*`), 900],
      ["headings", repeat(150, (n) => `# ${n}`), 900],
      ["rows", `| a | b |\n|---|---|\n${repeat(200, (n) => `| ${n} | x |`)}`, 1300],
      ["quoted lines", repeat(200, (n) => `> - ${n}`), 900],
      [
        "code",
        `Some *code*:\n\n\`\`\`\n${repeat(400, (n) => `line ${n}`)}\n\`\`\`\n\n${repeat(90, (n) => `- ${n}`)}`,
        1300,
      ],
    ]) {
      const seen = await open.turns(".bot").count();
      stub.asked("ping", {}, answer({}, text));
      await open.turns(".bot").nth(seen).waitFor();
      const { height } = await card.boundingBox();
      assert.ok(height < most, `${what}: ${height} px`);
      const button = card.getByRole("button", { name: "Show all" });
      await button.click();
      await card.getByRole("button", { name: "Show less" }).waitFor();
      const whole = (await card.locator(".say").innerText()).match(/\w+/g).length;
      const words = text.replace(/^\d+\. /gm, "").match(/\w+/g).length;
      assert.ok(whole >= words, `${what}: ${whole} words of ${words}`);
    }
    const short = repeat(20, (n) => `- ${n}`);
    stub.asked("ping", {}, answer({}, short));
    await card.getByText("19", { exact: true }).waitFor();
    assert.equal(await card.getByRole("button", { name: /^Show/ }).count(), 0, "a short list is whole");
  });

  test("an answer of many lists, tables or long cells is folded, and opens to all of it", async () => {
    const page = await opened();
    const card = page.locator(".turn.bot").last();
    const many = (n, make) => Array.from({ length: n }, (_, k) => make(k));
    const words = "A sentence in a cell. ".repeat(40);
    for (const [what, data] of [
      [
        "lists",
        Object.fromEntries(many(40, (n) => [`list_${n}`, many(20, (k) => `a longer item of list ${n}, ${k}`)])),
      ],
      ["tables", Object.fromEntries(many(30, (n) => [`table_${n}`, many(20, (k) => ({ id: k, name: `x${n}` }))]))],
      ["long cells", { rows: many(25, (n) => ({ id: n, text: words })) }],
      [
        "objects in objects",
        Object.fromEntries(many(20, (n) => [`o${n}`, Object.fromEntries(many(20, (k) => [`k${k}`, k]))])),
      ],
    ]) {
      const seen = await open.turns(".bot").count();
      stub.asked("ping", {}, answer(data));
      await open.turns(".bot").nth(seen).waitFor();
      const { height } = await card.boundingBox();
      assert.ok(height < 3600, `${what}: ${height} px`);
      await card
        .getByRole("button", { name: /^Show all/ })
        .last()
        .click();
      await card.getByRole("button", { name: "Show less" }).last().waitFor();
      assert.ok((await card.boundingBox()).height > 1.5 * height, what);
    }
    stub.asked("ping", {}, answer(Object.fromEntries(many(45, (n) => [`fact_${n}`, n]))));
    await card.getByRole("term").filter({ hasText: "Fact 44" }).waitFor();
    assert.equal(await card.getByRole("button", { name: /^Show/ }).count(), 0, "forty-five facts are whole");
  });
});

describe("copying", () => {
  const copied = async (data, { ui, press = "Copy" } = {}) => {
    stub.asked("ping", {}, { ...answer(data), ...(ui ? { ui } : {}) });
    const page = await opened({ permissions: ["clipboard-read", "clipboard-write"] });
    await page.locator(".turn.bot").getByRole("button", { name: press, exact: true }).click();
    await page.locator("#announcer p", { hasText: "Copied." }).waitFor({ state: "attached" });
    return page.evaluate(async () => {
      const [item] = await navigator.clipboard.read();
      const part = async (type) => (item.types.includes(type) ? (await item.getType(type)).text() : null);
      return { text: await part("text/plain"), html: await part("text/html") };
    });
  };
  const TEXT = 'First "paragraph".\n\nSecond \u202E one.';

  test("one long text among facts is copied alone, as it is", async () => {
    assert.equal((await copied({ text: TEXT, paragraphs: 2, changed: 1 })).text, TEXT);
  });

  test("a table is copied for spreadsheets, with all rows and all columns", async () => {
    const rows = Array.from({ length: 40 }, (_, n) => ({
      id: n,
      name: n === 3 ? 'a\t"b"' : `<b>row ${n}</b>`,
      tags: ["x", "y"],
    }));
    const { text, html } = await copied({ rows });
    const lines = text.split("\n");
    assert.equal(lines.length, 41);
    assert.equal(lines[0], "ID\tName\tTags");
    assert.equal(lines[1], "0\t<b>row 0</b>\tx, y");
    assert.equal(lines[4], '3\t"a\t""b"""\tx, y');
    assert.equal(html.match(/<tr>/g).length, 41);
    assert.match(html, /&lt;b&gt;row 0&lt;\/b&gt;/);
  });

  test("other data is copied as lines with the names that are seen", async () => {
    const { text } = await copied({
      words: 7,
      ready: true,
      next: null,
      tags: ["a", "b"],
      who: { name: "Ada", age: 3 },
    });
    assert.equal(text, "Words: 7\nReady: yes\nNext: \nTags: a, b\nWho:\nName: Ada\nAge: 3");
  });

  test("each long text has a sign that copies it alone, and so has the raw JSON", async () => {
    const long = `${"word ".repeat(60)}end`;
    assert.equal((await copied({ a: long, b: 7, c: { d: 1 } }, { press: "Copy this text" })).text, long);
    await open.page.getByRole("button", { name: "JSON", exact: true }).click();
    await open.page.getByRole("button", { name: "Copy the JSON" }).click();
    await open.page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('{\n  "a"'));
  });

  test("a UI tree is copied as its texts", async () => {
    const ui = {
      type: "Stack",
      props: {
        children: [
          { type: "Header", props: { text: "Audit", subtitle: "of today" } },
          { type: "KeyValue", props: { items: [{ key: "Host", value: "example.com" }] } },
          { type: "DataTable", props: { columns: ["id", "name"], rows: [{ id: 1, name: "One" }] } },
          { type: "Button", props: { label: "Again", on_click: { action: "call", function: "ping" } } },
        ],
      },
    };
    assert.equal((await copied({}, { ui })).text, "Audit · of today\nHost: example.com\nID\tName\n1\tOne\nAgain");
  });

  test("a browser that refuses is told, on the button and to screen readers", async () => {
    stub.asked("ping", {}, answer({ a: 1, b: 2 }));
    const page = await opened();
    await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("no"))));
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("button", { name: "Not allowed" }).waitFor();
    await page.locator("#announcer p", { hasText: "does not allow copying" }).waitFor({ state: "attached" });
  });
});

describe("replies", () => {
  test("a reply that is not under its call links to it", async () => {
    const page = await opened();
    const ask = (fn) => {
      const call_id = stub.id("call");
      stub.turn({ role: "user", text: fn, function: fn, params: {}, call_id });
      return (text) => stub.turn({ text, function: fn, call_id, result: { ...DONE, summary: text } });
    };
    const slow = ask("refine_output");
    ask("ping")("quick");
    slow("slow");
    await open.seen("slow");
    assert.equal(await page.getByRole("button", { name: /^See the call/ }).count(), 1);
    const link = page.getByRole("button", { name: "See the call of Refine output" });
    await link.click();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.seq), "1");
  });
});
