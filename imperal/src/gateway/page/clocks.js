// Clocks that count seconds on the page: of tasks, and of calls that wait for their answer. During an outage the state of
// work is unknown: clocks stop at the last known time and say so, instead of counting for work that may have ended.

import { serverNow } from "./api.js";

const ticking = new Set(); // what counts seconds: {el, tick()}
let offlineSince = null; // start of the outage, null while connected

setInterval(() => offlineSince === null && tickAll(), 1000);

function tickAll() {
  for (const one of ticking) if (one.el.isConnected) one.tick();
}

export const startTicking = (one) => ticking.add(one);

/** Whether it was counting. */
export const stopTicking = (one) => ticking.delete(one);

/** Tells all clocks whether the page is connected. */
export function setOnline(up) {
  if (up === (offlineSince === null)) return;
  offlineSince = up ? null : serverNow();
  tickAll();
}

/** Whether the page is cut off. */
export const isCutOff = () => offlineSince !== null;

/** The current time, or the start of the outage. */
export const lastHeard = () => offlineSince ?? serverNow();
