// Calls that nobody made by hand, in the chat: three or more runs of a schedule on one day whose answers are the same but for
// their numbers, and three or more successful calls of an MCP client in a row, are one line, which unfolds. Owns which turns are
// folded and that line. Failures, calls that go on, and answers of schedules that differ stay as they are. The turns are turns.js,
// the chat around them chat.js.

import { h, icon, refill } from "./dom.js";
import { dayKey, time } from "./format.js";
import { isOpen } from "./task-words.js";

const LEAST = 3; // calls that are worth a line

export class Folds {
  constructor(store) {
    this.store = store;
    this.unfolded = new Set(); // keys of groups that a person has opened
    this.folded = 0; // turns in the document that are not shown
    this.lines = new Map(); // key -> its line
  }

  /** Folds and unfolds the turns in the document; `turns()` gives them, `elementOf(turn)` their elements. */
  apply(turns, elementOf) {
    this.again = () => this.apply(turns, elementOf);
    const shown = turns();
    const groups = shown.some((turn) => turn.schedule || turn.client) ? this.groups(shown) : [];
    const [inside, heads] = [new Map(), new Map()];
    for (const group of groups) {
      for (const turn of group.turns) inside.set(turn.seq, group);
      heads.set(group.head.seq, group);
    }
    this.folded = 0;
    for (const turn of shown) {
      const el = elementOf(turn);
      const group = inside.get(turn.seq);
      const isFolded = Boolean(group) && !this.unfolded.has(group.key);
      if (isFolded) this.folded += 1;
      el?.classList.toggle("folded", isFolded);
      const line = heads.has(turn.seq) ? this.line(heads.get(turn.seq)) : null;
      const old = el?.querySelector(":scope > .fold-line");
      if (old && old !== line) old.remove();
      if (line && line.parentNode !== el) place(el, line);
      el?.classList.toggle("fold-head", Boolean(line));
    }
  }

  /** The groups among these turns, each with the first turn of its latest call as its head. */
  groups(turns) {
    const parts = new Map(); // call_id -> its turns
    for (const turn of turns) if (turn.call_id) parts.set(turn.call_id, [...(parts.get(turn.call_id) ?? []), turn]);
    const groups = new Map();
    let inRow = null; // the calls of one client, as long as no other call comes between
    for (const turn of turns) {
      if (turn.role !== "user") continue;
      const maker = turn.client && `${turn.client} ${dayKey(turn.at)}`;
      if (inRow?.maker !== maker) inRow = maker ? { maker, key: `${maker} ${turn.call_id}` } : null;
      if (!turn.schedule && !maker) continue;
      const answer = this.answerOf(turn);
      if (answer === null) continue;
      const key = maker ? inRow.key : `${turn.schedule.id} ${dayKey(turn.at)} ${answer}`;
      const group = groups.get(key) ?? { key, turns: [], calls: [] };
      group.turns.push(...parts.get(turn.call_id));
      group.calls.push(turn);
      group.head = turn;
      groups.set(key, group);
    }
    return [...groups.values()].filter(({ calls }) => calls.length >= LEAST);
  }

  /** What a call that has succeeded said, without its numbers; null for one that did not, or goes on. */
  answerOf({ call_id: callId }) {
    const reply = this.store.answered.get(callId);
    if (reply?.result?.status !== "success") return null;
    const tasks = this.store.tasksOf(callId);
    if (tasks.some((task) => isOpen(task) || task.state !== "succeeded")) return null;
    const outcome = tasks.map((task) => this.store.ended.get(task.task_id)?.text ?? "").join(" ");
    return `${reply.text} ${outcome}`.replace(/\d+/g, "0");
  }

  line({ key, calls, head }) {
    const isOpened = this.unfolded.has(key);
    const from = `${time(calls[0].at)} to ${time(head.at)}`;
    const [words, which] = head.client
      ? [`From ${head.client}: ${calls.length} calls, ${from}`, `the calls from ${head.client}`]
      : [`${head.schedule.name}: ${calls.length} runs succeeded, ${from}`, `the runs of ${head.schedule.name}`];
    const press = () => {
      if (isOpened) this.unfolded.delete(key);
      else this.unfolded.add(key);
      this.again();
    };
    const known = this.lines.get(key) ?? h("div", { class: "fold-line" });
    this.lines.set(key, known);
    refill(
      known,
      icon(head.client ? "plug" : "repeat"),
      h("span", { dir: "auto" }, words),
      h(
        "button",
        { type: "button", class: "link", "aria-expanded": String(isOpened), onclick: press },
        isOpened ? "Fold" : "Show",
        h("span", { class: "hidden" }, ` ${which}`),
      ),
    );
    return known;
  }

  /** Shows a turn that is folded. */
  unfold(turn) {
    for (const group of this.groups(this.store.turns)) {
      if (!group.turns.includes(turn)) continue;
      this.unfolded.add(group.key);
      this.again?.();
    }
  }
}

/** Puts the line at the beginning of a turn, under the name of its day. */
function place(el, line) {
  const day = el?.querySelector(":scope > .day");
  if (day) day.after(line);
  else el?.prepend(line);
}
