// Cuts texts for the places where a part is shown. Owns where a cut may be: never inside of a character as a reader sees it,
// such as an emoji of several code points or a letter with its accents.

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const AROUND = 128; // characters that are looked at on both sides of a cut
const BACK = 4096; // and before that, for a place that is surely between two characters
const LEAST = 120; // characters that a fold hides at least,
export const LEAST_LINES = 3; // or lines

/** The beginning of a text: at most `n` UTF-16 units, and whole characters. */
export function beginning(text, n) {
  if (text.length <= n) return text;
  let from = Math.max(0, n - AROUND);
  for (const least = Math.max(0, from - BACK); from > least && !/[\w\s]/.test(text[from]);) from -= 1;
  const { index, segment } = letters.segment(text.slice(from, n + AROUND)).containing(n - from);
  if (index > 0) return text.slice(0, from + index);
  if (from === 0 && segment.length < AROUND) return segment; // the first character, if there is not even place for it
  return text.slice(0, /[\ud800-\udbff]/.test(text[n - 1]) ? n - 1 : n);
}

/** A text, or its beginning with an ellipsis. */
export const shortened = (text, n) => (text.length > n ? `${beginning(text, n)}…` : text);

/** Whether what is after a cut is enough to hide it: a button for a few words takes more room than they do. */
export function isWorthFolding(text, at) {
  const rest = text.slice(at).trim();
  return rest.length >= LEAST || rest.split("\n").length >= LEAST_LINES;
}

/** Length of the first part of a text: at most `n` UTF-16 units and `lines` lines, or all if it is only a little longer. */
export function partLength(text, n, lines) {
  let end = -1;
  for (let line = 0; line < lines; line += 1) {
    end = text.indexOf("\n", end + 1);
    if (end >= 0 && end <= n) continue;
    end = Math.min(n, text.length);
    break;
  }
  return isWorthFolding(text, end) ? end : text.length;
}
