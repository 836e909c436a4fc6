// Calls functions. Owns the calls that are under way from this page: when one counts as accepted,
// and running one again. The turns themselves come by the feed.

import { ApiError, post } from "./api.js";
import { humanise } from "./words.js";

const same = (a, b) => stable(a) === stable(b);

function stable(value) {
  return JSON.stringify(value, (_key, v) =>
    v && typeof v === "object" && !Array.isArray(v) && Object.getPrototypeOf(v) === Object.prototype
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

export class Calls {
  constructor(feed) {
    this.feed = feed;
    this.waiting = [];
    feed.on("turns", (turns, live) => live && turns.forEach((turn) => this.match(turn)));
  }

  /**
   * Calls a function. Resolves as soon as the call is accepted: its turn came by the stream, or
   * the answer did. Rejects with an ApiError when it was refused or nothing answered.
   */
  run(appId, fn, params) {
    return new Promise((resolve, reject) => {
      const call = { appId, fn, params, resolve };
      this.waiting.push(call);
      post(`/v1/extensions/${encodeURIComponent(appId)}/call`, { function: fn, params })
        .then(resolve, reject)
        .finally(() => this.forget(call));
    });
  }

  /** Runs the call of a turn again with the parameters it had. */
  async again(callId) {
    const asked = await this.feed.askedBy(callId);
    if (!asked) throw new ApiError(0, "NOT_FOUND", "The turn of that call is no longer in the history.");
    return this.run(asked.app_id, asked.function, asked.params ?? {});
  }

  match(turn) {
    if (turn.role !== "user") return;
    const call = this.waiting.find(
      (c) => c.appId === turn.app_id && c.fn === turn.function && same(c.params, turn.params ?? {}),
    );
    if (!call) return;
    this.forget(call);
    call.resolve();
  }

  forget(call) {
    this.waiting = this.waiting.filter((other) => other !== call);
  }
}

/** What a failed call means for whoever made it. */
export function explain(error) {
  if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it and try again.";
  if (error.status === 0) return `${error.message} Nothing you wrote is lost.`;
  if (error.status === 401) return "The session has ended. Open a fresh link from the terminal.";
  if (error.status === 503) return `${error.message} Nothing was started; try again in a moment.`;
  return error.field && !error.message.includes(error.field) ? `${humanise(error.field)}: ${error.message}` : error.message;
}
