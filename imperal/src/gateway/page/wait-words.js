// What an open task that no process runs waits for, and what happens next, in plain words.

import { clock, endLabel, zonedMoment } from "./format.js";
import { attemptOf } from "./work-clock.js";

const AT_MOST = "It waits for one, at most a day.";

/** `{word, text, tone, sign}` at a time of the server. */
export function waitWords(task, now) {
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
      return {
        word,
        tone,
        sign,
        text: `You have as many running tasks as may run at once. It ${goesOn} when one ends.`,
      };
    case "version":
      return { word, tone, sign, text: `No running version of the program can continue it. ${AT_MOST}` };
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
