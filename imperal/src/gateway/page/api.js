// Talks to the gateway. Owns requests, the typed failure, exact JSON numbers, and the clock of the
// server. Does not own the live stream (stream.js) nor what anything means.

/** A refused or unanswered request; `status` is 0 when nothing answered. */
export class ApiError extends Error {
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

// Integers beyond 2^53 (row ids, for instance) must survive the way in and out. Browsers with
// JSON.rawJSON keep them as written; in others they round as every number there does.
const exact = typeof JSON.rawJSON === "function";

function keepDigits(_key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? "") ? JSON.rawJSON(context.source) : value;
}

/** JSON text to values. */
export const parse = (text) => (exact ? JSON.parse(text, keepDigits) : JSON.parse(text));

/** Whether a value is an integer that parse() kept as written. */
export const isExact = (value) => exact && JSON.isRawJSON(value);

/** An integer from its digits, exact where the browser can. */
export function integer(digits) {
  const value = Number(digits);
  return exact && !Number.isSafeInteger(value) ? JSON.rawJSON(BigInt(digits).toString()) : value;
}

/** Whether two values are equal as JSON, whatever the order of their keys. */
export const same = (a, b) => stable(a) === stable(b);

/** A value as JSON with its keys in order. */
export function stable(value) {
  return JSON.stringify(value, (_key, v) =>
    v && typeof v === "object" && !Array.isArray(v) && Object.getPrototypeOf(v) === Object.prototype
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
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

/** Says that the session is over, once; stream.js learns it on its own requests. */
export function sessionOver() {
  if (over) return;
  over = true;
  listeners.forEach((fn) => fn());
}

async function request(path, init) {
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
    body = text ? parse(text) : {};
  } catch {
    body = {};
  }
  if (response.ok) return body;
  if (response.status === 401) sessionOver();
  const { code, message, field } = body.error ?? {};
  throw new ApiError(response.status, code ?? "UNKNOWN", message ?? `The process answered ${response.status}.`, field);
}

export const get = (path) => request(path);

export const post = (path, body, headers) =>
  request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
