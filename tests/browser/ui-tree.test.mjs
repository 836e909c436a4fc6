// UI trees of answers: the nodes, their buttons, and what a hostile tree cannot do. Against the gateway stub, which
// serves any answer.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, stub, withStub } from "./setup.mjs";
import { call, node, tree } from "./sample-tree.mjs";

withStub();

async function shown(ui, options) {
  stub.asked("ping", {}, { status: "success", summary: "Here.", data: { score: 87 }, ui });
  return opened(options);
}

const lastCall = () => stub.turns.findLast((turn) => turn.role === "user");

test("every known node is drawn, and an unknown one by the shape of its properties", async () => {
  const page = await shown(tree);
  const ui = page.locator(".ui");
  await ui.getByRole("heading", { name: "Audit of example.com" }).waitFor();
  assert.deepEqual(await ui.locator(".ui-stat .value").allTextContents(), ["87", "1.8 s", "3"]);
  assert.equal(await ui.getByRole("row").count(), 4);
  assert.equal(await ui.locator(".chip.bad").textContent(), "slow");
  assert.equal(
    await ui.getByRole("link", { name: /The full report/ }).getAttribute("href"),
    "https://example.com/report",
  );
  assert.equal(await ui.getByRole("progressbar", { name: "Budget used" }).getAttribute("value"), "62");
  assert.equal(await ui.getByRole("img", { name: "A dot" }).count(), 1);
  assert.deepEqual(await ui.locator(".ui-unknown dt").allTextContents(), ["Level", "Unit"]);
  await page.getByRole("button", { name: "JSON" }).click();
  const raw = JSON.parse(await page.locator(".raw pre").textContent());
  assert.deepEqual(raw, { data: { score: 87 }, ui: tree });
});

test("a table is sorted by its headings, numbers as numbers", async () => {
  const page = await shown(
    node("DataTable", { columns: [{ key: "n", label: "N" }], rows: [{ n: 10 }, { n: 9 }, { n: 100 }] }),
  );
  const cells = () => page.locator(".ui td").allTextContents();
  assert.deepEqual(await cells(), ["10", "9", "100"]);
  await page.getByRole("button", { name: "N", exact: true }).click();
  assert.deepEqual(await cells(), ["9", "10", "100"]);
  await page.keyboard.press("Enter"); // the heading has kept the focus
  assert.deepEqual(await cells(), ["100", "10", "9"]);
  assert.equal(await page.locator(".ui th").getAttribute("aria-sort"), "descending");
});

test("a button runs its function as the user and reports it", async () => {
  const page = await shown(tree);
  await page.getByRole("button", { name: "Check again" }).click();
  await page.locator(".ui .said", { hasText: "Asked at" }).waitFor();
  await open.turns().nth(3).waitFor();
  assert.equal(lastCall().function, "ping");
  await page.locator(".ui-list").getByRole("button", { name: "List drafts" }).click();
  await page.getByRole("alertdialog", { name: "List drafts?" }).getByText("Mark it as done?").waitFor();
  await page.getByRole("alertdialog").getByRole("button", { name: "List drafts" }).click();
  await open.turns().nth(5).waitFor();
  assert.deepEqual(lastCall().params, { query: "images" });
});

test("a destructive function always asks first", async () => {
  const page = await shown(
    node("Button", { label: "A harmless one", variant: "primary", on_click: call("delete_draft", { id: 4 }) }),
  );
  await page.getByRole("button", { name: "A harmless one" }).click();
  await page.getByRole("alertdialog", { name: "Delete draft?" }).getByText("lost permanently").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(stub.turns.length, 2);
  await page.getByRole("button", { name: "A harmless one" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete draft" }).click();
  await open.turns().nth(3).waitFor();
  assert.deepEqual(lastCall().params, { id: 4 });
});

test("a refusal is shown at the button, with a link to the form", async () => {
  const page = await shown(node("Button", { label: "Go", on_click: call("list_drafts", { query: "abc" }) }));
  stub.refuse = { status: 422, code: "VALIDATION_TYPE_ERROR", message: "That is too short.", field: "query" };
  await page.getByRole("button", { name: "Go", exact: true }).click();
  await page.locator(".ui .said", { hasText: "That is too short." }).waitFor();
  await page.getByRole("button", { name: "Open the form" }).click();
  assert.equal(await page.getByLabel("Query").inputValue(), "abc");
});

test("a form in a tree calls its function with its values", async () => {
  const page = await shown(tree);
  await page.locator(".ui").getByLabel("Words").fill("offer");
  await page.locator(".ui").getByLabel("Words").press("Enter");
  await open.turns().nth(3).waitFor();
  assert.deepEqual([lastCall().function, lastCall().params], ["list_drafts", { query: "offer", done: true }]);
});

test("unsupported actions are drawn as disabled buttons", async () => {
  const page = await shown(
    node("Stack", {
      children: [
        node("Button", { label: "To a panel", on_click: { action: "navigate", path: "/x" } }),
        node("Button", { label: "Of nobody", on_click: call("no_such_function") }),
      ],
    }),
  );
  assert.ok(await page.getByRole("button", { name: /To a panel/ }).isDisabled());
  assert.ok(await page.getByRole("button", { name: /Of nobody.*not loaded/ }).isDisabled());
});

test("a hostile tree becomes text: no script, no styles, no request to this server", async () => {
  const evil = node("Stack", {
    children: [
      node("Html", {
        content: "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>",
        sandbox: false,
      }),
      node("Text", { content: "<b onclick=harm()>bold</b>", className: "notice" }),
      node("Link", { label: "run", href: "javascript:window.harmed=1" }),
      node("Button", { label: "open", on_click: { action: "open", url: "javascript:window.harmed=1" } }),
      node("Image", { src: "/open/secret", alt: "a link of this server" }),
      node("Image", { src: "http://127.0.0.1/x.png", alt: "of the network" }),
      node("constructor", { children: [] }),
      node("Table", { columns: "none", rows: 7 }),
      node("List", { items: [null, 7, "text", { type: "ListItem" }] }),
    ],
  });
  const page = await shown(evil);
  await page.getByText("<b onclick=harm()>bold</b>").waitFor();
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  assert.equal(
    await page.locator(".ui a").evaluateAll((links) => links.filter((a) => !/^https?:/.test(a.href)).length),
    0,
  );
  assert.equal(await page.locator(".ui img").count(), 0);
  assert.equal(await page.locator(".ui .notice, .ui script, .ui style").count(), 0);
  assert.ok(!stub.requests.some((request) => request.includes("/open/")));
});

test("an endless tree is cut off and the page stays responsive", async () => {
  let deep = node("Text", { content: "the bottom" });
  for (let n = 0; n < 400; n += 1) deep = node("Stack", { children: [deep] });
  const wide = node("Stack", {
    children: Array.from({ length: 5000 }, (_, n) => node("Text", { content: `line ${n}` })),
  });
  const page = await shown(node("Stack", { children: [deep, wide] }));
  await page.getByText("The page does not draw all of it").waitFor();
  assert.ok((await page.locator(".ui *").count()) < 3000);
  stub.turn({ text: "next" });
  await open.seen("next");
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
]) {
  test(`no accessibility violation and no sideways scrolling in a tree: ${name}`, async () => {
    const page = await shown(tree, options);
    await page.locator(".ui-timeline").waitFor();
    await open.accessible("a tree");
    await open.fits("a tree");
  });
}
