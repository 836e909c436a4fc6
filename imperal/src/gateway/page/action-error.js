// Errors of actions, beside their controls. Owns what a failed request means in words, and when its error goes: one of a lost
// connection goes as soon as the server answers again, one of a refusal stays until the action is tried again.

import { ApiError, onceReachable } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { humanise } from "./format.js";
import { line } from "./prose.js";

/** Whether a request failed because the gateway did not answer: nothing did, or a proxy in its place. */
export const isLost = (error) =>
  error instanceof ApiError &&
  ((error.status === 0 && error.code !== "NOT_FOUND") ||
    (error.status >= 502 && error.status <= 504 && error.code === "UNKNOWN"));

/** What an error means for the person who acted; `next` is what to do after one of a lost connection. */
export function explain(error, next = "Try again.") {
  if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it and try again.";
  if (isLost(error)) return `${navigator.onLine ? error.message : "You are offline."} ${next}`;
  if (error.status === 401)
    return "The session has ended. Run the extension's `link` command and open the link that it prints.";
  return error.field && !error.message.includes(error.field)
    ? `${humanise(error.field)}: ${error.message}`
    : error.message;
}

/** A failed request as `{message, lost}`, for ErrorLine.say(). */
export const failure = (error, next) => ({ message: explain(error, next), lost: isLost(error) });

/** The error of one control; `el` is its place. */
export class ErrorLine {
  constructor(tag = "p") {
    this.el = h(tag, { class: "field-error", role: "alert", hidden: true });
  }

  say({ message, lost = false }) {
    this.clear();
    refill(this.el, icon("alert"), h("span", null, line(message)));
    this.el.hidden = false;
    if (lost) this.forget = onceReachable(() => this.clear());
  }

  show(error, next) {
    this.say(failure(error, next));
  }

  clear() {
    this.forget?.();
    this.forget = null;
    this.el.hidden = true;
    refill(this.el);
  }
}
