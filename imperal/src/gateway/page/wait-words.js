// The reason why no process runs an open task, and the next event, in plain words.

import { clock, endLabel, zonedMoment } from "./format.js";
import { attemptOf } from "./work-clock.js";

const UNTIL = "It waits for one, and ends if none comes in time.";

/** The place in the queue, as far as it is known. */
function placeWords({ before }) {
  if (before === undefined) return "It waits in a queue.";
  if (before === 0) return "It is next in its queue.";
  return `${before} before it in its queue.`;
}

/** `{word, text, tone, sign}` at a time of the server. */
export function waitWords(task, now) {
  const words = reasonWords(task, now);
  const unknown = unknownEffects(task);
  return unknown ? { ...words, text: `${unknown} ${words.text}` } : words;
}

/** That it is not known whether effects of a task that no process runs were done. */
export function unknownEffects({ open_effects: open = 0 }) {
  if (open === 0) return "";
  return open === 1
    ? "It is not known whether an effect was done."
    : `It is not known whether ${open} effects were done.`;
}

function reasonWords(task, now) {
  const { word, tone, icon: sign } = endLabel(task);
  const goesOn = attemptOf(task) === 0 ? "starts" : "goes on";
  const wait = task.ready_at ? Date.parse(task.ready_at) - now : 0;
  if (task.cancel_requested_at) return { word, tone, sign, text: `You cancelled it: it ends before it ${goesOn}.` };
  switch (task.waits_for) {
    case "process":
      return { word, tone, sign, text: `No process runs it now. The next free one takes it, and it ${goesOn}.` };
    case "retry": {
      const when = wait > 0 ? `in ${clock(wait + 999)}` : "as soon as a process is free";
      return {
        word: "Will retry",
        tone: "warn",
        sign: "alert",
        text: `The processes that ran it crashed. It ${goesOn} ${when}.`,
      };
    }
    case "slot":
      if (task.queue) return { word, tone, sign, text: `${placeWords(task)} It ${goesOn} in its turn.` };
      return {
        word,
        tone,
        sign,
        text: `You have as many running tasks as may run at once. It ${goesOn} when one ends.`,
      };
    case "paused":
      return {
        word,
        tone,
        sign,
        text: `An operator has paused tasks of this kind. It ${goesOn} once they are resumed.`,
      };
    case "version":
      return { word, tone, sign, text: `No running version of the program can continue it. ${UNTIL}` };
    case "time":
      return {
        word,
        tone,
        sign,
        text: wait > 0 ? `It sleeps until ${zonedMoment(task.ready_at)}.` : "Its time has come: it goes on soon.",
      };
    case "answer":
      return { word, tone, sign, text: "It goes on when you have answered." };
    default:
      return { word, tone, sign, text: "No process runs it now." };
  }
}
