// Parsing Markdown: which marks it knows, which texts it leaves alone, and that hostile text costs little. Without a
// browser; prose.test.mjs tests what is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inline } from "../../imperal/src/gateway/page/markdown-inline.js";
import { hasMarks, parseBlocks } from "../../imperal/src/gateway/page/markdown.js";

const SIZE = 65_536;
const SLOW_MS = 1000; // of processor time; a quadratic parser needs many times that: two popular ones need 5 to 14 s

/** Processor time: other work on the machine does not count. */
const spent = () => process.cpuUsage().user / 1000;

/** Parts as HTML-like text, to compare. */
const shown = (parts) =>
  parts
    .map((one) =>
      typeof one === "string"
        ? one
        : one.kind === "code"
          ? `<code>${one.text}</code>`
          : one.kind === "address"
            ? `<${one.url}>`
            : one.kind === "link"
              ? `<a ${one.url}>${shown(one.parts)}</a>`
              : `<${one.kind}>${shown(one.parts)}</${one.kind}>`,
    )
    .join("");

for (const [text, expected] of [
  ["*it* _it_ **bold** ~~out~~", "<em>it</em> <em>it</em> <strong>bold</strong> <del>out</del>"],
  ["***both*** and ***a* b**", "<strong><em>both</em></strong> and <strong><em>a</em> b</strong>"],
  ["`a *b*` and `` c`d ``", "<code>a *b*</code> and <code>c`d</code>"],
  ['[a **b**](https://e.com/x_(y)_z "title")', "<a https://e.com/x_(y)_z>a <strong>b</strong></a>"],
  ["![alt](https://e.com/p.png)", "<a https://e.com/p.png>alt</a>"],
  ["see https://e.com/a_b_c. Then <https://e.com/>", "see <https://e.com/a_b_c>. Then <https://e.com/>"],
  ["**https://e.com/**", "<strong><https://e.com/></strong>"],
  ["\\*no\\* mark", "*no* mark"],
]) {
  test(`marks: ${text}`, () => assert.equal(shown(inline(text)), expected));
}

for (const text of [
  "2 * 3 * 4 and 2*3*4",
  "snake_case_name and __init__.py_x",
  "*.rs and *.toml",
  "\\\\server\\share and \\d+",
  "[run](javascript:alert(1)) [x](data:text/html,1) [y](/relative) [z](ftp://e.com)",
  "a <b>bold</b> <img src=x onerror=alert(1)>",
  "`open and **open and [open](",
  "It costs $5 ~ 6, 3 < 4 > 2",
]) {
  test(`no mark: ${text}`, () => {
    assert.equal(shown(inline(text)), text);
    assert.equal(hasMarks(text), false);
  });
}

test("blocks are found, and lines that only look like one stay text", () => {
  const kinds = (text) => parseBlocks(text).map(({ kind }) => kind);
  assert.deepEqual(
    kinds("# A\ntext\nmore\n\n- a\n- b\n\n1. c\n\n> q\n\n---\n\n```js\nx\n```\n\n|a|b|\n|-|:-:|\n|1|2|"),
    ["heading", "paragraph", "list", "list", "quote", "rule", "code", "table"],
  );
  assert.deepEqual(kinds("#hash\n-5 degrees\n1.5 times\n| no table\nin the year\n2026. It was\n    indented"), [
    "paragraph",
  ]);
});

test("lists nest, keep their first number and take lines that belong to an item", () => {
  const [one] = parseBlocks("3. a\n   more\n   - b\n     - c\n4. d\n\n   ```\n   x\n   ```");
  assert.deepEqual([one.ordered, one.start, one.items.length], [true, 3, 2]);
  assert.equal(one.items[0][0].text, "a\nmore");
  assert.equal(one.items[0][1].items[0][1].items[0][0].text, "c");
  assert.deepEqual(one.items[1][1], { kind: "code", text: "x", language: "" });
});

