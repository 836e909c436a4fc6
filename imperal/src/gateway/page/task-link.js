// The address of a task's timeline, which opens the page with it: what "Copy link" copies, and what the page finds in its own address.

const START = "#task=";

/** The address of this page that opens the timeline of a task. */
export const taskAddress = (taskId) => `${location.origin}${location.pathname}${START}${encodeURIComponent(taskId)}`;

/** The task whose timeline an address opens; null for other addresses. */
export function taskOf(hash) {
  if (!hash.startsWith(START)) return null;
  try {
    return decodeURIComponent(hash.slice(START.length)) || null;
  } catch {
    return null; // not written by taskAddress()
  }
}
