// The live stream that all pages of one user share. A browser opens at most six HTTP/1.1 connections to a host, for all pages
// together. So the page that holds a lock reads the stream and broadcasts every message; the others listen. Owns who reads, and
// that no page misses an event.
//
// Broadcasts are not trusted to arrive. Events are numbered without gaps, and the reader repeats the last number: a page that sees a
// gap, or that it is behind, reads the missing events itself over a short connection. The lock moves on when the reader's page is
// closed or crashes. A reader that sleeps does not answer, and loses the lock to the page that asked. Browsers without locks (plain
// http from another machine) have one stream per page, which pauses while the page is hidden.

import { onSessionOver, sessionOver } from "./api.js";
import { parse } from "./exact-json.js";
import { EventStream, catchUp } from "./event-stream.js";

const BEAT_MS = 2000; // the reader repeats its last number at most this often
const QUIET_MS = 25_000; // the server sends a comment every 15 s: ask a reader that is quiet for longer
const ANSWER_MS = 1500;
const WATCH_MS = 5000;
const AGAIN_MS = 3000; // wait after a failed catch-up
const EXPECT_MS = 800;
const HIDDEN_MS = 60_000; // a stream without sharing pauses when its page is hidden for this long
const LOOK_IN_MS = 20_000;

export class SharedStream {
  /** `who` is the user whose pages share; `state(name)` shows the connection's state. */
  constructor({ who, store, state }) {
    Object.assign(this, { store, show: state });
    this.name = `imperal:live:${who}`;
    this.heard = 0; // when the reader was last heard
    this.beaten = 0;
    this.state = "connecting";
    this.stream = null; // set while this page is the reader
    this.over = false; // the session has ended: nothing more to read
    onSessionOver(() => {
      this.over = true;
      this.stream?.stop();
      this.channel?.postMessage({ kind: "over" });
    });
  }

  async run() {
    if (!navigator.locks || typeof BroadcastChannel === "undefined") return this.alone();
    this.channel = new BroadcastChannel(this.name);
    this.channel.addEventListener("message", ({ data }) => this.listen(data));
    document.addEventListener("visibilitychange", () => document.hidden || this.ask());
    addEventListener("online", () => this.ask());
    addEventListener("pageshow", (event) => event.persisted && this.ask());
    setInterval(() => !document.hidden && !this.stream && Date.now() - this.heard > QUIET_MS && this.ask(), WATCH_MS);
    this.channel.postMessage({ kind: "ask" });
    while (!this.over) await this.hold({});
  }

  /** Waits for the lock and reads until another page takes it. */
  async hold(options) {
    try {
      await navigator.locks.request(this.name, options, () => this.lead());
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      this.stream?.stop(); // another page has taken over
    }
    this.stream = null;
  }

  lead() {
    this.stream = new EventStream({
      after: () => this.store.lastSeq,
      take: (name, text, id) => {
        this.channel.postMessage({ kind: "message", name, text, id });
        return this.take(name, text, id);
      },
      state: (state) => {
        this.setState(state);
        this.tell();
      },
      beat: () => Date.now() - this.beaten > BEAT_MS && this.tell(),
    });
    return this.stream.run();
  }

  /** Broadcasts the reader's last number. */
  tell() {
    this.beaten = Date.now();
    this.channel.postMessage({ kind: "stand", head: this.store.lastSeq, state: this.state });
  }

  setState(state) {
    this.state = state;
    this.show(state);
  }

  /** Applies one message from any source. Returns false to have the stream read again. */
  take(name, text, id) {
    const data = parse(text, name === "turn");
    if (name === "hello" && data.head < this.store.lastSeq)
      location.reload(); // another ledger answers at this address
    else if (name === "hello") this.store.refreshTasks().catch(() => {}); // ignored: the next message brings the tasks too
    if (name === "pruned") return this.pruned(data.pruned);
    return this.store.take(name, data, id);
  }

  /** Events up to this number were deleted by retention: the history has their turns. */
  pruned(floor) {
    if (floor <= this.store.lastSeq) return true;
    if (this.store.turns.length) location.reload(); // happens once: the latest stored turn is not older than the floor
    this.store.lastSeq = floor;
    return true;
  }

  listen({ kind, name, text, id, head, state }) {
    if (this.over) return;
    if (kind === "over") return sessionOver();
    if (this.stream) {
      if (kind === "ask") this.tell();
      if (kind === "kick") this.stream.kick();
      return;
    }
    if (kind !== "message" && kind !== "stand") return;
    this.heard = Date.now();
    clearTimeout(this.unanswered);
    this.unanswered = null;
    if (kind === "message" && !this.take(name, text, id)) this.mend();
    if (kind === "stand") {
      this.setState(state);
      if (head > this.store.lastSeq) this.mend();
    }
  }

  /** Reads the events that this page has missed. */
  mend() {
    this.mending ??= catchUp({ after: () => this.store.lastSeq, take: (name, text, id) => this.take(name, text, id) })
      .catch(() => false)
      .then((whole) => {
        this.mending = null;
        if (!whole) setTimeout(() => this.channel?.postMessage({ kind: "ask" }), AGAIN_MS);
      });
    return this.mending;
  }

  /** Asks whether the reader is alive. If it does not answer, this page takes the lock. */
  ask() {
    if (this.stream || !this.channel || this.over) return;
    this.channel.postMessage({ kind: "ask" });
    this.unanswered ??= setTimeout(
      () => {
        this.unanswered = null;
        if (!this.stream && !document.hidden) this.hold({ steal: true });
      },
      ANSWER_MS * (0.8 + Math.random() * 0.4),
    ); // two pages that ask at the same time do not both take over
  }

  /** Connects now, because a person asked for it. */
  kick() {
    if (this.stream) return this.stream.kick();
    this.channel?.postMessage({ kind: "kick" });
    this.ask();
  }

  /** A call was answered with the turn of this number: it should arrive in a moment. */
  expect(seq) {
    if (seq > this.store.lastSeq) setTimeout(() => seq > this.store.lastSeq && this.doubt(), EXPECT_MS);
  }

  doubt() {
    if (this.stream) this.stream.kick();
    else if (this.channel) this.mend().then(() => this.ask());
  }

  // --- a page without sharing ---

  async alone() {
    let timer = null;
    let resting = false;
    const look = () => {
      clearTimeout(timer);
      if (!document.hidden) {
        if (resting) this.wake();
      } else timer = setTimeout(() => ((resting = true), this.stream.stop()), HIDDEN_MS);
    };
    document.addEventListener("visibilitychange", look);
    look();
    const take = (name, text, id) => this.take(name, text, id);
    const after = () => this.store.lastSeq;
    while (!this.over) {
      this.stream = new EventStream({ after, take, state: (state) => this.setState(state), beat: () => {} });
      await this.stream.run();
      while (resting) {
        await new Promise((done) => {
          const again = setTimeout(done, LOOK_IN_MS);
          this.wake = () => ((resting = false), clearTimeout(again), done());
        });
        if (resting) await catchUp({ after, take }).catch(() => {});
      }
    }
  }
}
