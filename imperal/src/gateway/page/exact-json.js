// JSON whose numbers keep their spelling. Owns parsing and writing of JSON text.
//
// A number that JavaScript would change (an integer beyond 2^53, a decimal with more digits than a double) becomes an exact
// number: an object that holds the digits. Newer browsers have such objects (JSON.rawJSON). For others this module reads the
// digits itself, so that no browser sends a number that differs from the one it received.

const native = typeof JSON.rawJSON === "function";

/** An exact number in browsers without JSON.rawJSON. */
class Exact {
  constructor(rawJSON) {
    this.rawJSON = rawJSON;
    Object.freeze(this);
  }
}

// Random per page, so that no received text contains the mark.
const mark = `number:${Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("")}:`;
const marked = new RegExp(`"${mark}([^"]*)"`, "g");

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const TEXTS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

// Without one of these patterns, all numbers keep their spelling. Few texts match, and parsing with a look at each value takes
// ten times as long.
const SPECIAL = /\d{16}|\d[.eE]|-0/;
const hasSpecial = (text) => SPECIAL.test(text) && SPECIAL.test(text.replace(TEXTS, ""));

/** Digits and exponent of a number's text, equal for all spellings of a number. */
function normal(text) {
  const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  if (whole === undefined) return text;
  const digits = (whole + part).replace(/^0+/, "");
  const short = digits.replace(/0+$/, "");
  if (short === "") return `${sign}0`;
  return `${sign}${short}e${BigInt(exponent) - BigInt(part.length) + BigInt(digits.length - short.length)}`;
}

/** Whether parsing would change the number. */
const isChanged = (text) => {
  const value = Number(text);
  if (String(value) === text) return Number.isInteger(value) && !Number.isSafeInteger(value);
  return (
    !Number.isFinite(value) ||
    (Number.isInteger(value) && !Number.isSafeInteger(value)) ||
    normal(String(value)) !== normal(text)
  );
};

/** Whether writing would change the spelling: `5.0`, `1e3`. */
const isRewritten = (text) => String(Number(text)) !== text;

const make = (text) => (native ? JSON.rawJSON(text) : new Exact(text));

/** Whether a value is an exact number. */
export const isExact = (value) => (native ? JSON.isRawJSON(value) : value instanceof Exact);

/** A value as a JavaScript number, for comparing and drawing. */
export const approximate = (value) => (isExact(value) ? Number(value.rawJSON) : value);

/** A number that JavaScript holds exactly as such a number; other values unchanged. */
export const relaxed = (value) => (isExact(value) && !isChanged(value.rawJSON) ? Number(value.rawJSON) : value);

/** A number from its JSON text: a plain number if that is equal. */
export function numberOf(text, verbatim = true) {
  const written = text
    .replace(/^(-?)0+(?=\d)/, "$1")
    .replace(/^(-?)\./, "$10.")
    .replace(/\.(?=e|$)/i, "");
  return NUMBER.test(written) && (isChanged(written) || (verbatim && isRewritten(written)))
    ? make(written)
    : Number(written);
}

/**
 * Parses JSON text. Numbers that would change become exact; `verbatim` also keeps numbers that would only change their
 * spelling.
 */
export function parse(text, verbatim = false) {
  if (!hasSpecial(text)) return JSON.parse(text);
  const keeps = verbatim ? (token) => isChanged(token) || isRewritten(token) : isChanged;
  if (native)
    return JSON.parse(text, (_key, value, context) =>
      typeof value === "number" && keeps(context?.source ?? String(value)) ? make(context.source) : value,
    );
  JSON.parse(text); // throws the browser's own error for invalid JSON
  let found = false;
  const replaced = text.replace(TOKENS, (token) =>
    token[0] !== '"' && keeps(token) ? ((found = true), `"${mark}${token}"`) : token,
  );
  if (!found) return JSON.parse(text);
  return JSON.parse(replaced, (_key, value) =>
    typeof value === "string" && value.startsWith(mark) ? make(value.slice(mark.length)) : value,
  );
}

/** Writes values as JSON text. */
export function write(value, replacer = null, indent = undefined) {
  if (native) return JSON.stringify(value, replacer, indent);
  const exact = (key, one) => {
    const next = replacer ? replacer(key, one) : one;
    return next instanceof Exact ? mark + next.rawJSON : next;
  };
  return JSON.stringify(value, exact, indent)?.replace(marked, "$1");
}

/** Whether two values are equal as JSON, in any order of keys. */
export const same = (a, b) => stable(a) === stable(b);

/** A value as JSON with sorted keys. */
export function stable(value) {
  return write(value, (_key, v) =>
    v && typeof v === "object" && !Array.isArray(v) && !isExact(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
