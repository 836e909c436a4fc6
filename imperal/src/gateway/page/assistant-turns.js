// The turns and tasks of the assistant: which they are, and what an answer has done so far. How a turn is drawn is turns.js.

import { isOpen } from "./task-words.js";

/** The extension of the assistant, which is the platform's own. */
export const APP = "imperal-assistant";

export const isMessage = (turn) => turn.role === "user" && turn.app_id === APP;

/** The acknowledgement of a message, which says nothing: the card of its task follows. */
export const isAck = (turn) => turn.role === "bot" && turn.app_id === APP && !turn.task_id;

export const isAnswer = (turn) => turn.role === "bot" && turn.app_id === APP && Boolean(turn.task_id);

/** Whether a task answers a message. */
export const isAnswering = (task) => task.app_id === APP;

/** The calls that the assistant made for an answer, as their turns. */
export const callsOf = ({ task_id: taskId }, store) => store.turns.filter((turn) => turn.assistant?.task_id === taskId);

/** What an answer has done: `hasBegun` if a word or a call has come, `tasks` are those that its calls started and that go on. */
export function workOf(task, store) {
  const calls = callsOf(task, store);
  const words = store.texts.of({ task_id: task.task_id }).some((draft) => draft.text);
  const tasks = calls.flatMap((turn) => store.tasksOf(turn.call_id)).filter(isOpen);
  return { hasBegun: words || calls.length > 0, tasks };
}
