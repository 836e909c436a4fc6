// The live stream. Owns the connection: reading Server-Sent Events, noticing that the line is
// dead, and connecting again after the last number that was applied. Whether an event is new is
// decided by whoever takes it (feed.js).
//
// fetch and not EventSource: the keep-alive comments must be seen to notice a dead line after
// sleep, and a 401 must be told apart from a network that is down.
//
// A browser has six connections to a host over HTTP/1.1, for all its pages together. A page that
// nobody looks at therefore gives its own back and only looks in from time to time.

import { parse, sessionOver } from "./api.js";

const SILENCE_MS = 40_000; // the server writes a comment every 15 s
const STALE_MS = 20_000; // on waking up, a line that was quiet so long is not trusted
const HIDDEN_MS = 60_000; // hidden for so long, it rests
const LOOK_IN_MS = 20_000;
const WAITS_MS = [300, 800, 1500, 3000, 5000, 8000];

export class Stream {
  /** `after()` gives the number to resume from; `take(name, data, id)` applies one message. */
  constructor({ after, take, state }) {
    this.after = after;
    this.take = take;
    this.state = state;
    this.failures = 0;
    this.lastByte = 0;
    this.stopped = false;
    this.hurry = false;
    this.resting = false;
    addEventListener("online", () => this.kick());
    addEventListener("offline", () => this.drop());
    addEventListener("pageshow", (event) => event.persisted && this.kick());
    document.addEventListener("visibilitychange", () => this.seen(!document.hidden));
    this.seen(!document.hidden);
  }

  seen(visible) {
    clearTimeout(this.restTimer);
    if (!visible) {
      this.restTimer = setTimeout(() => {
        this.resting = true;
        this.drop();
      }, HIDDEN_MS);
      return;
    }
    const rested = this.resting;
    this.resting = false;
    if (rested || (this.lastByte && Date.now() - this.lastByte > STALE_MS)) this.kick();
  }

  /** Runs until stop(). */
  async run() {
    while (!this.stopped) {
      this.abort = new AbortController();
      try {
        await this.read(this.abort.signal);
      } catch {
        // the line is gone or was never there: the wait below, then again
      }
      if (this.stopped) return;
      if (this.resting && this.caughtUp) {
        await this.wait(LOOK_IN_MS);
        continue;
      }
      this.state(navigator.onLine ? "reconnecting" : "offline");
      if (!this.hurry) await this.wait(WAITS_MS[Math.min(this.failures, WAITS_MS.length - 1)] * (0.75 + Math.random() / 2));
      this.failures += 1;
      this.hurry = false;
    }
  }

  /** Connects now, dropping whatever is there. */
  kick() {
    this.failures = 0;
    this.hurry = true;
    this.wake?.();
    this.drop();
  }

  /** Drops the line; run() connects again. */
  drop() {
    this.abort?.abort();
  }

  stop() {
    this.stopped = true;
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

  async read(signal) {
    const response = await fetch(`/v1/events/stream?after=${this.after()}`, {
      headers: { accept: "text/event-stream" },
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
    if (response.status === 401) {
      this.stop();
      sessionOver();
    }
    if (!response.ok) throw new Error(String(response.status));
    const watch = setInterval(() => {
      if (Date.now() - this.lastByte > SILENCE_MS) this.drop();
    }, 5000);
    this.lastByte = Date.now();
    try {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let head = 0;
      const lines = new Lines((name, data, id) => {
        this.failures = 0;
        const value = parse(data);
        if (name === "hello") head = value.head;
        this.take(name, value, id);
        this.caughtUp = this.after() >= head;
        if (this.resting && this.caughtUp) this.drop();
      });
      this.state("live");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.lastByte = Date.now();
        lines.push(value);
      }
    } finally {
      clearInterval(watch);
      this.abort.abort();
    }
  }
}

/** The Server-Sent Events format: lines to messages; `id` is null for those without a number. */
class Lines {
  constructor(emit) {
    this.emit = emit;
    this.rest = "";
    this.reset();
  }

  reset() {
    this.name = "message";
    this.data = [];
    this.id = null;
  }

  push(chunk) {
    const lines = (this.rest + chunk).split("\n");
    this.rest = lines.pop();
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