test("code keeps each character, also without an end", () => {
  assert.equal(parseBlocks("```\n  a *b*\n\n\tc\n``\n```")[0].text, "  a *b*\n\n\tc\n``");
  assert.equal(parseBlocks("~~~\nnever closed")[0].text, "never closed");
});

const filled = (piece) => piece.repeat(Math.ceil(SIZE / piece.length)).slice(0, SIZE);
const half = (a, b) => filled(a).slice(0, SIZE / 2) + filled(b).slice(0, SIZE / 2);
const HOSTILE = {
  openers: filled("*a **b _c ~~d "),
  "openers, then closers": half("*a _b **c ", " a* b_ c**"),
  "alternating openers": filled("_a*b"),
  "closers that fit nothing": filled("a* b_ c** "),
  "nested marks": half("*a ", " a*"),
  "nested, then wide": half("*a _b ", "c_ **d** e* "),
  brackets: filled("["),
  "bracket pairs": half("[", "]("),
  "links that end at the end": filled("[a](http://").slice(0, SIZE / 2) + filled(")").slice(0, SIZE / 2),
  "marks as deep as they may be": "*a ".repeat(500) + " a*".repeat(500),
  "links without an end": filled("[a](http://"),
  "links that are no addresses": filled("[a](https://[)"),
  addresses: filled("http://a "),
  "half addresses": filled("https://["),
  angles: filled("<http://"),
  "backticks of every length": Array.from({ length: 360 }, (_, n) => "`".repeat(n + 1))
    .join(" ")
    .slice(0, SIZE),
  "pairs of backticks": filled("`a`` b```"),
  backslashes: filled("\\*"),
  quotes: filled("> "),
  "quotes in lines": filled("> > > > > > > a\n"),
  "lists in one line": filled("- "),
  "lists in lists": Array.from({ length: 360 }, (_, n) => `${" ".repeat(n)}- a`).join("\n"),
  "half rules": `${filled("- ")}x`,
  blanks: `#${" ".repeat(SIZE)}x\n- ${" ".repeat(SIZE)}`,
  hashes: `# ${filled(" #")}`,
  "wide table": `${filled("|a")}\n${filled("|-")}`,
  "tables without rows": filled("|a\n|-\n"),
  "dashes with bars": filled("|-"),
  fences: filled("```\n~~~\n"),
  "empty lines": filled("\n"),
};

/** The deepest nesting of parts and blocks. */
const depth = (one) => (one && typeof one === "object" ? 1 + Math.max(0, ...Object.values(one).map(depth)) : 0);

for (const [name, text] of Object.entries(HOSTILE)) {
  test(`64 KiB of hostile text cost little: ${name}`, () => {
    const start = spent();
    hasMarks(text);
    const parsed = parseBlocks(text);
    const all = (blocks) =>
      blocks.flatMap((one) => [...(one.text ? inline(one.text) : []), ...all(one.blocks ?? one.items?.flat() ?? [])]);
    const parts = all(parsed);
    const took = spent() - start;
    assert.ok(took < SLOW_MS, `${Math.round(took)} ms`);
    assert.ok(depth(parsed) < 60 && depth(parts) < 30, "nesting is bounded");
  });
}

test("random texts of marks lose no character and take no time", () => {
  const pieces = "* ** _ ` `` [ ]( ) http://a ~~ \\ a b \n # - 1. > | |- ``` ! < \t".split(" ");
  let seed = 7;
  const random = (n) => (seed = (seed * 48_271) % 2_147_483_647) % n;
  const plain = (parts) =>
    parts.map((one) => (typeof one === "string" ? one : (one.text ?? one.url ?? "") + plain(one.parts ?? []))).join("");
  const letters = (text) => text.replace(/[^ab]/g, "");
  const start = spent();
  for (let n = 0; n < 300; n += 1) {
    const text = Array.from({ length: 400 }, () => pieces[random(pieces.length)] + (random(2) ? " " : "")).join("");
    parseBlocks(text);
    const flat = text.replaceAll("http://a", "");
    assert.equal(letters(plain(inline(flat))), letters(flat));
  }
  assert.ok(spent() - start < 10 * SLOW_MS);
});
