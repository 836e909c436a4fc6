// The words of the example, and the words that its binary gives to the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, opened, refine, withRefine } from "./setup.mjs";

withRefine();

test("the example counts one word as a word", async () => {
  await opened();
  const [{ name, value }] = await open.context.cookies();
  const summary = async (text) => (await refine.call(`${name}=${value}`, "check_text", { text })).result.summary;
  assert.equal(await summary("boat."), "1 word, 1 thing to mend.");
  assert.equal(await summary("Boat."), "1 word, nothing to mend.");
  assert.equal(await summary("the  boat."), "2 words, 2 things to mend.");
});
