// Refines a document as a task, by the official client: refine.mjs URL TOKEN DOCUMENT. Waits for a line on standard input.
import { once } from "node:events";

import { resultFromTaskOutcome } from "@modelcontextprotocol/ext-tasks/client";

import { connect, openTasks } from "./connect.mjs";

const [url, token, document] = process.argv.slice(2);
const client = await connect(url, token, "auto");
const tasks = await openTasks(client, url, token);
const execution = await tasks.callTool("refine_document", { document });
console.log(`started ${execution.handle.taskId}`);
await once(process.stdin, "data");
const { outcome } = await execution.settle();
console.log(`outcome ${resultFromTaskOutcome(outcome).content[0].text.split("\n")[0]}`);
await tasks.close();
await client.close();
process.exit();
