// Runs the real example binary, with a completion service that answers when the test tells it to. Owns processes,
// data folders and that service; no browser.

import { execFileSync, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createPort } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { until, within } from "./deadline.mjs";

const HOW = "Build it (cargo build -p refine -p imperal-tests --bins) and set REFINE_BIN to the path of the binary.";

function binary() {
  const path = process.env.REFINE_BIN;
  if (!path) throw new Error(`REFINE_BIN is not set. ${HOW}`);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`REFINE_BIN names ${path}, which cannot be run. ${HOW}`);
  }
  return resolve(path);
}

/** The path of another example's binary. */
export const beside = (name) => join(dirname(binary()), name);

/** A free port, below the range that the system hands out: one of that range could be taken before the binary binds it. */
async function freePort() {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const server = createPort().listen(port, "127.0.0.1");
    const free = await new Promise((done) =>
      server.once("listening", () => done(true)).once("error", () => done(false)),
    );
    if (!free) continue;
    await new Promise((done) => server.close(done));
    return port;
  }
  throw new Error("of a hundred ports none was free");
}

const SECRETS = {
  IMPERAL_JWT_SECRET: "a secret of these tests, long enough to be one",
  IMPERAL_SERVICE_TOKEN: "a service of these tests",
};

/** The completion service: each request waits until the test answers it. */
class Completions {
  constructor() {
    this.waiting = [];
    this.wanted = [];
    this.instant = false;
  }

  async start() {
    this.server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      const asked = JSON.parse(text).messages.at(-1).content;
      const answer = (content) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ choices: [{ index: 0, message: { role: "assistant", content } }] }));
      };
      if (this.instant) return answer(asked);
      const held = { asked, answer };
      const wanted = this.wanted.shift();
      if (wanted) wanted(held);
      else this.waiting.push(held);
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${this.server.address().port}/v1`;
  }

  /** The next request that comes, or has come, to the service: `{asked, answer(text)}`. */
  next() {
    const held = this.waiting.shift();
    if (held) return Promise.resolve(held);
    return within("a request to the completion service", new Promise((done) => this.wanted.push(done)), 60_000);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

export class Refine {
  constructor(path = binary()) {
    this.binary = path;
    this.completions = new Completions();
    this.data = mkdtempSync(join(tmpdir(), "imperal-browser-"));
  }

  /** A token of a user, for a platform that serve() started. */
  token(user) {
    return execFileSync(this.binary, ["token", user], { env: { ...process.env, ...SECRETS }, encoding: "utf8" }).trim();
  }

  /** Starts `serve`, for users with tokens. */
  serve() {
    return this.start(SECRETS, ["serve"], /^listening on (http:\/\/\S+)/);
  }

  /** Starts the binary; `env` adds to the environment. Later starts use the same data folder and port. */
  async start(env = {}, command = ["dev"], ready = /\bopen (http:\/\/\S+)/) {
    this.port ??= await freePort();
    this.completionUrl ??= await this.completions.start();
    this.url = `http://127.0.0.1:${this.port}/`;
    this.log = "";
    this.child = spawn(this.binary, [...command, "--listen", `127.0.0.1:${this.port}`, "--data-dir", this.data], {
      env: { ...process.env, REFINE_API_URL: this.completionUrl, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = new Promise((done) => this.child.once("exit", done));
    this.child.stderr.on("data", (chunk) => (this.log += chunk));
    const link = new Promise((resolve, reject) => {
      this.ended.then((code) =>
        reject(new Error(`the binary ended with ${code} before it said where it is:\n${this.log}`)),
      );
      createInterface({ input: this.child.stdout }).on("line", (line) => {
        const found = line.match(ready);
        if (found) resolve(found[1]);
      });
    });
    this.link = await within("the binary to say where it is", link, 60_000);
    return this;
  }

  /** Calls a function as the owner of a cookie, without a browser. */
  async call(cookie, fn, params) {
    const response = await fetch(`${this.url}v1/extensions/refine/call`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie },
      body: JSON.stringify({ function: fn, params }),
    });
    if (!response.ok) throw new Error(`${fn} was refused: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** An MCP client of this name, which starts the command `mcp` and has shaken hands. */
  async mcp(name) {
    const child = spawn(this.binary, ["mcp", "--data-dir", this.data], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const answer = async () => (await within("an answer of `mcp`", lines.next(), 60_000)).value;
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name, version: "1" } };
    send({ id: 0, method: "initialize", params });
    await answer();
    send({ method: "notifications/initialized" });
    const call = (tool, args) => send({ id: 1, method: "tools/call", params: { name: tool, arguments: args } });
    return { call, answer, close: () => child.kill() };
  }

  /** Puts a service's message into a user's chat. */
  async inject(user, text) {
    const response = await fetch(`${this.url}v1/internal/chat/inject`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-service-token": SECRETS.IMPERAL_SERVICE_TOKEN },
      body: JSON.stringify({ ext_id: "refine", user_id: user, text }),
    });
    if (!response.ok) throw new Error(`the message was refused: ${response.status} ${await response.text()}`);
  }

  /** The number of open live streams. */
  async streams() {
    const text = await (await fetch(`${this.url}metrics`)).text();
    return Number(/^imperal_streams_open (\d+)/m.exec(text)[1]);
  }

  /** Resolves to the first turn of the cookie's user for which `wanted` is true. */
  untilTurn(cookie, wanted) {
    return within("a turn", this.findTurn(cookie, wanted), 60_000);
  }

  async findTurn(cookie, wanted) {
    const abort = new AbortController();
    const response = await fetch(`${this.url}v1/events/stream?after=0`, { headers: { cookie }, signal: abort.signal });
    try {
      let text = "";
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const turns = [...text.matchAll(/^event: ?turn\n(?:id: ?\d+\n)?data: ?(.*)$/gm)].map(([, data]) =>
          JSON.parse(data),
        );
        const found = turns.find(wanted);
        if (found) return found;
      }
      throw new Error("the stream ended before that turn came");
    } finally {
      abort.abort();
    }
  }

  /** Resolves once retention has deleted the events after a number, which the live stream reports. */
  untilPruned(cookie, after) {
    return until("the events are pruned", () => this.isPruned(cookie, after), 60_000);
  }

  async isPruned(cookie, after) {
    const abort = new AbortController();
    const response = await fetch(`${this.url}v1/events/stream?after=${after}`, {
      headers: { cookie },
      signal: abort.signal,
    });
    let [text, second] = ["", undefined];
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      [, second] = [...text.matchAll(/^event: ?(\w+)$/gm)].map(([, name]) => name);
      if (second) break; // the first one is `hello`
    }
    abort.abort();
    return second === "pruned";
  }

  /** Kills the process: no signal handler runs. */
  async crash() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async stop() {
    if (this.child?.exitCode === null) await this.crash();
    await this.completions.stop();
    rmSync(this.data, { recursive: true, force: true });
  }
}
