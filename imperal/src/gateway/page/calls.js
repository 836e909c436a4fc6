// Calls of functions. Owns the calls in progress from this page: when a call counts as accepted, retries of a call without
// an answer, and running a call again. Turns arrive through store.js; the words of errors are action-error.js.

import { ApiError, post } from "./api.js";
import { same, stable } from "./exact-json.js";
import { newKey } from "./request-key.js";
import { kept } from "./secrets.js";

/** How long a call without an answer is retried */
const PATIENCE = 5000;
const FIRST_WAIT = 250;

/** Whether the outcome of a call is unknown, or the platform asked for a retry. */
const isOpen = ({ status }) => status === 0 || (status >= 502 && status <= 504);

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Calls {
  /**
   * `answered(seq)` gets the number of each reply turn, which the stream should bring too;
   * `schemaOf(app_id, function)` tells which parameters the chat does not store.
   */
  constructor(store, { answered, schemaOf }) {
    Object.assign(this, { store, answered, schemaOf });
    this.waiting = [];
    this.own = new Set(); // ids of calls that this page made
    this.givenUp = new Map(); // calls without an answer that are not in the chat: request -> its key and call
    store.on("turns", (turns, live) => live && turns.forEach((turn) => this.match(turn)));
  }

  /**
   * Calls a function. Resolves as soon as the call is accepted: its turn arrived by the stream, or the answer did.
   * Rejects with an ApiError when it was refused or nothing answered in time. The same call after that reuses the key
   * until its turn is in the chat, so that the platform runs it once.
   */
  run(appId, fn, params) {
    return new Promise((resolve, reject) => {
      const call = { appId, fn, params: kept(params, this.schemaOf(appId, fn)), seen: false, resolve };
      this.waiting.push(call);
      this.send(call, { function: fn, params })
        .then(({ turn, call_id: id }) => {
          if (id) this.own.add(id); // the answer may come before the call's turn
          resolve();
          if (turn) this.answered(turn.seq);
        }, reject)
        .finally(() => this.forget(call));
    });
  }

  async send(call, body) {
    const { appId } = call;
    const what = stable({ appId, ...body });
    const key = this.givenUp.get(what)?.key ?? newKey();
    this.givenUp.delete(what); // asking twice at the same time makes two calls
    let until;
    for (let wait = FIRST_WAIT; ; wait *= 2) {
      try {
        const path = `v1/extensions/${encodeURIComponent(appId)}/call`;
        return await post(path, body, { "idempotency-key": key });
      } catch (error) {
        if (!isOpen(error)) throw error;
        until ??= Date.now() + PATIENCE;
        if (Date.now() + wait > until) {
          // A person who sees the call in the chat and asks again means another call.
          if (!call.seen) this.givenUp.set(what, { key, call });
          throw error;
        }
        await sleep(wait);
      }
    }
  }

  /** Runs the call of a turn again with the same parameters. */
  async again(callId) {
    const asked = await this.store.askedBy(callId);
    if (!asked)
      throw new ApiError(0, "NOT_FOUND", "The call is no longer in the history. Run it from the list of functions.");
    return this.run(asked.app_id, asked.function, asked.params ?? {});
  }

  match(turn) {
    if (turn.role !== "user" || turn.follows || turn.schedule || turn.client || turn.assistant) return; // not a call of this page
    const isIt = (c) => c.appId === turn.app_id && c.fn === turn.function && same(c.params, turn.params ?? {});
    const call = this.waiting.find(isIt);
    if (call) {
      this.forget(call);
      this.own.add(turn.call_id);
      call.seen = true;
      return call.resolve();
    }
    const given = [...this.givenUp].find(([, { call }]) => isIt(call));
    if (given) this.givenUp.delete(given[0]);
  }

  forget(call) {
    this.waiting = this.waiting.filter((other) => other !== call);
  }
}
