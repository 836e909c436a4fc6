// The page leaves out of drafts and comparisons the same secrets that the platform leaves out of the chat.

import assert from "node:assert/strict";
import { test } from "node:test";

import { kept, secrets } from "../../imperal/src/gateway/page/secrets.js";

const login = {
  type: "object",
  properties: { user: { type: "string" }, password: { type: "string", writeOnly: true } },
};
const schema = {
  type: "object",
  properties: {
    token: { type: "string", writeOnly: true },
    hosts: { type: "object", additionalProperties: { $ref: "#/$defs/API%20login%2Fx" } },
    pair: { type: "array", prefixItems: [{ type: "string" }, { $ref: "#/$defs/API%20login%2Fx" }] },
    tree: { $ref: "#/$defs/tree" },
    plain: { type: "string" },
  },
  $defs: {
    "API login/x": login,
    tree: {
      properties: {
        login: { anyOf: [login, { type: "null" }] },
        children: { type: "array", items: { $ref: "#/$defs/tree" } },
      },
    },
  },
};
schema.$defs["API login"] = { x: login }; // `%2F` is a slash of the pointer, as for the platform

test("secrets are left out at any depth", () => {
  const me = { user: "anna", password: "secret" };
  const params = {
    token: "secret",
    hosts: { one: me },
    pair: ["plain", me],
    tree: { login: null, children: [{ login: me, children: [] }] },
    plain: "seen",
  };
  assert.deepEqual(kept(params, schema), {
    hosts: { one: { user: "anna" } },
    pair: ["plain", { user: "anna" }],
    tree: { login: null, children: [{ login: { user: "anna" }, children: [] }] },
    plain: "seen",
  });
  assert.deepEqual(secrets(schema), ["token", "hosts", "pair", "tree"]);
});

test("a value that is a secret as a whole is left out", () => {
  assert.equal(kept("secret", { type: "string", writeOnly: true }), null);
  assert.equal(kept(["secret"], { $ref: "#/$defs/pin", $defs: { pin: { writeOnly: true } } }), null);
  assert.equal(kept("plain", { anyOf: [{ type: "string" }, { properties: { a: { writeOnly: true } } }] }), "plain");
});

test("values without secrets stay unchanged, and recursive schemas end", () => {
  const params = { a: [1] };
  assert.equal(kept(params, { properties: { writeOnly: { type: "boolean" } } }), params);
  const turning = {
    $ref: "#/$defs/a",
    $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { properties: { a: { items: { writeOnly: true } } } }] } },
  };
  assert.deepEqual(kept(params, turning), { a: [null] });
});
