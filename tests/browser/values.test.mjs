// Whatever a form is filled with comes back: random schemas and values, and numbers that
// JavaScript would change, in a browser with exact numbers of its own and in one without.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { opened, open, openAt, stub, withStub } from "./stage.mjs";
import { DONE } from "./stub.mjs";
import { cases } from "./values.mjs";

withStub();

/** Fills a form with each value and reads it again: [schema, value, read] of those that differ. */
const fillAll = (page, all) =>
  page.evaluate(async (all) => {
    const [{ control }, { describe }, { parse, same, write }] = await Promise.all(
      ["field-controls", "schema", "exact-json"].map((name) => import(`/page/${name}.js`)),
    );
    const differing = [];
    for (const { schema, text } of all) {
      const value = parse(text, true);
      const made = control({ ...describe(schema, schema, "", true), title: "", help: "" }, value, true);
      const read = made.read([]);
      if (!same(read, value)) differing.push([JSON.stringify(schema), text, write(read)]);
    }
    return differing;
  }, all);

/** A browser that knows no exact numbers: others than Chromium. */
const withoutRaw = () => {
  delete JSON.rawJSON;
  delete JSON.isRawJSON;
  const parse = JSON.parse;
  JSON.parse = (text, reviver) => parse(text, reviver && ((key, value) => reviver(key, value)));
};

describe("forms", () => {
  test("what a form is filled with is what it sends", async () => {
    const page = await opened();
    for (let seed = 1; seed <= 4; seed += 1)
      assert.deepEqual(await fillAll(page, cases(seed, 400)), [], `seed ${seed}`);
  });

  test("the same in a browser without exact numbers", async () => {
    const page = await openAt("about:blank");
    await page.addInitScript(withoutRaw);
    await page.goto(stub.url);
    await open.state("live");
    for (let seed = 11; seed <= 12; seed += 1)
      assert.deepEqual(await fillAll(page, cases(seed, 400)), [], `seed ${seed}`);
  });

  for (const [name, script] of [
    ["with", null],
    ["without", withoutRaw],
  ]) {
    test(`an edited call keeps every number as it was, ${name} exact numbers in the browser`, async () => {
      const text =
        '{"limit":7,"ratio":5.0,"big":9007199254740993,"meta":{"color":"red","id":18446744073709551615,"price":0.10,"deep":{"e":1e2,"pi":3.14159265358979323846}}}';
      stub.turn({ role: "user", text: "edit_all", function: "edit_all", call_id: "call_1", written: text });
      const page = await openAt("about:blank");
      if (script) await page.addInitScript(script);
      await page.goto(stub.url);
      await open.state("live");
      await page.getByRole("button", { name: "Edit and run Edit all" }).click();
      const body = page.waitForRequest((request) => request.url().endsWith("/call"));
      await open.run();
      assert.equal((await body).postData(), `{"function":"edit_all","params":${text}}`);
    });
  }

  test("a free object has a row for each of its entries, which can be changed, added and removed", async () => {
    const page = await opened();
    stub.asked("edit_all", { limit: 5, meta: { color: "red", size: 3 } }, DONE);
    await page.getByRole("button", { name: "Edit and run Edit all" }).click();
    const meta = page.getByRole("group", { name: "Meta" });
    assert.deepEqual(await meta.getByLabel("Name").evaluateAll((all) => all.map((one) => one.value)), [
      "color",
      "size",
    ]);
    assert.deepEqual(await meta.getByLabel("Value").evaluateAll((all) => all.map((one) => one.value)), ["red", "3"]);
    await meta.getByLabel("Value").nth(1).fill("[1, true]");
    await meta.getByRole("button", { name: "Remove entry 1" }).click();
    await meta.getByRole("button", { name: "Add entry" }).click();
    await meta.getByLabel("Name").nth(1).fill("note");
    await meta.getByLabel("Value").nth(1).fill('{"half');
    await open.run();
    await page.locator(".field-error", { hasText: "This begins like JSON and is not" }).waitFor();
    await meta.getByLabel("Value").nth(1).fill("half a word");
    await open.run();
    await open.turns().nth(3).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, { limit: 5, meta: { size: [1, true], note: "half a word" } });
  });
});
