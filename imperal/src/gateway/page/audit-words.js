// A row of the audit trail as a sentence. Pure functions; draws nothing. The terminal has the same sentences in audit_words.rs; one
// list of rows and sentences, audit_sentences.json, tests both.

import { taskStateLabel } from "./format.js";

/** What was done, and what was tried when it was refused. */
const ACTS = {
  "task.cancel": { sign: "stop", did: "asked a task to stop", tried: "to cancel a task of another user" },
  "task.answer": {
    sign: "question",
    did: "answered a question of a task",
    tried: "to answer a question of another user's task",
  },
  "task.read": { sign: "info", did: "looked at a task", tried: "to see a task of another user" },
  "task.retry": {
    sign: "again",
    did: "let a task try again at once",
    tried: "to let a task of another tenant try again",
  },
  "task.operate": { sign: "info", did: "looked at tasks", tried: "to see tasks as an operator" },
  "task.pause": { sign: "clock", did: "paused tasks", tried: "to pause tasks" },
  "task.resume": { sign: "again", did: "resumed tasks", tried: "to resume tasks" },
  "task.paused": { sign: "info", did: "looked at paused tasks", tried: "to see paused tasks" },
  "task.queues": { sign: "info", did: "looked at queues", tried: "to see queues" },
  "call.cancel": { sign: "stop", did: "asked a call to stop", tried: "to stop a call of another user" },
  "page.link": { sign: "key", did: "made a link to the page", tried: "to make a link to the page" },
  "secret.set": { sign: "key", did: "entered a secret", tried: "to enter a secret" },
  "secret.remove": { sign: "key", did: "removed a secret", tried: "to remove a secret" },
  "secret.operate": { sign: "info", did: "looked at secrets", tried: "to see secrets of another user" },
  "schedule.create": { sign: "repeat", did: "made a schedule", tried: "to make a schedule" },
  "schedule.edit": { sign: "edit", did: "changed a schedule", tried: "to change a schedule of another user" },
  "schedule.pause": { sign: "pause", did: "paused a schedule", tried: "to pause a schedule of another user" },
  "schedule.resume": { sign: "play", did: "resumed a schedule", tried: "to resume a schedule of another user" },
  "schedule.run": { sign: "again", did: "let a schedule run at once", tried: "to run a schedule of another user" },
  "schedule.delete": { sign: "trash", did: "deleted a schedule", tried: "to delete a schedule of another user" },
  "schedule.read": { sign: "info", did: "looked at a schedule", tried: "to see a schedule of another user" },
  "schedule.stop": { sign: "alert", did: "stopped a schedule", tried: "to stop a schedule" },
  "schedule.jobs": { sign: "info", did: "looked at jobs", tried: "to see jobs" },
  "file.delete": { sign: "trash", did: "deleted a file", tried: "to delete a file" },
  "secret.rotate": { sign: "key", did: "sealed all secrets again", tried: "to seal all secrets again" },
};

/** Who acted: `You`, the name of an extension, a user, or what the actor is. */
function whoOf({ actor, app_id: appId }, { userId, nameOf }) {
  const at = actor.indexOf(":");
  const [kind, name] = [actor.slice(0, at), actor.slice(at + 1)];
  if (actor === `user:${userId}`) return "You";
  if (actor === "service") return `A service${appId ? ` of ${nameOf(appId)}` : ""}`;
  if (actor === "platform") return "The platform";
  if (at < 0) return actor;
  if (kind === "extension") return nameOf(name);
  if (kind === "operator") return `The operator ${name}`;
  return kind === "user" ? name : actor;
}

/** `{sentence, sign, said}` of a row; `said` if the sentence says what the row's detail says. */
export function auditWords(row, names) {
  const { action, outcome, detail = "" } = row;
  const who = whoOf(row, names);
  const refused = `${who === "You" ? "were" : "was"} refused`;
  if (action === "chat.inject") return injected(who, outcome, detail, refused);
  const act = ACTS[action];
  // an action of a later version
  const words = action.replace(/[._-]+/g, " ");
  if (outcome === "refused")
    return { sentence: `${who} tried ${act?.tried ?? `“${words}”`} and ${refused}`, sign: "lock" };
  const sign = outcome === "done" ? (act?.sign ?? "info") : "alert";
  return { sentence: act ? `${who} ${act.did}` : `${who} did “${words}”`, sign };
}

function injected(who, outcome, detail, refused) {
  if (outcome === "refused") return { sentence: `${who} tried to write into a chat and ${refused}`, sign: "lock" };
  const ended = /^outcome(?: of task \S+)?: ([^;]+)/.exec(detail);
  if (ended) {
    const word = taskStateLabel(ended[1]).word.toLowerCase();
    const sign = outcome === "critical" ? "alert" : "message";
    return { sentence: `${who} delivered an outcome: ${word}`, sign, said: detail.length === ended[0].length };
  }
  if (outcome === "critical") return { sentence: `${who} broke its contract; you were told`, sign: "alert" };
  return { sentence: `${who} put a message into the chat`, sign: "message" };
}

/** The task that a row is about, by what the row itself says; null if it is about something else. */
export const taskOfRow = ({ action, target, detail = "" }) =>
  /^outcome of task (\S+):/.exec(detail)?.[1] ?? (action.startsWith("task.") ? (target ?? null) : null);
