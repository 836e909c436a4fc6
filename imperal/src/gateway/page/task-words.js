// What a task is: open or ended, and words that tell it from others: a short id, and the beginning of its call's parameters.

import { shortened } from "./cut-text.js";
import { isExact, write } from "./exact-json.js";
import { count, endLabel, humanise } from "./format.js";

const EXCERPT = 90; // characters

const OPEN = new Set(["running", "queued", "waiting", "stuck"]);

/** Whether a task has no outcome yet. */
export const isOpen = (task) => OPEN.has(task.state);

/** The end of an id, by which the terminal's commands find the task too. */
export const shortId = (id) => id.slice(-8);

/** The beginning of a call's parameters, in one line; empty if there are none. */
export function excerpt(params) {
  const entries = Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== "");
  const one = (value) => (typeof value === "string" ? value : isExact(value) ? value.rawJSON : write(value));
  const words =
    entries.length === 1 ? one(entries[0][1]) : entries.map(([key, v]) => `${humanise(key)}: ${cut(one(v))}`);
  return cut(Array.isArray(words) ? words.join(" · ") : words);
}

function cut(text) {
  const line = text
    .slice(0, 4 * EXCERPT)
    .replace(/\s+/g, " ")
    .trim();
  return shortened(line, EXCERPT);
}

/** The step that a durable task is at, of those that run now the one that has trouble; undefined if none is known. */
export const currentStep = (task) => {
  const current = task.steps?.current ?? [];
  return current.find((step) => step.error) ?? current[0];
};

/** `step 3`: the number of the step that runs, among those that are stored. */
export const stepNumber = (task) => `step ${(task.steps?.done ?? 0) + 1}`;

/** `attempt 3 of 5`, for a step that is tried again; empty for others. */
export const tries = ({ attempt, of_attempts: of }) => (attempt ? `attempt ${attempt}${of ? ` of ${of}` : ""}` : "");

/** `Task Order 4711, running, step 3, Charge the card, attempt 3 of 5`: the name of a task's card. `code` is its error's. */
export function cardName(task, code) {
  const step = task.durable && task.state === "running" ? currentStep(task) : undefined;
  const done = task.durable && !step && task.steps?.done > 0 && `${count(task.steps.done, "step")} done`;
  const words = [endLabel(task, code).word.toLowerCase(), step && stepNumber(task), step?.name];
  return [`Task ${humanise(task.name)}`, ...words, step && tries(step), done].filter(Boolean).join(", ");
}
