// JSON whose numbers stay as they are written. Owns reading and writing of JSON text.
//
// A number that JavaScript would change (an integer beyond 2^53, a decimal with more digits than a
// double has) becomes an exact number: an object that holds the digits. Newer browsers have such
// objects of their own (JSON.rawJSON); for others this module reads the digits itself, so that no
// browser sends a number that differs from the one it was given.

const native = typeof JSON.rawJSON === "function";

/** Stands for a number in browsers without JSON.rawJSON. */
class Exact {
  constructor(rawJSON) {
    this.rawJSON = rawJSON;
    Object.freeze(this);
  }
}

// Both marks are made for this page alone: no text of anybody can contain them.
const mark = `number:${Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("")}:`;
const marked = new RegExp(`"${mark}([^"]*)"`, "g");

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const TEXTS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

// Without one of these all numbers come back as they are written. Few texts have one, and reading
// with a look at each value takes ten times as long.
const SPECIAL = /\d{16}|\d[.eE]|-0/;
const hasSpecial = (text) => SPECIAL.test(text) && SPECIAL.test(text.replace(TEXTS, ""));

/** Digits and exponent of a number's text, the same for every way to write one number. */
function normal(text) {
  const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  if (whole === undefined) return text;
  const digits = (whole + part).replace(/^0+/, "");
  const short = digits.replace(/0+$/, "");
  if (short === "") return `${sign}0`;
  return `${sign}${short}e${BigInt(exponent) - BigInt(part.length) + BigInt(digits.length - short.length)}`;
}

/** Whether a number of JSON would come back as another number. */
const isChanged = (text) => {
  const value = Number(text);
  if (String(value) === text) return Number.isInteger(value) && !Number.isSafeInteger(value);
  return (
    !Number.isFinite(value) ||
    (Number.isInteger(value) && !Number.isSafeInteger(value)) ||
    normal(String(value)) !== normal(text)
  );
};

/** Whether a number would come back in other characters: `5.0`, `1e3`. */
const isRewritten = (text) => String(Number(text)) !== text;

const make = (text) => (native ? JSON.rawJSON(text) : new Exact(text));

/** Whether a value is a number that is kept as it was written. */
export const isExact = (value) => (native ? JSON.isRawJSON(value) : value instanceof Exact);

/** A value as a number of JavaScript, for comparing and drawing. */
export const approximate = (value) => (isExact(value) ? Number(value.rawJSON) : value);

/** A number that JavaScript can hold as such a number; others as they are. */
export const relaxed = (value) => (isExact(value) && !isChanged(value.rawJSON) ? Number(value.rawJSON) : value);

/** A number of JSON from its text: a plain number where that says the same. */
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
 * JSON text to values. Numbers that would change are exact; `verbatim` keeps also those that
 * would only be written in other characters.
 */
export function parse(text, verbatim = false) {
  if (!hasSpecial(text)) return JSON.parse(text);
  const keeps = verbatim ? (token) => isChanged(token) || isRewritten(token) : isChanged;
  if (native)
    return JSON.parse(text, (_key, value, context) =>
      typeof value === "number" && keeps(context?.source ?? String(value)) ? make(context.source) : value,
    );
  JSON.parse(text); // refuses what is not JSON, with the browser's own words
  let found = false;
  const replaced = text.replace(TOKENS, (token) =>
    token[0] !== '"' && keeps(token) ? ((found = true), `"${mark}${token}"`) : token,
  );
  if (!found) return JSON.parse(text);
  return JSON.parse(replaced, (_key, value) =>
    typeof value === "string" && value.startsWith(mark) ? make(value.slice(mark.length)) : value,
  );
}

/** Values to JSON text. */
export function write(value, replacer = null, indent = undefined) {
  if (native) return JSON.stringify(value, replacer, indent);
  const exact = (key, one) => {
    const next = replacer ? replacer(key, one) : one;
    return next instanceof Exact ? mark + next.rawJSON : next;
  };
  return JSON.stringify(value, exact, indent)?.replace(marked, "$1");
}

/** Whether two values are equal as JSON, whatever the order of their keys. */
export const same = (a, b) => stable(a) === stable(b);

/** A value as JSON with its keys in order. */
export function stable(value) {
  return write(value, (_key, v) =>
    v && typeof v === "object" && !Array.isArray(v) && !isExact(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
