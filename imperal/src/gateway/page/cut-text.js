// Cuts texts for the places where a part is shown. Owns where a cut may be: never inside of a character as a reader sees it,
// such as an emoji of several code points or a letter with its accents.

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const AROUND = 128; // characters that are looked at on both sides of a cut
const BACK = 4096; // and before that, for a place that is surely between two characters

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

/** Length of the first part of a text: at most `n` UTF-16 units and `lines` lines. */
export function partLength(text, n, lines) {
  let end = -1;
  for (let line = 0; line < lines; line += 1) {
    end = text.indexOf("\n", end + 1);
    if (end < 0 || end > n) return Math.min(n, text.length);
  }
  return text.slice(end).trim() === "" ? text.length : end;
}
