// The assistant's answers for screen readers: that one has begun, and, if the user wants that, its sentences while they come. Owns the
// control of this setting, which the browser remembers. The end of an answer is announcer.js.

import { say } from "./announcer.js";
import { isAnswering } from "./assistant-turns.js";
import { h } from "./dom.js";
import { plainWords } from "./plain-words.js";
import { isOpen } from "./task-words.js";

const KEY = "imperal:read-answers";
const BEGUN_MS = 1000; // a shorter answer is announced when it has ended
const GAP_MS = 2000; // between two utterances

function isOn() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false; // storage is blocked: the setting lasts as long as the page
  }
}

/** The whole sentences at the start of a text, by their length. */
export function sentencesEnd(text) {
  let end = 0;
  for (const found of text.matchAll(/[.!?…]["'”’)]*\s+|\n+|[。！？]/gu)) end = found.index + found[0].length;
  return end;
}

export class AnswerReader {
  /** `name` is the extension's: it answers. */
  constructor(store, name) {
    this.name = name;
    this.begun = new Map(); // task_id -> the timer, or null once it was announced or is old
    this.read = new Map(); // draft_id -> {task, at}: the length that was spoken
    this.waiting = new Map(); // draft_id -> its text so far
    this.box = h("input", {
      type: "checkbox",
      id: "read-answers",
      onchange: () => this.turn(this.box.checked),
    });
    this.control = h(
      "div",
      { class: "field setting" },
      h("label", { class: "label minor", for: "read-answers" }, this.box, " Read answers while they come"),
      h("p", { class: "help" }, "Screen readers hear each whole sentence of the assistant."),
    );
    addEventListener("storage", ({ key }) => key === KEY && this.show(isOn())); // chosen in another page
    this.show(isOn());
    store.on("turns", (turns, live) => {
      if (live) turns.forEach((turn) => this.forget(turn.task_id));
      else for (const task of store.open()) this.begun.set(task.task_id, null); // they began before
    });
    store.on("task", (task) => this.task(task));
    store.on("text", (draft) => this.text(draft, store.tasks.get(draft.task_id)));
  }

  turn(on) {
    this.show(on);
    try {
      if (on) localStorage.setItem(KEY, "1");
      else localStorage.removeItem(KEY);
    } catch {
      // as in isOn()
    }
  }

  show(on) {
    this.on = on;
    this.box.checked = on;
  }

  /** Tells once that an answer has begun. */
  task(task) {
    if (!isAnswering(task)) return;
    if (!isOpen(task)) return clearTimeout(this.begun.get(task.task_id));
    if (task.state !== "running" || this.begun.has(task.task_id)) return;
    const tell = () => {
      this.begun.set(task.task_id, null);
      say(`${this.name} is answering.`);
    };
    this.begun.set(task.task_id, setTimeout(tell, BEGUN_MS));
  }

  text(draft, task) {
    if (!this.on || !task || !isAnswering(task) || !isOpen(task)) return;
    this.waiting.set(draft.draft_id, { text: draft.text, task: task.task_id });
    this.timer ??= setTimeout(() => this.flush(), GAP_MS);
  }

  flush() {
    this.timer = null;
    for (const [id, { text, task }] of this.waiting) {
      const at = this.read.get(id)?.at ?? 0;
      const end = at + sentencesEnd(text.slice(at));
      const words = plainWords(text.slice(at, end)).trim();
      this.read.set(id, { task, at: end });
      if (words) say(words);
    }
    this.waiting.clear();
  }

  /** Whether a part of an answer was read while it came. */
  hasRead(taskId) {
    return [...this.read.values()].some(({ task, at }) => task === taskId && at > 0);
  }

  forget(taskId) {
    for (const [id, { task }] of [...this.waiting]) if (task === taskId) this.waiting.delete(id);
    // after the announcer has asked whether it was read
    setTimeout(() => {
      for (const [id, { task }] of [...this.read]) if (task === taskId) this.read.delete(id);
    }, BEGUN_MS);
  }
}
