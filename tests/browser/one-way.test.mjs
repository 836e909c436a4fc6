// One way to replace parts of the page: reconcile.js, which keeps the focus. Needs neither browser nor binary.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const PAGE = new URL("../../imperal/src/gateway/page/", import.meta.url);
const modules = readdirSync(PAGE).filter((name) => name.endsWith(".js"));
const linesWith = (pattern, but) =>
  modules
    .filter((name) => name !== but)
    .flatMap((name) =>
      readFileSync(new URL(name, PAGE), "utf8")
        .split("\n")
        .filter((line) => pattern.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );

test("only reconcile.js replaces nodes", () => {
  assert.deepEqual(linesWith(/\.(replaceChildren|replaceWith|replaceChild)\(/, "reconcile.js"), []);
});

test("no module makes elements from text", () => {
  assert.deepEqual(
    linesWith(/(inner|outer)HTML|insertAdjacentHTML|setHTML|parseFromString|createContextualFragment/),
    [],
  );
});
