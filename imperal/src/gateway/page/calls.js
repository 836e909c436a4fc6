// Calls functions. Owns the calls that are under way from this page: when one counts as accepted,
// sending one again that had no answer, and running one again. The turns themselves come by the store.

import { ApiError, post } from "./api.js";
import { same, stable } from "./exact-json.js";
import { kept } from "./secrets.js";
import { humanise } from "./format.js";

/** How long a call is sent again by itself, once it had no answer. */
const PATIENCE = 5000;
const FIRST_WAIT = 250;

/** Whether nobody knows what became of a call, or it was told to come again. */
const isOpen = ({ status }) => status === 0 || (status >= 502 && status <= 504);

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A name for a request, so that the platform runs it once. Not by randomUUID: that needs HTTPS. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");

export class Calls {
  /**
   * `answered(seq)` hears the number of each reply turn, which the stream should bring too;
   * `schemaOf(app_id, function)` tells which parameters the chat does not keep.
   */
  constructor(store, { answered, schemaOf }) {
    Object.assign(this, { store, answered, schemaOf });
    this.waiting = [];
    this.givenUp = new Map(); // what was asked, had no answer and is not in the chat -> its key and call
    store.on("turns", (turns, live) => live && turns.forEach((turn) => this.match(turn)));
  }

  /**
   * Calls a function. Resolves as soon as the call is accepted: its turn came by the stream, or
   * the answer did. Rejects with an ApiError when it was refused or nothing answered in time. Asked
   * for the same after that, it is the same call, until it is seen in the chat: the platform runs it once.
   */
  run(appId, fn, params) {
    return new Promise((resolve, reject) => {
      const call = { appId, fn, params: kept(params, this.schemaOf(appId, fn)), seen: false, resolve };
      this.waiting.push(call);
      this.send(call, { function: fn, params })
        .then(({ turn }) => (resolve(), turn && this.answered(turn.seq)), reject)
        .finally(() => this.forget(call));
    });
  }

  async send(call, body) {
    const { appId } = call;
    const what = stable({ appId, ...body });
    const key = this.givenUp.get(what)?.key ?? newKey();
    this.givenUp.delete(what); // asked for twice at once it is two calls
    let until;
    for (let wait = FIRST_WAIT; ; wait *= 2) {
      try {
        const path = `v1/extensions/${encodeURIComponent(appId)}/call`;
        return await post(path, body, { "idempotency-key": key });
      } catch (error) {
        if (!isOpen(error)) throw error;
        until ??= Date.now() + PATIENCE;
        if (Date.now() + wait > until) {
          // Whoever asks again for what they see in the chat means another call.
          if (!call.seen) this.givenUp.set(what, { key, call });
          throw error;
        }
        await sleep(wait);
      }
    }
  }

  /** Runs the call of a turn again with the parameters it had. */
  async again(callId) {
    const asked = await this.store.askedBy(callId);
    if (!asked) throw new ApiError(0, "NOT_FOUND", "The turn of that call is no longer in the history.");
    return this.run(asked.app_id, asked.function, asked.params ?? {});
  }

  match(turn) {
    if (turn.role !== "user") return;
    const isIt = (c) => c.appId === turn.app_id && c.fn === turn.function && same(c.params, turn.params ?? {});
    const call = this.waiting.find(isIt);
    if (call) {
      this.forget(call);
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

/** What a failed call means for whoever made it. */
export function explain(error) {
  if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it and try again.";
  if (error.status === 0)
    return `${error.message} Nothing you wrote is lost, and sending it again from here cannot run it twice.`;
  if (error.status === 401)
    return "The session has ended. The command link of the extension prints a fresh link to this page.";
  return error.field && !error.message.includes(error.field)
    ? `${humanise(error.field)}: ${error.message}`
    : error.message;
}
