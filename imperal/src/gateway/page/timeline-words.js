// A timeline in words: what each entry of the API is called, how long it took, and whether it is a problem. Pure functions; draws
// nothing. An end of an attempt and the time without a process after it are one row, because people read them as one thing.

import { intentsOf, knownWords, UNKNOWN } from "./effect-words.js";
import { count, endLabel, humanise, moment, spanWords, time } from "./format.js";
import { closedWords, deadlineWords } from "./question-words.js";
import { shortId, tries } from "./task-words.js";

const MOMENT_MS = 1000; // time without a process that is not worth a word

const ENDINGS = {
  parked: "It began to wait",
  handed_over: "Its process stopped and handed it over",
  refused: "This version of the program could not continue it",
  crashed: "Its process ended or lost touch",
  drained: "Its process was killed while it stopped",
  left: "Its process stopped and cut it off",
};
const TROUBLE = new Set(["crashed", "drained", "left", "refused"]);

const ms = (from, to) => Math.max(0, Date.parse(to) - Date.parse(from));

/**
 * The rows of a timeline: `{key, at, sign, tone, name, state, word, note, from, to, bar, log, problem, message}`. A row without
 * `to` but with `from` lasts until now; `state` is shown, `word` only says for screen readers what the sign shows. `questions` are the task's, with their schemas; `isOwn(id)` tells those that this page answered.
 */
export function rowsOf(entries, { task, questions = [], isOwn = () => false, now }) {
  const rows = [];
  const seen = { kept: 0, node: "", program: "" };
  const intents = intentsOf(entries);
  entries.forEach((entry, index) => {
    seen.intent = intents.get(index);
    const row = rowOf(entry, entries[index + 1], entries[index - 1], seen, { task, questions, isOwn, now });
    if (row) rows.push(row);
  });
  return rows;
}

function rowOf(entry, next, before, seen, about) {
  switch (entry.kind) {
    case "started":
      return { key: "started", at: entry.at, sign: "person", name: "Started by you" };
    case "follows": {
      const kept = entry.kept ? `, ${count(entry.kept, "step")} kept` : "";
      const name = entry.through === undefined ? "Runs an earlier task again" : `Goes on from an earlier task${kept}`;
      return { key: "follows", at: entry.at, sign: "again", name, note: `Task ${shortId(entry.task_id)}` };
    }
    case "attempt_began":
      return began(entry, before, seen);
    case "step":
      return step(entry, seen);
    case "sleep":
      return {
        key: `row-${entry.ordinal}`,
        at: entry.at,
        sign: "clock",
        name: entry.name,
        word: "wait",
        note: entry.until && `Until ${moment(entry.until)}`,
      };
    case "question":
      return question(entry, about);
    case "running":
      return {
        key: `now-${entry.name}`,
        at: entry.since,
        sign: entry.error ? "alert" : "ring",
        tone: entry.error ? "warn" : "live",
        name: entry.name,
        word: "runs",
        note: [tries(entry), entry.error].filter(Boolean).join(": "),
        from: entry.since,
        bar: "work",
        problem: Boolean(entry.error),
      };
    case "unfinished":
      return unfinished(entry);
    case "unasked":
      return unasked(entry);
    case "cancel_requested":
      return { key: "cancel", at: entry.at, sign: "stop", name: "Asked to stop" };
    case "attempt_ended":
      return gap(entry, next?.kind === "unattended" ? next : null);
    case "unattended":
      return before?.kind === "attempt_ended" ? null : idle(entry, "");
    case "left_out":
      return {
        key: `left-${entry.from}`,
        sign: "info",
        name: `Attempts ${entry.from} to ${entry.to} are no longer listed`,
      };
    case "ended": {
      const { word, tone, icon } = endLabel({ ...about.task, state: entry.state }, entry.code);
      return {
        key: "ended",
        at: entry.at,
        sign: icon,
        tone,
        name: word,
        note: entry.code && entry.state !== "cancelled" ? entry.code : "",
        problem: !["succeeded", "cancelled"].includes(entry.state),
      };
    }
    default:
      return { key: JSON.stringify(entry), at: entry.at, sign: "info", name: humanise(entry.kind ?? "unknown") };
  }
}

function began({ at, attempt, node, program }, before, seen) {
  const other = seen.node && node !== seen.node ? `On ${node}` : "";
  const version = seen.program && program && program !== seen.program ? "Another version of the program" : "";
  Object.assign(seen, { node, program: program || seen.program });
  // the start says it already
  if (attempt === 1 && ["started", "follows"].includes(before?.kind)) return null;
  const { kept } = seen;
  const name = attempt === 1 ? "Began" : kept ? `Went on, ${count(kept, "step")} kept` : "Began again";
  const note = [`Attempt ${attempt}`, other, version].filter(Boolean).join(" · ");
  return { key: `attempt-${attempt}`, at, sign: "again", name, note };
}

