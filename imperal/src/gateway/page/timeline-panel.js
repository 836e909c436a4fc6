// The timeline of one task, in a panel at the side: what happened, in order, with waits and time without a process drawn and never
// counted as work. Owns the filter and the rows; the head is timeline-head.js, the words timeline-words.js, the requests
// timeline-reader.js, the place side-panel.js.

import { ErrorLine, failure } from "./action-error.js";
import { lastHeard, startTicking } from "./clocks.js";
import { h, icon, newId, refill, setText } from "./dom.js";
import { fullTime, humanise, spanWords } from "./format.js";
import { line } from "./prose.js";
import { Keyed } from "./reconcile.js";
import { SidePanel } from "./side-panel.js";
import { TimelineHead } from "./timeline-head.js";
import { TimelineReader } from "./timeline-reader.js";
import { rowsOf } from "./timeline-words.js";

const READ_MS = 1000; // between two reads of a task that changes
const ROOM = 300; // rows in the document at first

const FILTERS = [
  ["all", "All", () => true],
  ["problems", "Problems", (row) => row.problem],
  ["messages", "Messages", (row) => row.message],
];

const clockOf = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export class TimelinePanel extends SidePanel {
  /** `acts` has outcome(task_id), which shows the outcome turn, and functionOf(app, name). */
  constructor(dialog, { store, questions, acts }) {
    super(dialog, "timeline");
    Object.assign(this, { store, questions, acts });
    this.only = "all";
    this.room = ROOM;
    this.unfolded = new Map(); // key of a row -> whether its log is shown
    this.live = new Map(); // element of a time that counts -> since when
    this.error = new ErrorLine();
    this.title = h("h2", { id: "timeline-title", tabindex: "-1", dir: "auto" });
    this.head = new TimelineHead(store, acts);
    this.filters = new Map(
      FILTERS.map(([key, word]) => [
        key,
        h("button", { type: "button", class: "filter", onclick: () => this.choose(key) }, word),
      ]),
    );
    this.earlier = h(
      "button",
      { type: "button", class: "secondary small", onclick: () => this.showEarlier() },
      "Show earlier",
    );
    this.list = h("ol", { class: "timeline", onkeydown: (event) => this.onKey(event) });
    this.nothing = h("p", { class: "help", hidden: true });
    this.rows = new Keyed({
      key: (row) => row.key,
      make: () => h("li"),
      draw: (el, row) => this.drawRow(el, row),
      look: (row) => JSON.stringify([row, this.longest, this.isUnfolded(row)]),
    });
    refill(
      dialog,
      h(
        "div",
        { class: "drawer-head timeline-head" },
        this.title,
        h(
          "button",
          { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => this.close() },
          icon("close"),
        ),
      ),
      (this.el = h(
        "div",
        { class: "timeline-body", role: "region", "aria-labelledby": "timeline-title", tabindex: "0" },
        this.head.el,
        h("div", { class: "filters", role: "group", "aria-label": "Which entries" }, [...this.filters.values()]),
        this.error.el,
        this.earlier,
        this.nothing,
        this.list,
      )),
    );
    startTicking(this);
  }

  /** Opens the timeline of a task; where it is open already, and next to the chat, closes it. */
  toggle(task) {
    if (this.beside && this.taskId === task.task_id) this.close();
    else this.open(task);
  }

  open(task) {
    if (this.taskId !== task.task_id) {
      Object.assign(this, { taskId: task.task_id, reader: new TimelineReader(task.task_id), read: -Infinity });
      Object.assign(this, { only: "all", room: ROOM, seen: undefined });
      this.unfolded.clear();
      this.questions.readOnce(task.task_id);
    }
    this.enter();
    this.update(task);
    this.title.focus();
  }

  get task() {
    return this.store.tasks.get(this.taskId);
  }

  /** The task has changed, or what is known of its questions. */
  update(task) {
    if (!this.dialog.open || task.task_id !== this.taskId) return;
    const { state, attempt, steps, open_questions: asks, open_effects: effects, waits_for: why } = task;
    const seen = JSON.stringify([state, attempt, steps, asks, effects, why, task.cancel_requested_at]);
    if (seen !== this.seen) {
      this.seen = seen;
      this.refresh();
    }
    this.draw();
  }

  /** Reads what is new, at most once a second. */
  refresh() {
    if (this.later !== undefined) return;
    const wait = this.read + READ_MS - performance.now();
    if (wait > 0) {
      this.later = setTimeout(() => {
        this.later = undefined;
        this.refresh();
      }, wait);
      return;
    }
    this.read = performance.now();
    const { reader } = this;
    this.error.clear();
    reader.read().then(
      () => reader === this.reader && this.draw(),
      (error) => {
        if (reader !== this.reader) return;
        const { message, lost } = failure(error);
        this.error.say({ message: `The timeline could not be loaded. ${message}`, lost });
        this.seen = undefined; // the next change asks again
      },
    );
  }

  choose(key) {
    this.only = key;
    this.room = ROOM;
    this.draw();
  }

  showEarlier() {
    this.room += ROOM;
    this.draw();
  }

  draw() {
    const { task, reader } = this;
    if (!task) return;
    const now = lastHeard();
    const { entries } = reader;
    const questions = this.questions.of(this.taskId);
    const isOwn = (id) =>
      this.questions.answers.isOwn(questions.find((one) => one.question_id === id) ?? { question_id: id });
    const all = rowsOf(entries, { task, questions, isOwn, now });
    const fits = FILTERS.find(([key]) => key === this.only)[2];
    const rows = all.filter(fits);
    const shown = rows.slice(-this.room);
    this.longest = Math.max(1, ...all.map((row) => (row.bar === "work" && row.to ? spanOf(row, now) : 0)));
    this.live.clear();
    refill(this.title, humanise(task.name));
    this.head.update(task, entries, now);
    this.head.showTraces(reader.traceUrl);
    for (const [key, word, one] of FILTERS) {
      const button = this.filters.get(key);
      button.setAttribute("aria-pressed", String(key === this.only));
      refill(button, word, key !== "all" && h("span", { class: "n" }, String(all.filter(one).length)));
    }
    this.earlier.hidden = shown.length === rows.length;
    this.nothing.hidden = rows.length > 0 || all.length === 0;
    setText(this.nothing, this.only === "problems" ? "No problems." : "No messages and no questions.");
    refill(this.list, this.rows.elements(shown));
    for (const row of shown) if (row.from && !row.to) this.count(row);
  }

  /** The time of a row that lasts counts on. */
  count(row) {
    const el = this.rows.known.get(row.key)?.el.querySelector(".took");
    if (el) this.live.set(el, Date.parse(row.from));
  }

  tick() {
    if (!this.dialog.open || !this.task || !this.live.size) return;
    const now = lastHeard();
    for (const [el, since] of this.live) setText(el, spanWords(Math.max(0, now - since)));
    this.head.tick(this.reader.entries, now);
  }

  isUnfolded(row) {
    return this.unfolded.get(row.key) ?? Boolean(row.problem);
  }

  drawRow(el, row) {
    const { at, sign, tone, name, state, word, note, log = [], bar } = row;
    el.className = ["event", tone, row.gap && "gap"].filter(Boolean).join(" ");
    const took = row.from ? spanWords(spanOf(row, lastHeard())) : "";
    const what = h(
      "span",
      { class: "event-title" },
      h("span", { class: "event-name", dir: "auto" }, name),
      state ? h("span", { class: "event-state" }, `, ${state}`) : word && h("span", { class: "hidden" }, `, ${word}`),
    );
    const id = newId("log");
    const shown = this.isUnfolded(row);
    const flip = () => {
      this.unfolded.set(row.key, !shown);
      this.draw();
    };
    refill(
      el,
      h("time", { datetime: at, title: at && fullTime(at) }, at && clockOf.format(new Date(at))),
      sign === "ring" ? h("span", { class: "ring", "aria-hidden": "true" }) : icon(sign),
      log.length
        ? h(
            "button",
            { type: "button", class: "event-what", "aria-expanded": String(shown), "aria-controls": id, onclick: flip },
            what,
            h("span", { class: "unfold-place", "aria-hidden": "true" }, icon("chevron")),
          )
        : h("span", { class: "event-what" }, what),
      h("span", { class: "took" }, took),
      bar && took && this.bar(row),
      note && h("p", { class: "event-note", dir: "auto" }, line(note)),
      log.length > 0 &&
        h(
          "ul",
          { class: "event-log bare", id, hidden: !shown },
          log.map((one) =>
            h(
              "li",
              { class: one.bad && "bad" },
              h("span", { dir: "auto" }, one.text),
              h("span", { class: "took" }, one.took),
            ),
          ),
        ),
    );
  }

  /** The share of a step in the longest one; waits and time without a process have a bar of their own kind. */
  bar(row) {
    const share = row.bar === "work" ? Math.min(1, spanOf(row, lastHeard()) / this.longest) : 1;
    const el = h("span", { class: `span-bar ${row.bar}`, "aria-hidden": "true" });
    el.style.inlineSize = `${Math.max(2, Math.round(100 * share))}%`;
    return el;
  }

  /** The arrows move between the rows that unfold. */
  onKey(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...this.list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!move || at < 0 || event.altKey) return;
    event.preventDefault();
    buttons[at + move]?.focus();
  }
}

const spanOf = (row, now) => Math.max(0, (row.to ? Date.parse(row.to) : now) - Date.parse(row.from));
