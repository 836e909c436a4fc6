// The places of tasks that wait in a queue. They change with the tasks of other users, and no event tells that: while such a task
// waits and the page is visible, the page asks for them every few seconds, in one request for all cards.

import { get } from "./api.js";
import { isCutOff } from "./clocks.js";
import { attemptOf, isHeld } from "./work-clock.js";

const EVERY_MS = 5_000;

const waits = (task) => Boolean(task.queue) && !isHeld(task) && task.state === "queued";

/** Keeps the places of the store's tasks fresh from now on. */
export function followPlaces(store) {
  let timer = null;
  const look = () => {
    if (timer || !store.open().some(waits)) return;
    const known = store.open().every((task) => !waits(task) || task.before !== undefined);
    timer = setTimeout(ask, known ? EVERY_MS : 0);
  };
  const ask = async () => {
    if (!document.hidden && !isCutOff() && store.open().some(waits)) await refresh(store).catch(() => {}); // the next look tries again
    timer = null;
    if (store.open().some(waits)) timer = setTimeout(ask, EVERY_MS);
  };
  store.on("task", look);
  store.on("turns", look);
  look();
}

async function refresh(store) {
  const { tasks } = await get("v1/tasks/active");
  for (const { task_id: id, attempt, state, before, waits_for, ready_at } of tasks) {
    const known = store.tasks.get(id);
    if (!known || !waits(known)) continue;
    if (attemptOf(known) !== attemptOf({ attempt }) || known.state !== state) continue; // an event was faster
    // No event tells of a pause either, nor of its end.
    if (known.before === before && known.waits_for === waits_for && known.ready_at === ready_at) continue;
    Object.assign(known, { before, waits_for, ready_at });
    store.say("task", known);
  }
}
