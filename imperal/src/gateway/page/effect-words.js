// Effects of durable tasks in words: what the rows of one effect say together, and how that is known. Pure functions; draws
// nothing. An effect has several rows of its name: an intent, then "done" or "not done", of which the last one counts.

const OF_EFFECT = new Set(["intent", "effect", "not_done"]);

const KNOWN = {
  found: "The look-up found that it was done.",
  confirmed: "You said that it was done.",
  without_value: "It was done, but its value could not be stored.",
  not_begun: "It never began.",
  request: "Its request was refused, or did not arrive.",
  author: "The program knows that nothing happened.",
  look_up: "The look-up found that it was not done.",
  user: "You said that it was not done.",
};

/** That it is not known whether an effect was done. */
export const UNKNOWN = "It is not known whether it was done.";

/** How it is known that an effect was done or not; `again` if it was unknown before and its closure ran again. */
export const knownWords = (by, again = false) =>
  by === "returned" ? (again ? "It was done again under the same key." : "") : (KNOWN[by] ?? "");

const QUESTION = /^imperal:effect\/\d+\/\d+\/[^/]*\/(.*)$/s;

/** The name of a row as people read it: that of a question about an effect has the effect's. */
export const rowName = (name) => QUESTION.exec(name)?.[1] ?? name;

/** Stored rows, the rows of an effect as one: where its first row is, with what its last one says. */
export function collapsed(rows) {
  const lines = [];
  const places = new Map(); // name of an effect -> its place
  for (const row of rows) {
    const place = OF_EFFECT.has(row.kind) ? places.get(row.name) : undefined;
    if (place !== undefined) {
      lines[place] = { ...row, ordinal: lines[place].ordinal };
      continue;
    }
    if (OF_EFFECT.has(row.kind)) places.set(row.name, lines.length);
    lines.push(row);
  }
  return lines;
}

/**
 * What became of the intents of a timeline, by the place of each among its entries: `{end, unknown, runs}`. `end` is the row with
 * its outcome; `unknown` whether nobody knew for a time, or knows now, whether the effect was done; `runs` whether it runs now;
 * `noted` whether another entry says that it was unknown.
 */
export function intentsOf(entries) {
  const intents = new Map();
  const open = new Map(); // name of an effect -> its open intent
  entries.forEach((entry, index) => {
    const name = entry.kind === "question" ? entry.effect : entry.name;
    const intent = open.get(name);
    if (entry.kind === "step" && entry.step_kind === "intent") {
      const one = { attempt: entry.attempt, end: null, unknown: false, runs: false, noted: false };
      intents.set(index, one);
      open.set(name, one);
    } else if (!intent) return;
    else if (entry.kind === "unfinished" && entry.how === "unknown") intent.unknown = intent.noted = true;
    else if (entry.kind === "question") intent.unknown = true;
    else if (entry.kind === "running") intent.runs = true;
    else if (entry.kind === "step" && OF_EFFECT.has(entry.step_kind)) {
      intent.end = entry;
      intent.unknown ||= entry.attempt !== intent.attempt;
      intents.set(index, intent);
      open.delete(name);
    }
  });
  for (const intent of open.values()) intent.unknown ||= !intent.runs;
  return intents;
}
