// Drives a server with the official TypeScript client, in both eras: client.mjs URL TOKEN.
import assert from "node:assert/strict";

import { connect, openTasks } from "./connect.mjs";

const [url, token] = process.argv.slice(2);
const text = (result) => result.content.map((block) => block.text ?? "").join("");

async function drive(mode) {
  const client = await connect(url, token, mode);
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name);
  for (const name of ["add", "build", "task_status", "task_cancel"]) assert(names.includes(name), names.join());
  assert(!names.includes("unlock"), "it needs a secret");

  const added = await client.callTool({ name: "add", arguments: { a: 2, b: 40 } });
  assert.deepEqual([added.structuredContent, added.isError], [{ sum: 42 }, false]);
  const refused = await client.callTool({ name: "add", arguments: { a: "two", b: 40 } });
  assert(refused.isError && text(refused).startsWith("VALIDATION_TYPE_ERROR"), text(refused));
  await assert.rejects(client.callTool({ name: "subtract", arguments: {} }), { code: -32602 });

  // A client that gives a token gets the progress of the work while it waits.
  const progress = [];
  const waited = await client.callTool(
    { name: "build", arguments: { millis: 300 } },
    { onprogress: (step) => progress.push(step) },
  );
  assert.equal(text(waited), "Built.");
  assert.deepEqual([progress[0].progress, progress[0].total, progress[0].message], [50, 100, "Half done"]);

  const ticket = await client.callTool({ name: "build", arguments: { millis: 2000 } });
  const { id } = ticket.structuredContent;
  let status = ticket;
  while (status.structuredContent?.status === "working")
    status = await client.callTool({ name: "task_status", arguments: { id } });
  assert.equal(text(status), "Built.");
  console.log(mode, client.getNegotiatedProtocolVersion(), "ok");
  return client;
}

const modern = await drive("auto");
await drive("legacy");

const session = await openTasks(modern, url, token);
const quick = await session.callTool("add", { a: 1, b: 2 });
assert.equal(quick.kind, "immediate");
const stopped = await session.callTool("build", { millis: 600_000 });
assert.equal(stopped.kind, "task");
await stopped.cancel();
assert.equal((await stopped.settle()).outcome.status, "cancelled");
console.log("tasks ok");

// Aborting a request closes its stream: the server cancels the call.
const abort = new AbortController();
const thinking = modern.callTool({ name: "think", arguments: { millis: 600_000 } }, { signal: abort.signal });
setTimeout(() => abort.abort(), 300);
await assert.rejects(thinking);
console.log("aborted");
process.exit();
