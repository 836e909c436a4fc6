// A form returns the values that it was filled with: random schemas and values, and numbers that JavaScript would
// change, in browsers with and without JSON.rawJSON.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { opened, open, openAt, stub, withStub } from "./setup.mjs";
import { DONE } from "./stub.mjs";
import { cases } from "./values.mjs";

withStub();

/** Fills a form with each value and reads it: [schema, value, read] of those that differ. */
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

/** A browser without JSON.rawJSON. */
const withoutRaw = () => {
  delete JSON.rawJSON;
  delete JSON.isRawJSON;
  const parse = JSON.parse;
  JSON.parse = (text, reviver) => parse(text, reviver && ((key, value) => reviver(key, value)));
};

describe("forms", () => {
  test("a form sends the values that it was filled with", async () => {
    const page = await opened();
    for (let seed = 1; seed <= 4; seed += 1)
      assert.deepEqual(await fillAll(page, cases(seed, 400)), [], `seed ${seed}`);
  });

  test("a form sends its values in a browser without JSON.rawJSON", async () => {
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
    test(`an edited call keeps every number, ${name} exact numbers in the browser`, async () => {
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

  test("a free object has a row per entry, which can be edited, added and removed", async () => {
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
    await page.locator(".field-error", { hasText: "This starts like JSON but is invalid" }).waitFor();
    await meta.getByLabel("Value").nth(1).fill("half a word");
    await open.run();
    await open.turns().nth(3).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, { limit: 5, meta: { size: [1, true], note: "half a word" } });
  });
});
