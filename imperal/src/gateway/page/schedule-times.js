// Times of schedules in words: in the schedule's zone, in the reader's, and how far away they are. Pure functions. Which times a
// schedule has is computed by the server; the zones that can be chosen are zone-box.js.

import { count } from "./format.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map();

function formatted(iso, zone, options) {
  const key = JSON.stringify([zone, options]);
  if (!formats.has(key)) formats.set(key, make(zone, options));
  return formats.get(key).format(new Date(iso));
}

function make(zone, options) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone, ...options });
  } catch {
    return new Intl.DateTimeFormat(undefined, { timeZone: "UTC", ...options }); // a zone that this browser does not know
  }
}

const SHORT = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const LONG = { weekday: "long", day: "numeric", month: "long", hour: "numeric", minute: "2-digit" };

/** `Sun, 29 Nov, 08:00` on the clock of a zone; the reader's own without one. */
export const shortIn = (iso, zone) => formatted(iso, zone, SHORT);

/** `Sunday 29 November at 08:00`, for screen readers. */
export const longIn = (iso, zone) => formatted(iso, zone, LONG);

/** `08:00` on the clock of a zone. */
export const clockIn = (iso, zone) => formatted(iso, zone, { hour: "2-digit", minute: "2-digit" });

/** `02:00 here` if the reader's clock shows another time than the zone's; else empty. */
export function here(iso, zone) {
  const day = { weekday: "short", hour: "2-digit", minute: "2-digit" };
  const [there, own] = [formatted(iso, zone, day), formatted(iso, undefined, day)];
  if (there === own) return "";
  const isSameDay = formatted(iso, zone, { weekday: "short" }) === formatted(iso, undefined, { weekday: "short" });
  return `${isSameDay ? clockIn(iso, undefined) : own} here`;
}

/** `now`, `in 12 min`, `in 19 h 52 min`, `in 3 days 4 h`. */
export function untilWords(ms) {
  if (ms < MINUTE) return ms < 0 ? "now" : "in less than 1 min";
  if (ms < HOUR) return `in ${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `in ${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
  return `in ${count(Math.floor(ms / DAY), "day")} ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** The same for screen readers: `in 19 hours`, `in 3 days`. */
export function spokenUntil(ms) {
  if (ms < MINUTE) return "now";
  if (ms < HOUR) return `in ${count(Math.floor(ms / MINUTE), "minute")}`;
  return ms < 2 * DAY ? `in ${count(Math.floor(ms / HOUR), "hour")}` : `in ${count(Math.floor(ms / DAY), "day")}`;
}

/** `12 min late`, `3 h late`; empty below a minute. */
export function lateWords(seconds) {
  if (!(seconds >= 60)) return "";
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min late` : `${Math.round(seconds / 3600)} h late`;
}

/** How far a zone's clock is before UTC at an instant, in milliseconds. */
function shiftOf(zone, at) {
  const parts = make(zone, {
    calendar: "iso8601",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(new Date(at));
  const part = (type) => Number(parts.find((one) => one.type === type).value);
  const local = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return local - Math.floor(at / 1000) * 1000;
}

/** The last second of a date in a zone, in RFC 3339. */
export const endOfDay = (date, zone) => new Date(Date.parse(startOfDay(date, zone, 1)) - 1000).toISOString();

/** The instant at which a date (`2026-11-29`) begins in a zone, and `days` later, in RFC 3339. */
export function startOfDay(date, zone, days = 0) {
  const [year, month, day] = date.split("-").map(Number);
  const local = Date.UTC(year, month - 1, day + days);
  const guess = local - shiftOf(zone, local);
  return new Date(local - shiftOf(zone, guess)).toISOString();
}

/** The date that a zone's calendar shows at an instant: `2026-11-29`. */
export const dateIn = (iso, zone) =>
  new Date(Date.parse(iso) + shiftOf(zone, Date.parse(iso))).toISOString().slice(0, 10);
