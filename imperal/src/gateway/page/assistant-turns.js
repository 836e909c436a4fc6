// The turns and tasks of the assistant: which they are. How a turn is drawn is turns.js.

/** The extension of the assistant, which is the platform's own. */
export const APP = "imperal-assistant";

export const isMessage = (turn) => turn.role === "user" && turn.app_id === APP;

/** The acknowledgement of a message, which says nothing: the card of its task follows. */
export const isAck = (turn) => turn.role === "bot" && turn.app_id === APP && !turn.task_id;

export const isAnswer = (turn) => turn.role === "bot" && turn.app_id === APP && Boolean(turn.task_id);

/** Whether a task answers a message. */
export const isAnswering = (task) => task.app_id === APP;