function step(entry, seen) {
  const { ordinal, name, step_kind: kind, attempt, began_at: from, done_at: to, log = [] } = entry;
  if (kind === "message") {
    const said = name.startsWith("name:") ? `Message ${name.slice("name:".length)}` : "Message";
    return {
      key: `row-${ordinal}`,
      at: to,
      sign: "message",
      name: said,
      word: "sent",
      log: logRows(log),
      message: true,
    };
  }
  const lines = logRows(log);
  const problem = lines.some((one) => one.bad);
  const key = `row-${ordinal}`;
  if (kind === "intent") return intent(entry, seen.intent);
  if (kind === "not_done")
    return {
      key,
      at: to,
      sign: "close",
      tone: "warn",
      name,
      state: "not done",
      note: knownWords(entry.known_by),
      log: lines,
      problem: true,
    };
  // the row of a question that is not known any more: its times are no work
  if (kind !== "step" && kind !== "effect")
    return { key, at: from, sign: "info", name, word: humanise(kind).toLowerCase(), log: lines, problem };
  seen.kept += 1;
  // its time was work of the task that this one goes on from
  if (attempt === 0) return { key, at: from, sign: "check", name, word: "kept", note: "Kept", log: lines };
  const wasUnknown = Boolean(seen.intent?.unknown);
  const note = kind === "effect" ? knownWords(entry.known_by, wasUnknown) : "";
  return {
    key,
    at: from,
    sign: "check",
    tone: "good",
    name,
    ...(wasUnknown ? { state: "done" } : { word: "done" }),
    note,
    from,
    to,
    bar: "work",
    log: lines,
    problem: problem || wasUnknown,
  };
}

/** The begin of an effect. The row with its outcome says all of one of which that was known at once. */
function intent({ ordinal, name, done_at: at }, { end, unknown, noted, runs }) {
  if (!unknown || noted) return null;
  const note = end
    ? `It was not known whether it was done, until ${time(end.done_at)}.`
    : runs
      ? "It was not known whether it was done. It runs again."
      : UNKNOWN;
  const state = end || runs ? "begun" : "unknown";
  return { key: `row-${ordinal}`, at, sign: "alert", tone: "warn", name, state, note, problem: true };
}

const UNFINISHED = {
  failed: { state: "failed", tone: "bad" },
  cut_off: { state: "cut off", tone: "warn" },
  unknown: { state: "unknown", tone: "warn" },
};

/** A step of an ended attempt without a row. */
function unfinished({ number, name, how, began_at: from, ended_at: to, tries: n, error, went_on: wentOn, log = [] }) {
  const ending = UNFINISHED[how] ?? { state: humanise(how).toLowerCase(), tone: "warn" };
  const { state, tone } = wentOn ? { state: `${ending.state}, the task went on`, tone: "warn" } : ending;
  const facts = [how === "failed" && `Step ${number}`, n > 1 && count(n, "attempt")].filter(Boolean).join(", ");
  const note = [how === "unknown" && UNKNOWN, [facts, error].filter(Boolean).join(": ")].filter(Boolean).join(" ");
  const key = `unfinished-${name}-${from}`;
  return {
    key,
    at: from,
    sign: "alert",
    tone,
    name,
    state,
    note,
    from,
    to,
    bar: "work",
    log: logRows(log),
    problem: true,
  };
}

/** Stored steps that the program no longer has. */
function unasked({ at, names, more = 0 }) {
  const all = names.length + more;
  const rest = more ? ` and ${more} more` : "";
  return {
    key: "unasked",
    at,
    sign: "alert",
    tone: "warn",
    name: `${count(all, "stored step")} ${all === 1 ? "was" : "were"} not asked for`,
    note: `${names.join(", ")}${rest}: renamed or removed in the program, so the work was done twice or for nothing.`,
    problem: true,
  };
}

function question(entry, { questions, isOwn, now }) {
  const full = questions.find((one) => one.question_id === entry.question_id);
  // its end is final: what still calls it open was read earlier
  const asked = { schema: {}, ...full, ...entry, ...(entry.state === "open" ? full : {}) };
  const { state, asked_at: from, answered_at: to } = asked;
  const ends = state === "open" ? deadlineWords(asked, now) : closedWords(asked, isOwn(entry.question_id));
  return {
    key: `row-${entry.ordinal}`,
    at: from,
    sign: "question",
    tone: state === "open" ? "live" : undefined,
    name: entry.text,
    word: "asked",
    note: ends,
    from: state === "open" || to ? from : undefined,
    to,
    bar: "wait",
    problem: state === "expired",
    message: true,
  };
}

function gap(entry, after) {
  const { attempt, at, by } = entry;
  const row = after ? idle(after, by) : null;
  const trouble = TROUBLE.has(by);
  const words = ENDINGS[by] ?? "It ended";
  const name = row && by === "parked" ? row.name : words;
  const lasted = after?.to ? ` for ${spanWords(ms(after.from, after.to))}` : "";
  const note = row && by !== "parked" && row.counts ? `${row.name}${lasted}` : "";
  return {
    ...row,
    key: `end-${attempt}`,
    at,
    gap: true,
    sign: trouble ? "alert" : by === "parked" ? "clock" : "down",
    tone: trouble ? "bad" : undefined,
    name,
    note,
    problem: trouble,
  };
}

