// A scripted language model, which speaks the protocol of chat completions.

import { createServer } from "node:http";

export class ModelServer {
  constructor() {
    this.replies = [];
    this.requests = [];
  }

  async start() {
    this.server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      this.requests.push(JSON.parse(text));
      const reply = this.replies.shift();
      if (!reply) return response.writeHead(400).end('{"error":{"message":"the script is used up"}}');
      await reply.held;
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const delta of reply.deltas) response.write(`data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`);
      await reply.unfinished;
      response.end("data: [DONE]\n\n");
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  /** The environment of a platform that uses it. */
  get env() {
    return { IMPERAL_MODEL_URL: this.url, IMPERAL_MODEL: "scripted" };
  }

  /** The next reply is this text; with `held`, it comes once that has resolved. */
  says(text, held) {
    this.replies.push({ held, deltas: text.split(/(?<= )/).map((content) => ({ content })) });
    return this;
  }

  /** The next reply is this text, and it ends once `unfinished` has resolved. */
  begins(text, unfinished) {
    this.says(text);
    this.replies.at(-1).unfinished = unfinished;
    return this;
  }

  /** The next reply is this text and a call. */
  calls(name, params, text = "") {
    const call = { index: 0, id: "id", function: { name, arguments: JSON.stringify(params) } };
    this.replies.push({ deltas: [{ content: text }, { tool_calls: [call] }] });
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
