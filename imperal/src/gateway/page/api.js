// Requests to the gateway. Owns the error type and the server's clock. The live stream is event-stream.js, reading of
// numbers is exact-json.js.

import { parse, write } from "./exact-json.js";

/** A request that was refused or got no answer; then `status` is 0. */
export class ApiError extends Error {
  /** `body` is the whole answer, for codes whose answers have more than the error. */
  constructor(status, code, message, field, body) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
    this.body = body;
  }
}

let skew = 0;

/** The current time of the server's clock, so that elapsed times are right on a machine with a wrong clock. */
export const serverNow = () => Date.now() + skew;

function readClock(response) {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const seen = date - Date.now();
  skew = Math.abs(seen) > 5000 ? seen : 0;
}

const listeners = new Set();

/** Calls `fn` when the session has ended. */
export const onSessionOver = (fn) => listeners.add(fn);

let over = false;

/** Reports once that the session has ended. event-stream.js calls it for its own requests. */
export function sessionOver() {
  if (over) return;
  over = true;
  listeners.forEach((fn) => fn());
}

const FIRST_PROBE_MS = 3000;
const MAX_PROBE_MS = 30_000;

const waiting = new Map(); // function -> since when it waits for an answer of the gateway
let probe = null;

/**
 * Calls `fn` once the gateway answers a request that begins from now on: the answer to an earlier one says nothing. Returns a
 * function that takes it back.
 */
export function onceReachable(fn) {
  waiting.set(fn, performance.now());
  if (waiting.size === 1) probeIn(FIRST_PROBE_MS);
  return () => waiting.delete(fn);
}

/** Asks by itself, if nothing else does: one request can be lost while the live stream stays. */
function probeIn(ms) {
  clearTimeout(probe);
  probe = setTimeout(() => {
    if (!waiting.size || over) return;
    if (navigator.onLine) get("v1/tasks?limit=1").catch(() => {}); // what it answers is not read
    probeIn(Math.min(2 * ms, MAX_PROBE_MS));
  }, ms);
}

/** The gateway answered a request that began at `since`. event-stream.js calls it for its own requests. */
export function reached(since) {
  for (const [fn, from] of [...waiting]) {
    if (since < from) continue;
    waiting.delete(fn);
    fn();
  }
}

async function request(path, init, verbatim) {
  const since = performance.now();
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init });
  } catch {
    throw new ApiError(0, "NO_ANSWER", "The server did not answer. It may have stopped, or be out of reach.");
  }
  readClock(response);
  const text = await response.text().catch(() => "");
  let body;
  try {
    body = text ? parse(text, verbatim) : {};
  } catch {
    body = {};
  }
  if (response.ok || body.error?.code) reached(since); // any other answer is a proxy's
  if (response.ok) return body;
  if (response.status === 401) sessionOver();
  throw refusal(response.status, body);
}

/** The error of an answer that is one. file-upload.js calls it for its own requests. */
export function refusal(status, body) {
  const { code, message, field } = body.error ?? {};
  return new ApiError(status, code ?? "UNKNOWN", message ?? `The server answered ${status}.`, field, body);
}

export const get = (path) => request(path);

/** For responses with values of users: each number keeps its spelling. */
export const getVerbatim = (path) => request(path, undefined, true);

export const put = (path, body) =>
  request(path, { method: "PUT", headers: { "content-type": "application/json" }, body: write(body) });

export const patch = (path, body) =>
  request(path, { method: "PATCH", headers: { "content-type": "application/json" }, body: write(body) });

export const remove = (path) => request(path, { method: "DELETE" });

export const post = (path, body, headers) =>
  request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: write(body),
  });
