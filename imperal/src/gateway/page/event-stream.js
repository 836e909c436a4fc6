// One connection to the live stream. Owns reading Server-Sent Events, detecting a dead connection, and reconnecting after
// the last applied event. Which page holds the connection is shared-stream.js; whether an event is new is store.js.
//
// It uses fetch and not EventSource: keep-alive comments must be visible to detect a dead connection after sleep, and a 401
// must be told apart from a network failure.

import { ApiError, sessionOver } from "./api.js";

const SILENCE_MS = 40_000; // the server writes a comment every 15 s
const STALE_MS = 20_000; // after a wake-up, a connection that was quiet for this long is not trusted
const WATCH_MS = 5000;
const WAITS_MS = [300, 800, 1500, 3000, 5000, 8000];

/** Reads the stream after a number until it or `signal` ends: opened(), byte(), message(name, text, id). */
async function read({ after, signal, opened, byte, message }) {
  const response = await fetch(`v1/events/stream?after=${after}`, {
    headers: { accept: "text/event-stream" },
    credentials: "same-origin",
    cache: "no-store",
    signal,
  });
  if (response.status === 401) sessionOver();
  if (!response.ok) throw new ApiError(response.status, "REFUSED", "The live stream was refused.");
  opened?.();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const lines = new SseParser(message);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    byte?.();
    lines.push(value);
  }
}

/** Reads from `after()` to the ledger's current head, then closes the connection. */
export async function catchUp({ after, take }) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), SILENCE_MS);
  let head = Infinity;
  const message = (name, text, id) => {
    if (abort.signal.aborted) return;
    if (name === "hello") head = JSON.parse(text).head;
    const goesOn = take(name, text, id);
    if (!goesOn || after() >= head) abort.abort();
  };
  try {
    await read({ after: after(), signal: abort.signal, message });
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return after() >= head;
}

export class EventStream {
  /**
   * `after()` returns the number to resume from; `take(name, text, id)` applies one message and returns false to have the
   * stream read again; `state(name)` and `beat()` report the connection.
   */
  constructor({ after, take, state, beat }) {
    Object.assign(this, { after, take, state, beat });
    this.failures = 0;
    this.lastByte = 0;
    this.stopped = false;
    this.hurry = false;
    this.ears = new AbortController();
    const { signal } = this.ears;
    addEventListener("online", () => this.kick(), { signal });
    addEventListener("offline", () => this.drop(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.kick(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.doubt(), { signal });
  }

  /** Runs until stop(). */
  async run() {
    let ticked = Date.now();
    const watch = setInterval(() => {
      const slept = Date.now() - ticked > STALE_MS && !document.hidden; // browsers slow down timers of hidden pages
      ticked = Date.now();
      if (slept) this.doubt();
      else if (this.lastByte && Date.now() - this.lastByte > SILENCE_MS) this.drop();
    }, WATCH_MS);
    while (!this.stopped) {
      this.abort = new AbortController();
      try {
        await this.read(this.abort.signal);
      } catch (error) {
        if (error.status === 401) this.stop(); // asking again would be refused again
        // any other error: wait below, then reconnect
      }
      this.abort.abort();
      if (this.stopped) break;
      this.state(navigator.onLine ? "reconnecting" : "offline");
      if (!this.hurry)
        await this.wait(WAITS_MS[Math.min(this.failures, WAITS_MS.length - 1)] * (0.75 + Math.random() / 2));
      this.failures += 1;
      this.hurry = false;
    }
    clearInterval(watch);
  }

  read(signal) {
    this.lastByte = Date.now();
    return read({
      after: this.after(),
      signal,
      opened: () => this.state("live"),
      byte: () => {
        this.lastByte = Date.now();
        this.beat();
      },
      message: (name, text, id) => {
        if (signal.aborted) return;
        this.failures = 0;
        if (!this.take(name, text, id)) this.drop();
      },
    });
  }

  /** Reconnects if the connection has been quiet for so long that it may be dead. */
  doubt() {
    if (this.lastByte && Date.now() - this.lastByte > STALE_MS) this.kick();
  }

  /** Reconnects now. */
  kick() {
    this.failures = 0;
    this.hurry = true;
    this.wake?.();
    this.drop();
  }

  /** Closes the connection; run() opens another. */
  drop() {
    this.abort?.abort();
  }

  stop() {
    this.stopped = true;
    this.ears.abort();
    this.wake?.();
    this.drop();
  }

  wait(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }
}

/** Parses Server-Sent Events: lines to messages; `id` is null for messages without a number. */
class SseParser {
  constructor(emit) {
    this.emit = emit;
    this.rest = [];
    this.reset();
  }

  reset() {
    this.name = "message";
    this.data = [];
    this.id = null;
  }

  push(chunk) {
    const lines = chunk.split("\n");
    // the pieces of a long line are joined once, at its end
    this.rest.push(lines[0]);
    if (lines.length === 1) return;
    lines[0] = this.rest.join("");
    this.rest = [lines.pop()];
    for (const line of lines) this.line(line.replace(/\r$/, ""));
  }

  line(line) {
    if (line === "") {
      if (this.data.length) this.emit(this.name, this.data.join("\n"), this.id);
      this.reset();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    if (field === "data") this.data.push(value);
    if (field === "id") this.id = Number(value);
  }
}
