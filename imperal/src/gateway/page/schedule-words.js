// What a schedule is and does, in words: its state, its next and its last run, its latest runs as signs with one text, and what was
// left out. Creates no more than those signs, and sends no requests. The row that shows them is schedule-row.js.

import { h, icon } from "./dom.js";
import { count, humanise, moment, spanWords } from "./format.js";
import { sentence, spokenZone } from "./schedule-preview.js";
import { clockIn, here, lateWords, longIn, shortIn, spokenUntil, untilWords } from "./schedule-times.js";

const STATES = {
  active: { word: "Active", tone: "good" },
  paused: { word: "Paused", tone: "plain", icon: "pause" },
  needs_you: { word: "Needs you", tone: "warn", icon: "alert" },
  ended: { word: "Ended", tone: "plain", icon: "check" },
};

const RUNS = {
  succeeded: { word: "succeeded", tone: "good", icon: "check" },
  failed: { word: "failed", tone: "bad", icon: "close" },
  interrupted: { word: "interrupted", tone: "bad", icon: "alert" },
  cancelled: { word: "cancelled", tone: "plain", icon: "stop" },
  skipped: { word: "skipped", tone: "plain", icon: "ring" },
  running: { word: "running", tone: "live", icon: "again" },
  waiting: { word: "waiting for an answer", tone: "live", icon: "question" },
};

/** Word, tone and icon of a schedule's state. What runs now is the first thing to say. */
export function stateLabel({ state, running }) {
  if (running?.state === "waiting") return { word: "Asks you", tone: "live", icon: "question" };
  if (running) return { word: "Runs now", tone: "live", icon: "again" };
  return STATES[state] ?? { word: humanise(state), tone: "plain", icon: "info" };
}

/** The same of a run. */
export const runLabel = (state) => RUNS[state] ?? { word: String(state), tone: "plain", icon: "info" };

/** `Every day at 08:00 Europe/Berlin (02:00 here)`. */
export function ruleWords({ words, zone, when, next_at: next }) {
  const own = next && when?.cron ? here(next, zone) : "";
  return `${sentence(words)}${when?.cron ? ` ${zone}` : ""}${own && ` (${own})`}`;
}

/** `next in 19 h 2 min, Sun, 29 Nov, 08:00`; empty if there is none. */
export function nextWords({ state, next_at: next, zone }, now) {
  if (state !== "active" || !next) return "";
  return `next ${untilWords(Date.parse(next) - now)}, ${shortIn(next, zone)}`;
}

/** Who paused it, as the ledger names them. */
function byWhom(by, userId) {
  if (!by || by === `user:${userId}`) return by ? " by you" : "";
  const [, name] = /^(?:user|extension|operator):(.+)$/.exec(by) ?? [null, by];
  return ` by ${name === "platform" ? "the platform" : name}`;
}

/** `Paused by you since Tuesday, 08:12`. */
export const pausedWords = ({ paused_by: by, paused_at: at }, userId) =>
  `Paused${byWhom(by, userId)}${at ? ` since ${moment(at)}` : ""}`;

const ENDS = { ends_at: "Its last day is over.", max_runs: "It ran as often as it should." };

export const endedWords = ({ reason }) => ENDS[reason?.code] ?? reason?.text ?? "It has no more times.";

/** The last run that has ended: `last: today 08:00, took 12 s`, with how late it was. */
export function lastWords({ last_run: run }) {
  if (!run) return "";
  const took = run.ended_at ? Date.parse(run.ended_at) - Date.parse(run.at) : 0;
  const parts = [
    `${runLabel(run.state).word} ${moment(run.at).replace(/^(Today|Yesterday)/, (day) => day.toLowerCase())}`,
    took > 0 && `took ${spanWords(took)}`,
    lateWords(run.late_by_s),
  ];
  return parts.filter(Boolean).join(", ");
}

/** What was left out: `3 skipped: the run before was still going. 2 missed: nothing could run them.` */
export function leftOutWords({ counts = {} }) {
  const { skipped = 0, missed = 0 } = counts;
  return [
    skipped > 0 && `${skipped} skipped: the run before was still going.`,
    missed > 0 && `${missed} missed: nothing could run ${missed > 1 ? "them" : "it"} in time.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** The latest runs as signs, the newest at the end; null if there are none. `runs` have the newest first. */
export function dots(runs) {
  if (!runs?.length) return null;
  const sign = ({ state }) => {
    const { tone, icon: name } = runLabel(state);
    return h("span", { class: `dot-run ${tone}`, "data-state": state }, icon(name));
  };
  return h("span", { class: "dots", role: "img", "aria-label": dotsText(runs) }, runs.toReversed().map(sign));
}

const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });

/** `7 latest runs: 6 succeeded, 1 failed on Wednesday`. */
export function dotsText(runs) {
  const by = new Map();
  for (const run of runs) by.set(run.state, [...(by.get(run.state) ?? []), run]);
  const parts = [...by]
    .sort(([a], [b]) => (b === "succeeded") - (a === "succeeded"))
    .map(([state, those]) => {
      const day = weekday.format(new Date(those[0].due_at));
      const when = state === "succeeded" ? "" : those.length > 1 ? `, last on ${day}` : ` on ${day}`;
      return `${those.length} ${runLabel(state).word}${when}`;
    });
  return `${runs.length === 1 ? "Latest run" : `${runs.length} latest runs`}: ${parts.join(", ")}`;
}

/** The name of a row: `Morning digest, active, every day at 08:00 Europe Berlin, next run in 19 hours, last run succeeded`. */
export function rowName(schedule, now) {
  const { name, words, zone, when, state, next_at: next, last_run: last } = schedule;
  return [
    name,
    stateLabel(schedule).word.toLowerCase(),
    `${words}${when?.cron ? ` ${spokenZone(zone)}` : ""}`,
    state === "active" && next && `next run ${spokenUntil(Date.parse(next) - now)}, ${longIn(next, zone)}`,
    last && `last run ${runLabel(last.state).word}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** What a resumed schedule says: `Morning digest resumed. Next: Sun, 29 Nov, 08:00`. */
export const resumedWords = ({ name, next_at: next, zone }) =>
  `${name} resumed.${next ? ` Next: ${shortIn(next, zone)}.` : ""}`;

/** `Morning digest, due 08:00`: who speaks in the turn of a scheduled call. `late_by` is in seconds. */
export function dueWords({ name, due_at: due, late_by: late }) {
  return [name, `due ${clockIn(due, undefined)}`, lateWords(late)].filter(Boolean).join(", ");
}

/** `41 past runs`. */
export const pastRuns = ({ counts }) => count(counts?.runs ?? 0, "past run");
