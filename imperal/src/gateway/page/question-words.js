// Questions in words: which choices one offers, an answer as a person reads it, until when it waits, and what became of it. Pure
// functions; draws nothing.

import { same, write } from "./exact-json.js";
import { count, humanise, time } from "./format.js";
import { describe } from "./schema.js";
import { excerpt } from "./task-words.js";

const BUTTONS = 4; // more choices are a list to choose from

/** The answer to an approval that the user runs the function by its form, perhaps with other parameters. */
export const BY_HAND = "by_hand";

/** The call of the assistant that a question asks to approve; null for other questions. */
export const approvalOf = ({ schema }) => schema?.["x-approval"] ?? null;

/** `Delete draft for good?` */
export const approvalTitle = ({ function: name, kind }) =>
  `${humanise(name)}${kind === "destructive" ? " for good?" : "?"}`;

/** The field of an answer; an answer that is no object is one field. */
export function answerField(schema) {
  const field = describe(schema, schema, "answer", true);
  if (field.kind === "object") return { ...field, name: "", title: "", help: "" };
  // a person may have more to say than a line
  const isLong = field.kind === "string" && field.schema.maxLength === undefined && !field.schema.format;
  return isLong && field.schema.writeOnly !== true ? { ...field, long: true } : field;
}

const YES_NO = [
  { value: true, title: "Yes", help: "" },
  { value: false, title: "No", help: "" },
];

const choicesIn = ({ kind, nullable, options }) =>
  nullable ? null : kind === "boolean" ? YES_NO : kind === "choice" ? options : null;

/** The choices that are buttons, as `[{value, title, help}]`; null if a question needs a form. */
export function choicesOf(schema) {
  const choices = choicesIn(answerField(schema));
  return choices && choices.length <= BUTTONS ? choices : null;
}

/** An answer in words. */
export function answerWords(schema, value) {
  const choice = choicesIn(answerField(schema))?.find((one) => same(one.value, value));
  if (choice) return choice.title;
  const { kind } = answerField(schema);
  if (kind === "file") return "a file";
  if (kind === "files" && Array.isArray(value)) return count(value.length, "file");
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return write(value);
  return excerpt(value) || "nothing";
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1 day 3 h`, `2 h 5 min`, `12 min`, `40 s`. */
export function longSpan(ms) {
  const two = (n, unit, rest, smaller) => (rest > 0 ? `${n} ${unit} ${rest} ${smaller}` : `${n} ${unit}`);
  if (ms >= DAY) return two(Math.floor(ms / DAY), ms >= 2 * DAY ? "days" : "day", Math.floor((ms % DAY) / HOUR), "h");
  if (ms >= HOUR) return two(Math.floor(ms / HOUR), "h", Math.floor((ms % HOUR) / MINUTE), "min");
  return ms >= MINUTE ? `${Math.floor(ms / MINUTE)} min` : `${Math.max(1, Math.ceil(ms / 1000))} s`;
}

const hasFallback = (question) => "fallback" in question;

/** `Answer within 1 day 3 h, else: Later`. */
export function deadlineWords(question, now) {
  const left = Date.parse(question.until) - now;
  const other = hasFallback(question) ? `, else: ${answerWords(question.schema, question.fallback)}` : "";
  return left > 0 ? `Answer within ${longSpan(left)}${other}` : "The time for an answer is over.";
}

/** The end of a question that is no longer open, in words. `isOwn`: this page answered it. */
export function closedWords(question, isOwn) {
  const { state, schema, answered_at: at, answered_by: by } = question;
  if (state === "answered") {
    const words = "answer" in question ? `: ${answerWords(schema, question.answer)}` : "";
    const whose = isOwn ? "You answered" : by === "service" ? "A service answered for you" : "Answered elsewhere";
    return `${whose}${words}${at ? `, ${time(at)}` : ""}`;
  }
  if (state === "expired")
    return hasFallback(question)
      ? `Nobody answered; it went on with: ${answerWords(schema, question.fallback)}`
      : approvalOf(question)
        ? "Not answered. It was not run."
        : "Nobody answered in time.";
  return "The task no longer asks this.";
}

/** The text that a screen reader speaks for a call that waits for the user's yes. */
export function spokenApproval(approval) {
  const words = excerpt(approval.params);
  const params = words ? `, ${words}` : "";
  return `A question waits: ${approvalTitle(approval).replace(/\?$/, "")}${params}? Press g, then q, or go up from the message box.`;
}

/** The text that a screen reader speaks for a new question after the name of its task: the question and the ways to answer. */
export function spokenQuestion(question, text, now) {
  const choices = choicesOf(question.schema);
  const left = Date.parse(question.until) - now;
  const how = choices ? `${count(choices.length, "choice")}.` : "";
  const alone = hasFallback(question) && left > 0 ? `It goes on by itself in ${longSpan(left)}.` : "";
  return [/[.!?…]$/.test(text) ? text : `${text}.`, how, alone].filter(Boolean).join(" ");
}
