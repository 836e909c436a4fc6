// What a turn is, in words: the label of its article, which is also what screen readers hear of it. Owns the difference
// between a reply, an error, a message on the way and the end of a task.

import { isAnswer } from "./assistant-turns.js";
import { spokenEnd } from "./end-words.js";
import { humanise, taskStateLabel } from "./format.js";
import { isOpen } from "./task-words.js";

/** The state of the task that an outcome ended. The task of an old outcome may not be loaded: its result has the state. */
export function endState(turn, task) {
  if (task && !isOpen(task)) return task.state;
  const byCode = {
    CANCELLED: "cancelled",
    BACKEND_TIMEOUT: "timed_out",
    INTERRUPTED: "reclaimed",
    TASK_SILENT: "reclaimed",
    TASK_CRASHED: "reclaimed",
    TASK_STUCK: "reclaimed",
  };
  return turn.result.status === "success" ? "succeeded" : (byCode[turn.result.error_code] ?? "failed");
}

/** Whether a turn is the outcome of a task, and not a message of it on the way. */
export const isOutcome = (turn) => Boolean(turn.task_id && turn.result);

/** Whether a turn says that something failed. A cancel that the user asked for is not a failure. */
export const isFailure = (turn) => turn.result?.status === "error" && turn.result.error_code !== "CANCELLED";

const ENDS = { cancelled: "was cancelled", reclaimed: "was interrupted" };
const RECLAIMED = { TASK_CRASHED: "made no progress", TASK_STUCK: "stayed stuck", TASK_SILENT: "went silent" };

/** How a task ended, as a verb: `succeeded`, `was cancelled`. */
export const endVerb = (state, code) =>
  (state === "reclaimed" && RECLAIMED[code]) || (ENDS[state] ?? taskStateLabel(state).word.toLowerCase());

/** The label of an outcome with how long its task took: `Order 4711 succeeded after 1 minute 12 seconds`. For announcements. */
export const endNews = (turn, task) =>
  [turnLabel(turn, task), isOutcome(turn) && task && spokenEnd(task)].filter(Boolean).join(" ");

/** The label of a turn of the extension or the platform; `task` is the turn's task, if it is known. */
export function turnLabel(turn, task) {
  const named = task?.name ?? turn.function;
  const name = named ? humanise(named) : null;
  const from = name ? ` from ${name}` : "";
  if (isAnswer(turn)) return isFailure(turn) ? "No answer" : "Answer";
  if (isOutcome(turn)) return `${name ?? "A task"} ${endVerb(endState(turn, task), turn.result.error_code)}`;
  if (turn.task_id) return `Message${from}`;
  if (turn.type === "system" && !turn.result) return "Notice";
  if (turn.type === "tool_result") return `Tool result${from}`;
  if (isFailure(turn)) return `Error${from}`;
  return `${turn.result ? "Reply" : "Message"}${from}`;
}
