// When a schedule runs, as the choices of the dialog: each day, on weekdays, on days of the week or of the month, each so many
// hours, or a cron expression. Owns the way from the choices to the expression and back. Pure functions; the controls are
// schedule-when.js, and the server computes the times.

/** The days of a week by their numbers in an expression, from Monday. */
export const WEEK = [
  [1, "Monday"],
  [2, "Tuesday"],
  [3, "Wednesday"],
  [4, "Thursday"],
  [5, "Friday"],
  [6, "Saturday"],
  [0, "Sunday"],
];

/** Seconds of the units of an interval. */
export const UNITS = { minutes: 60, hours: 3600, days: 86_400 };

export const LEAST_SECONDS = 300;
export const MOST_SECONDS = 31_536_000;

/** What the dialog begins with. */
export const firstRule = () => ({
  kind: "day",
  times: ["08:00"],
  days: [1],
  date: "1",
  every: "2",
  unit: "hours",
  cron: "",
});

/** A problem of one part of the choices: `times`, `days`, `date`, `every` or `cron`. */
export class RuleProblem extends Error {
  constructor(part, message) {
    super(message);
    this.part = part;
  }
}

/** The choices as `when` of the API. Throws a RuleProblem. */
export function whenOf(rule) {
  if (rule.kind === "every") return { every_seconds: seconds(rule) };
  if (rule.kind === "cron") {
    const cron = rule.cron.trim().replace(/\s+/g, " ");
    if (!cron) throw new RuleProblem("cron", "Write an expression of five fields, such as 0 8 * * 1-5.");
    return { cron };
  }
  const at = clockFields(rule.times);
  if (rule.kind === "weekday") return { cron: `${at} * * 1-5` };
  if (rule.kind === "week") {
    if (!rule.days.length) throw new RuleProblem("days", "Choose a day.");
    return { cron: `${at} * * ${rule.days.join(",")}` };
  }
  if (rule.kind === "month") {
    const date = Number(rule.date);
    if (!/^\d{1,2}$/.test(rule.date.trim()) || date < 1 || date > 31)
      throw new RuleProblem("date", "Write a day of the month, 1 to 31.");
    return { cron: `${at} ${date} * *` };
  }
  return { cron: `${at} * * *` };
}

function seconds({ every, unit }) {
  const text = every.trim();
  const all = Number(text) * UNITS[unit];
  if (!/^\d+$/.test(text) || all < 1) throw new RuleProblem("every", "Write a whole number.");
  if (all < LEAST_SECONDS) throw new RuleProblem("every", "At least 5 minutes.");
  if (all > MOST_SECONDS) throw new RuleProblem("every", "At most 365 days.");
  return all;
}

/** The first two fields of an expression. It has one list of minutes for all its hours. */
function clockFields(times) {
  const given = times.filter(Boolean).map((text) => text.split(":").map(Number));
  if (!given.length) throw new RuleProblem("times", "Choose a time.");
  const minutes = new Set(given.map(([, minute]) => minute));
  const hours = [...new Set(given.map(([hour]) => hour))].sort((a, b) => a - b);
  if (minutes.size > 1)
    throw new RuleProblem(
      "times",
      "Times of one schedule have the same minutes, such as 08:30 and 20:30. Make a second schedule for the others.",
    );
  return `${[...minutes][0]} ${hours.join(",")}`;
}

const DAILY = /^(\d{1,2}) (\d{1,2}(?:,\d{1,2})*) (\*|\d{1,2}) \* (\*|1-5|[0-7](?:,[0-7])*)$/;

/** `when` of the API as choices: as a cron expression if no other choice has it. */
export function ruleOf(when) {
  const rule = firstRule();
  if (when.every_seconds !== undefined) {
    const unit = ["days", "hours", "minutes"].find((one) => when.every_seconds % UNITS[one] === 0) ?? "minutes";
    return { ...rule, kind: "every", every: String(when.every_seconds / UNITS[unit]), unit };
  }
  const asCron = { ...rule, kind: "cron", cron: when.cron };
  const [, minute, hours, date, days] = DAILY.exec(when.cron) ?? [];
  if (minute === undefined || (date !== "*" && days !== "*")) return asCron;
  const two = (n) => String(n).padStart(2, "0");
  const times = hours.split(",").map((hour) => `${two(hour)}:${two(minute)}`);
  if (date !== "*") return { ...asCron, kind: "month", times, date };
  if (days === "*") return { ...asCron, kind: "day", times };
  if (days === "1-5") return { ...asCron, kind: "weekday", times };
  return { ...asCron, kind: "week", times, days: days.split(",").map((day) => Number(day) % 7) };
}