function idle({ from, to, why }, by) {
  const counts = !to || ms(from, to) >= MOMENT_MS;
  const waits = why === "wait";
  const lasting = to
    ? { wait: "Waited", version: "No fitting program ran" }
    : {
        wait: "Waits",
        version: "No fitting program runs",
        retry: "Waits for the time of its next attempt",
        slot: "Waits for the end of another task",
        paused: "Paused by an operator",
      };
  const name = lasting[why] ?? (to ? "No process ran it" : "No process runs it");
  if (!counts && !waits && !by) return null;
  return {
    key: `idle-${from}`,
    at: from,
    gap: true,
    sign: "clock",
    name,
    from: counts || waits ? from : undefined,
    to,
    bar: waits ? "wait" : "idle",
    counts,
  };
}

/** `Wrote packages/spring, deleted packages/old, 3 more documents`. */
function writtenDocuments({ documents, count }) {
  const parts = documents.map((name) => (name.startsWith("-") ? `deleted ${name.slice(1)}` : `wrote ${name}`));
  const more = count - documents.length;
  if (more > 0) parts.push(`${more} more document${more === 1 ? "" : "s"}`);
  const text = parts.join(", ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The lines of a step's log: `{text, took, bad}`. */
function logRows(log) {
  return log.map((entry) => {
    if (entry.more) return { text: `${entry.more} more` };
    if (entry.documents) return { text: writtenDocuments(entry) };
    if (entry.attempt) return { text: `Attempt ${entry.attempt} failed: ${entry.error}`, bad: true };
    const end = entry.status ?? entry.error ?? "no answer";
    return {
      text: `${entry.method} ${entry.url} · ${end}`,
      took: spanWords(entry.ms ?? 0),
      bad: entry.status === undefined || entry.status >= 400,
    };
  });
}

/**
 * How long a task was worked on, waited, and was without a process, in milliseconds. A sleep that stayed in the process is a wait,
 * except for the time in which a step ran.
 */
export function sums(entries, now) {
  const total = { work: 0, wait: 0, idle: 0 };
  if (entries.some((entry) => entry.kind === "left_out")) total.partial = true;
  const sleeps = spansOf(entries, (entry) => entry.kind === "sleep" && entry.until && [entry.at, entry.until]);
  const steps = spansOf(
    entries,
    (entry) => entry.kind === "step" && entry.step_kind !== "question" && [entry.began_at, entry.done_at],
  );
  steps.push(...spansOf(entries, (entry) => entry.kind === "unfinished" && [entry.began_at, entry.ended_at]));
  steps.push(...spansOf(entries, (entry) => entry.kind === "running" && [entry.since, new Date(now).toISOString()]));
  const add = (from, to) => {
    const waited = onlyIn(sleeps, steps, from, to);
    total.wait += waited;
    total.work += Math.max(0, to - from) - waited;
  };
  let since = null;
  for (const entry of entries) {
    if (entry.kind === "attempt_began") since = Date.parse(entry.at);
    const end = entry.kind === "attempt_ended" || entry.kind === "ended";
    if (end && since !== null) {
      add(since, Date.parse(entry.at));
      since = null;
    }
    if (entry.kind === "unattended") {
      const lasted = Math.max(0, (entry.to ? Date.parse(entry.to) : now) - Date.parse(entry.from));
      total[entry.why === "wait" ? "wait" : "idle"] += lasted;
    }
  }
  if (since !== null) add(since, now);
  return total;
}

/** The spans of time of some entries, as `[from, to]` in milliseconds. */
const spansOf = (entries, span) =>
  entries
    .map(span)
    .filter(Boolean)
    .map(([from, to]) => [Date.parse(from), Date.parse(to)]);

/** How much of the time between two moments is in one of `inside` and in none of `outside`. */
function onlyIn(inside, outside, from, to) {
  const edges = [...inside.map(([at]) => [at, 1, 0]), ...inside.map(([, at]) => [at, -1, 0])];
  edges.push(...outside.map(([at]) => [at, 0, 1]), ...outside.map(([, at]) => [at, 0, -1]));
  edges.sort(([a], [b]) => a - b);
  let [sum, within, without, last] = [0, 0, 0, from];
  for (const [at, one, other] of [...edges, [to, 0, 0]]) {
    const here = Math.min(Math.max(at, from), to);
    if (within > 0 && without === 0) sum += Math.max(0, here - last);
    [within, without, last] = [within + one, without + other, Math.max(last, here)];
  }
  return sum;
}

/** `Worked 0:41 · waited 2:02 · 38 s without a process`; of attempts that are no longer listed nothing is known. */
export function sumWords({ work, wait, idle: alone, partial }) {
  return [
    `Worked ${spanWords(work)}`,
    wait >= MOMENT_MS && `waited ${spanWords(wait)}`,
    alone >= MOMENT_MS && `${spanWords(alone)} without a process`,
    partial && "without the attempts that are not listed",
  ]
    .filter(Boolean)
    .join(" · ");
}
