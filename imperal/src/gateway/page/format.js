// Formats names, times and states of the API for people. Creates no elements and sends no requests.

const LETTERS = new Set(
  "ai api css csv dns html http https id ids ip json pdf seo smtp sql ssl tls ttl ui uri url urls uuid xml".split(" "),
);

/** `refine_output` -> `Refine output`; leaves names that are already written for people. */
export function humanise(name) {
  const text = String(name);
  if (!/^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$/.test(text) || /^[A-Z0-9]+$/.test(text)) return text;
  const spaced = text
    .replace(/[_-]+/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase();
  const words = spaced
    .split(" ")
    .map((word) => (LETTERS.has(word) ? word.toUpperCase().replace(/(ID|URL)S$/, "$1s") : word))
    .join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const STANDINGS = {
  good: "ok okay good pass passed success succeeded healthy valid active up done ready published",
  bad: "critical fail failed failure error bad broken invalid down blocked expired unhealthy",
  warn: "warn warning slow degraded fair partial pending stale",
  plain: "unknown none skipped draft inactive",
};
const TONES = new Map(
  Object.entries(STANDINGS).flatMap(([tone, words]) => words.split(" ").map((word) => [word, tone])),
);

/** The tone of a word for a state, such as `critical` or `ok`; undefined for other words. */
export const toneOfWord = (word) => (typeof word === "string" ? TONES.get(word.toLowerCase()) : undefined);

const STATES = {
  running: { word: "Running", tone: "live", icon: "again" },
  succeeded: { word: "Succeeded", tone: "good", icon: "check" },
  failed: { word: "Failed", tone: "bad", icon: "alert" },
  cancelled: { word: "Cancelled", tone: "plain", icon: "close" },
  timed_out: { word: "Timed out", tone: "bad", icon: "clock" },
  queued: { word: "Queued", tone: "plain", icon: "clock" },
  waiting: { word: "Waiting", tone: "plain", icon: "clock" },
  stuck: { word: "Stuck", tone: "warn", icon: "alert" },
  reclaimed: { word: "Interrupted", tone: "bad", icon: "alert" },
};

// Words for `reclaimed`, by the code of the result: only a lost process interrupts.
const RECLAIMED = {
  TASK_CRASHED: "No progress",
  TASK_STUCK: "Stayed stuck",
  TASK_SILENT: "Went silent",
};

/** The page's word for a task's state; an unknown state is shown as it is. `code` is the error code of an ended task, if known. */
export function taskStateLabel(state, code) {
  const label = STATES[state] ?? { word: humanise(state), tone: "plain", icon: "info" };
  return state === "reclaimed" && RECLAIMED[code] ? { ...label, word: RECLAIMED[code] } : label;
}

const WAITS = {
  time: { word: "Sleeps", tone: "plain", icon: "clock" },
  answer: { word: "Asks", tone: "live", icon: "question" },
  paused: { word: "Paused", tone: "warn", icon: "clock" },
};

/**
 * The same of a task, whose reason to wait says more than its state. A lost process does not end a durable task: without its
 * code, more than that it ended is not known.
 */
export function endLabel(task, code) {
  const label =
    (["waiting", "queued"].includes(task.state) && WAITS[task.waits_for]) || taskStateLabel(task.state, code);
  return task.state === "reclaimed" && task.durable && !code ? { ...label, word: "Stopped" } : label;
}

/** Milliseconds as `0:42`, `3:05`, `1:02:03` or `3 days 4 h`. */
export function clock(ms) {
  const total = Math.max(0, Math.floor(ms / 1000));
  const pad = (n) => String(n).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours >= 24) return `${count(Math.floor(hours / 24), "day")} ${hours % 24} h`;
  return hours ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`;
}

/** How long something took: `0.4 s`, `12 s`, then as clock(). */
export function spanWords(ms) {
  if (ms < 10_000) return `${Math.max(0.1, ms / 1000).toFixed(1)} s`;
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : clock(ms);
}

/** Milliseconds as `42 seconds`, `3 minutes`, `5 hours` or `3 days`, for screen readers and time limits. */
export function durationWords(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return count(seconds, "second");
  if (minutes < 120) return count(minutes, "minute");
  return minutes < 48 * 60 ? count(Math.round(minutes / 60), "hour") : count(Math.round(minutes / 1440), "day");
}

/** Milliseconds as `12 seconds`, `1 minute 12 seconds`, `2 hours 5 minutes`, for screen readers. */
export function longDuration(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const two = (n, word, rest, smaller) => [count(n, word), rest > 0 && count(rest, smaller)].filter(Boolean).join(" ");
  if (seconds < 60) return count(seconds, "second");
  if (seconds < 3600) return two(Math.floor(seconds / 60), "minute", seconds % 60, "second");
  return two(Math.floor(seconds / 3600), "hour", Math.floor((seconds % 3600) / 60), "minute");
}

const timeOnly = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayOnly = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const zoned = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const ZONE = zoned.resolvedOptions().timeZone;

export const time = (iso) => timeOnly.format(new Date(iso));
export const fullTime = (iso) => full.format(new Date(iso));

/** The instant in full, with the reader's own zone: for tooltips. */
export const zonedTime = (iso) => `${zoned.format(new Date(iso))} (${ZONE})`;

/** The local day of an instant: equal for two instants of one day. */
export function dayKey(iso) {
  const d = new Date(iso);
  return `${d.getFullYear()}-${d.getMonth()}-${d.getDate()}`;
}

/** `Today`, `Yesterday`, or the date. */
export function dayName(iso) {
  const now = new Date();
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  if (dayKey(iso) === dayKey(now)) return "Today";
  if (dayKey(iso) === dayKey(yesterday)) return "Yesterday";
  const then = new Date(iso);
  return (then.getFullYear() === now.getFullYear() ? dayOnly : dayYear).format(then);
}

/** `Today 14:02` or `12 March 14:02`, for lists. */
export function moment(iso) {
  const day = dayName(iso);
  return day === "Today" ? time(iso) : `${day}, ${time(iso)}`;
}

const zoneName = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

/** `14:02 CET` or `12 March, 14:02 CET`: a time to come, with the reader's own zone. */
export function zonedMoment(iso) {
  const zone = zoneName.formatToParts(new Date(iso)).find(({ type }) => type === "timeZoneName")?.value;
  return [moment(iso), zone].filter(Boolean).join(" ");
}

/** `1 turn`, `2 turns`. */
export const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
