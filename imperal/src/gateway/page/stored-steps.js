// The stored steps of durable tasks, as far as the page has read them. All cards of a task share them. Owns the requests: a page
// of steps after the last known one, and one reader at a time for those who only need the times.

import { get } from "./api.js";

const PAGE = 200;
const MOST = 1000; // of one request
const PAGES = 10; // as many steps as a task may have

const known = new Map(); // task_id -> {rows, more, reading}
let turn = Promise.resolve();

function entry(taskId) {
  if (!known.has(taskId)) known.set(taskId, { rows: [], more: true, reading: null });
  return known.get(taskId);
}

/** The steps of a task that were read, in the order of their ends. */
export const stepsOf = (taskId) => entry(taskId).rows;

/** Whether there are more that were not read; true before the first read. */
export const hasMore = (taskId) => entry(taskId).more;

/** Reads the steps after those that are known. Resolves once they are there. */
export function readSteps(taskId, limit = PAGE) {
  const one = entry(taskId);
  one.reading ??= read(taskId, one, limit).finally(() => (one.reading = null));
  return one.reading;
}

async function read(taskId, one, limit) {
  const after = one.rows.at(-1)?.ordinal ?? 0;
  const { steps, next } = await get(`v1/tasks/${encodeURIComponent(taskId)}/steps?after=${after}&limit=${limit}`);
  one.rows.push(...steps);
  one.more = next !== undefined;
}

/** Reads all steps of a task, after the tasks that were asked for before. Resolves to them. */
export function readAllSteps(taskId) {
  const all = async () => {
    for (let n = 0; n < PAGES && (n === 0 || hasMore(taskId)); n += 1) await readSteps(taskId, MOST);
    return stepsOf(taskId);
  };
  const mine = turn.then(all);
  turn = mine.catch(() => {});
  return mine;
}
