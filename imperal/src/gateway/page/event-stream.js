// One connection to the live stream, and keeping it. Owns reading Server-Sent Events, noticing
// that the connection is dead, and connecting again after the last number that was applied. Which
// page holds the connection for the others is shared-stream.js; whether an event is new is store.js.
//
// fetch and not EventSource: the keep-alive comments must be seen to notice a dead connection after
// sleep, and a 401 must be told apart from a network that is down.

import { ApiError, sessionOver } from "./api.js";

const SILENCE_MS = 40_000; // the server writes a comment every 15 s
const STALE_MS = 20_000; // on waking up, a connection that was quiet so long is not trusted
const WATCH_MS = 5000;
const WAITS_MS = [300, 800, 1500, 3000, 5000, 8000];

/** Reads the stream after a number until it ends or `signal` ends it: opened(), byte(), message(name, text, id). */
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

/** Reads on from `after()` to what the ledger holds by then, and lets go of the connection. */
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
   * `after()` gives the number to resume from; `take(name, text, id)` applies one message and says
   * false to have the stream read again; `state(name)` and `beat()` tell how it goes.
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
      const slept = Date.now() - ticked > STALE_MS && !document.hidden; // hidden pages are merely slowed down
      ticked = Date.now();
      if (slept) this.doubt();
      else if (this.lastByte && Date.now() - this.lastByte > SILENCE_MS) this.drop();
    }, WATCH_MS);
    while (!this.stopped) {
      this.abort = new AbortController();
      try {
        await this.read(this.abort.signal);
      } catch (error) {
        if (error.status === 401) this.stop(); // asking again would only be refused again
        // else the line is gone or was never there: the wait below, then again
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

  /** Connects anew if the connection was quiet for so long that it may be dead. */
  doubt() {
    if (this.lastByte && Date.now() - this.lastByte > STALE_MS) this.kick();
  }

  /** Connects now, dropping whatever is there. */
  kick() {
    this.failures = 0;
    this.hurry = true;
    this.wake?.();
    this.drop();
  }

  /** Drops the connection; run() makes another. */
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

/** The Server-Sent Events format: lines to messages; `id` is null for those without a number. */
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
    // the pieces of a long line are put together once, at its end
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
