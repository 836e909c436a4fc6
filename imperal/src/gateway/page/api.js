// Talks to the gateway. Owns requests, the typed failure, and the clock of the server. Does not own
// the live stream (event-stream.js), the reading of numbers (exact-json.js), nor what anything means.

import { parse, write } from "./exact-json.js";

/** A refused or unanswered request; `status` is 0 when nothing answered. */
export class ApiError extends Error {
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

let skew = 0;

/** Now, as the server's clock has it: elapsed times are right on a machine whose clock is not. */
export const serverNow = () => Date.now() + skew;

function readClock(response) {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const seen = date - Date.now();
  skew = Math.abs(seen) > 5000 ? seen : 0;
}

const listeners = new Set();

/** Calls `fn` when the session turns out to be over. */
export const onSessionOver = (fn) => listeners.add(fn);

let over = false;

/** Says that the session is over, once; event-stream.js learns it on its own requests. */
export function sessionOver() {
  if (over) return;
  over = true;
  listeners.forEach((fn) => fn());
}

async function request(path, init, verbatim) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init });
  } catch {
    throw new ApiError(0, "NO_ANSWER", "The process did not answer. Is it still running?");
  }
  readClock(response);
  const text = await response.text().catch(() => "");
  let body;
  try {
    body = text ? parse(text, verbatim) : {};
  } catch {
    body = {};
  }
  if (response.ok) return body;
  if (response.status === 401) sessionOver();
  const { code, message, field } = body.error ?? {};
  throw new ApiError(response.status, code ?? "UNKNOWN", message ?? `The process answered ${response.status}.`, field);
}

export const get = (path) => request(path);

/** The same for what holds values of users: each number stays as it is written. */
export const getVerbatim = (path) => request(path, undefined, true);

export const remove = (path) => request(path, { method: "DELETE" });

export const post = (path, body, headers) =>
  request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: write(body),
  });
