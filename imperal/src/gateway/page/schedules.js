// The schedules of the user, as the server has them: loading, changing, and who is told. Owns the requests, and that a schedule
// whose answer was lost is not made twice. What is shown is schedule-list.js, the dialog schedule-dialog.js.

import { isLost } from "./action-error.js";
import { get, getVerbatim, patch, post, remove, serverNow } from "./api.js";
import { same, stable } from "./exact-json.js";

const SOON_MS = 300; // turns that come together are one reason to read the list
const SLACK_MS = 60_000; // between the clocks of the page and the server

const pathOf = (id, act = "") => `v1/schedules/${encodeURIComponent(id)}${act && `/${act}`}`;

export class Schedules {
  constructor(store) {
    this.all = null; // newest first; null until they are read
    this.error = null; // of the last try to read them
    this.listeners = new Set();
    this.unanswered = new Map(); // a request to make a schedule whose answer was lost -> when it was sent
    this.calls = new Set(); // calls of schedules that came by the stream
    store.on("turns", (turns, live) => live && turns.some((turn) => this.concerns(turn)) && this.loadSoon());
    store.on("task", (task) => this.runs(task.call_id) && this.loadSoon());
    // what happened during an outage came without a turn: another page may have changed a schedule
    store.on("hello", () => this.all && this.loadSoon());
  }

  /** Whether a turn says something about a schedule: a run began or ended, or it stopped by itself. */
  concerns({ schedule, call_id: callId, result }) {
    if (schedule && callId) this.calls.add(callId);
    return Boolean(schedule) || (Boolean(result) && (this.calls.has(callId) || this.runs(callId)));
  }

  /** Whether a call is the present run of a schedule. */
  runs(callId) {
    return this.all?.some((one) => one.running?.call_id === callId) ?? false;
  }

  on(fn) {
    this.listeners.add(fn);
  }

  tell() {
    for (const fn of this.listeners) fn();
  }

  find(id) {
    return this.all?.find((one) => one.id === id);
  }

  loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), SOON_MS);
  }

  /** Reads the list. An error is told and kept; what was read before stays. */
  async load() {
    this.asked = (this.asked ?? 0) + 1;
    const turn = this.asked;
    try {
      const { schedules } = await getVerbatim("v1/schedules");
      if (turn !== this.asked) return; // a later answer is newer
      Object.assign(this, { all: schedules, error: null });
    } catch (error) {
      if (turn !== this.asked) return;
      this.error = error;
    }
    this.tell();
  }

  /** Takes a schedule as the server has just described it. */
  keep(schedule) {
    this.asked = (this.asked ?? 0) + 1; // a list that is on its way is older
    const known = this.all ?? [];
    this.all = known.some(({ id }) => id === schedule.id)
      ? known.map((one) => (one.id === schedule.id ? schedule : one))
      : [schedule, ...known];
    this.tell();
    return schedule;
  }

  /** Makes a schedule. After a lost answer the same request first looks whether the schedule is there, so that there is one. */
  async make(body) {
    const what = stable(body);
    const sent = this.unanswered.get(what) ?? serverNow();
    const made = this.unanswered.has(what) ? await this.madeSince(sent, body) : undefined;
    this.unanswered.delete(what);
    if (made) return made;
    try {
      return this.keep(await post("v1/schedules", body));
    } catch (error) {
      if (isLost(error)) this.unanswered.set(what, sent);
      throw error;
    }
  }

  async madeSince(sent, body) {
    await this.load();
    if (this.error) throw this.error;
    const parts = ["name", "app_id", "function", "params", "when", "zone"];
    const isIt = (one) => parts.every((part) => same(one[part], body[part]));
    return this.all.find((one) => isIt(one) && Date.parse(one.created_at) >= sent - SLACK_MS);
  }

  async change(id, body) {
    return this.keep(await patch(pathOf(id), body));
  }

  /** `pause`, `resume` or `run`. */
  async act(id, act, body = {}) {
    return this.keep(await post(pathOf(id, act), body));
  }

  async drop(id) {
    await remove(pathOf(id));
    this.asked += 1;
    this.all = this.all.filter((one) => one.id !== id);
    this.tell();
  }

  runsOf(id) {
    return get(pathOf(id, "runs")).then(({ runs }) => runs);
  }

  preview(body) {
    return post("v1/schedules/preview", body);
  }
}
