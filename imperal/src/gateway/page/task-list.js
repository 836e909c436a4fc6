// All tasks, in the activity panel: open ones as cards, then ended ones by day, newest first. Owns the filter, the search,
// loading older tasks and cancelling all that are shown; one task is task-card.js.

import { explain, isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";
import { CancelAll } from "./cancel-all.js";
import { shortened } from "./cut-text.js";
import { h, icon, refill } from "./dom.js";
import { endedWords } from "./end-words.js";
import { knownResult, loadResult, outcomeBody } from "./outcome.js";
import { plainWords } from "./plain-words.js";
import { Keyed, reconcile } from "./reconcile.js";
import { TaskCard } from "./task-card.js";
import { excerpt, isOpen, shortId } from "./task-words.js";
import { dayKey, dayName, endLabel, fullTime, humanise, time, zonedTime } from "./format.js";

const FIRST = 100; // tasks that the store loads at the start
const MORE = 500; // most tasks of one request
const ROOM = 60; // ended tasks in the document at first
const FEW = 6; // tasks that need no search
const ID_PART = 4; // characters from which on a searched word may be a part of an id
const GIST = 140; // characters of an outcome in its folded row

const FILTERS = [
  ["all", "All", () => true],
  ["running", "Running", (task) => task.state === "running"],
  ["waiting", "Waiting", (task) => isOpen(task) && task.state !== "running"],
  ["succeeded", "Succeeded", (task) => task.state === "succeeded"],
  ["failed", "Failed or interrupted", (task) => ["failed", "timed_out", "reclaimed"].includes(task.state)],
  ["cancelled", "Cancelled", (task) => task.state === "cancelled"],
];

export class TaskList {
  /**
   * `reveal.outcome(task_id)` and `reveal.call(call_id)` show turns, `reveal.details(task)` a timeline,
   * `reveal.confirm(question)` asks, `reveal.questionsOf(task)` makes the questions of a task, `reveal.askedBy(task)` the list of
   * those of an ended one.
   */
  constructor(store, reveal) {
    Object.assign(this, { store, reveal });
    this.only = "all";
    this.room = ROOM;
    this.cards = new Map();
    this.open = new Set(); // ended tasks that are unfolded
    this.asked = new Map(); // task_id -> the questions of an ended durable task
    this.bar = h("div", { class: "filters", role: "group", "aria-label": "Which tasks" });
    this.body = h("div");
    this.olderButton = h(
      "button",
      { type: "button", class: "secondary small older", onclick: () => this.older() },
      icon("down"),
      "Show older tasks",
    );
    this.search = h("input", {
      type: "search",
      class: "task-search",
      placeholder: "Name, text or id",
      "aria-label": "Search tasks",
      autocomplete: "off",
      oninput: () => this.choose(this.only),
    });
    this.cancelAll = new CancelAll(store, reveal.confirm);
    this.el = h("div", { class: "task-list" }, this.search, this.bar, this.cancelAll.el, this.body);
    this.buttons = new Map(
      FILTERS.map(([key, word]) => [
        key,
        h("button", { type: "button", class: "filter", onclick: () => this.choose(key) }, word),
      ]),
    );
    refill(this.bar, [...this.buttons.values()]);
    this.rows = new Keyed({
      key: (task) => task.task_id,
      make: () => h("li"),
      draw: (el, task) => this.drawRow(el, task),
      look: (task) => (isOpen(task) ? "open" : `${task.state} ${knownResult(this.store, task.task_id) !== undefined}`),
    });
    this.states = new Map(); // task_id -> the state of an open task that is shown
    this.sections = new Keyed({
      key: (section) => section.key,
      make: () => h("section", null, h("h3"), h("ul", { class: "bare" })),
      draw: (el, { title }) => {
        refill(el.firstChild, title);
        el.firstChild.hidden = !title;
      },
      look: ({ title }) => title,
    });
  }

  choose(key) {
    this.only = key;
    this.room = ROOM;
    this.render();
  }

  /** Whether a task has each searched word: in its name, its function, its id, its parameters or its message. */
  finder() {
    const terms = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!terms.length) return () => true;
    return (task) => {
      const words = excerpt(this.store.asked.get(task.call_id)?.params);
      const { name, function: fn, task_id: id, message } = task;
      const text = [name, humanise(name), fn, humanise(fn), words, message].join(" ").toLowerCase();
      return terms.every((term) => text.includes(term) || (term.length >= ID_PART && id.includes(term)));
    };
  }

  render() {
    const known = this.store.tasks.size;
    const all = [...this.store.open(), ...this.store.finished()].filter(this.finder());
    const waits = [...this.store.open()].some((task) => task.state !== "running");
    for (const [key, word, fits] of FILTERS) {
      const button = this.buttons.get(key);
      button.setAttribute("aria-pressed", String(key === this.only));
      button.hidden = key === "waiting" && !waits && this.only !== key;
      refill(button, word, h("span", { class: "n" }, String(all.filter(fits).length)));
    }
    const fits = FILTERS.find(([key]) => key === this.only)[2];
    const open = all.filter((task) => isOpen(task) && fits(task));
    const ended = all.filter((task) => !isOpen(task) && fits(task));
    const title = open.every((task) => task.state === "running") ? "Running" : "Running and waiting";
    const shown = ended.slice(0, this.room);
    const hidden = ended.length > shown.length || (known >= FIRST && !this.readAll);
    this.search.hidden = known < FEW && !this.search.value;
    this.cancelAll.show(open);
    const sections = [
      ...(open.length ? [{ key: "open", title: this.only === "all" ? title : "", tasks: open }] : []),
      ...byDay(shown),
    ];
    for (const task of open) this.cards.get(task.task_id)?.update(task);
    this.rows.elements([...open, ...shown]);
    const els = this.sections.elements(sections);
    // The row of a task that has just ended moves to another list. Its new list is in the document and takes the row before
    // its old list loses it, so that the row keeps the focus.
    this.body.append(...els.filter((el) => !el.isConnected));
    for (const index of sections.keys())
      reconcile(
        els.at(-1 - index).lastChild,
        sections.at(-1 - index).tasks.map((task) => this.rows.element(task)),
      );
    this.states = new Map(open.map((task) => [task.task_id, task.state]));
    const idle = this.only === "all" && !open.length && ended.length > 0;
    refill(
      this.body,
      idle && h("p", { class: "help" }, "Nothing runs right now."),
      els,
      !open.length && !ended.length && this.nothing(known),
      hidden && this.olderButton,
    );
  }

  nothing(known) {
    if (known && this.search.value)
      return h("p", { class: "nothing" }, "No task matches. Try other words, or load older tasks.");
    if (known) return h("p", { class: "nothing" }, "No task is in this state.");
    return h(
      "div",
      { class: "nothing" },
      h("strong", null, "No tasks yet"),
      h(
        "span",
        null,
        "Tasks of background functions appear here with their progress. They continue when you close the page.",
      ),
    );
  }

  async older() {
    this.room += MORE;
    if (!this.readAll) {
      try {
        const { tasks } = await get(`v1/tasks?limit=${MORE}`);
        for (const task of tasks) this.store.keep(task);
        this.readAll = true;
      } catch (error) {
        this.render();
        this.body.append(h("p", { class: "form-error", role: "alert" }, explain(error)));
        if (isLost(error)) onceReachable(() => this.render());
        return;
      }
    }
    this.render();
  }

  /** Shows an open question, on the card of its task. */
  revealQuestion(task, questionId) {
    this.search.value = "";
    this.choose("all");
    return this.card(task).ask(questionId, this.reveal.questionsOf);
  }

  updateQuestions(task) {
    this.cards.get(task.task_id)?.updateQuestions();
    this.asked.get(task.task_id)?.update();
  }

  card(task) {
    const known = this.cards.get(task.task_id);
    const card =
      known ??
      new TaskCard(this.store, task, this.reveal.outcome, {
        showCall: this.reveal.call,
        details: this.reveal.details,
      });
    card.update(task);
    this.cards.set(task.task_id, card);
    return card;
  }

  /** A change of one task: progress in place, another state redraws. */
  update(task) {
    const card = this.cards.get(task.task_id);
    if (card && isOpen(task) && this.states.get(task.task_id) === task.state) card.update(task);
    else this.render();
  }

  drawRow(el, task) {
    const held = el.contains(document.activeElement);
    if (!isOpen(task)) {
      this.cards.get(task.task_id)?.stop();
      this.cards.delete(task.task_id);
    }
    refill(el, isOpen(task) ? this.card(task).el : this.endedRow(task));
    // the controls of a running task are gone: its row keeps the focus
    if (held && !el.contains(document.activeElement)) el.querySelector("summary")?.focus();
  }

  endedRow(task) {
    const result = knownResult(this.store, task.task_id);
    const { word, tone, icon: sign } = endLabel(task, result?.error_code);
    const text = result?.error ?? result?.summary ?? "";
    const words = excerpt(this.store.asked.get(task.call_id)?.params);
    const asked = task.durable ? this.reveal.askedBy(task) : null;
    if (asked) this.asked.set(task.task_id, asked);
    const row = h(
      "details",
      { class: "ended-task", open: this.open.has(task.task_id) },
      h(
        "summary",
        null,
        h("span", { class: `tile ${tone}`, "aria-hidden": "true" }, icon(sign)),
        h("span", { class: "task-name" }, humanise(task.name)),
        h(
          "time",
          { class: "when", datetime: task.created_at, title: zonedTime(task.created_at) },
          time(task.created_at),
        ),
        h("span", { "aria-hidden": "true", class: "unfold-place" }, unfold()),
        h(
          "span",
          { class: "gist" },
          h("span", { class: `state ${tone}` }, word),
          text && ` · ${shortened(plainWords(text), GIST)}`,
        ),
      ),
      h(
        "div",
        { class: "ended-body" },
        h("span", { class: `chip ${tone}` }, icon(sign), endedWords(word, task)),
        outcomeBody(result, task.app_id),
        asked?.el,
        words && h("p", { class: "task-words", dir: "auto" }, words),
        h(
          "p",
          { class: "help" },
          h("code", null, task.function),
          ` · started ${fullTime(task.created_at)} · `,
          h("code", { title: `task ${task.task_id}` }, shortId(task.task_id)),
        ),
        h(
          "button",
          { type: "button", class: "link", onclick: () => this.reveal.outcome(task.task_id) },
          "Show in the chat",
        ),
        task.durable &&
          h("button", { type: "button", class: "link", onclick: () => this.reveal.details(task) }, "Details"),
      ),
    );
    row.addEventListener("toggle", () => {
      if (!row.open) return this.open.delete(task.task_id);
      this.open.add(task.task_id);
      asked?.read();
      if (!result) this.readResult(task);
    });
    return row;
  }

  /** Loads the result of an unfolded task whose outcome turn is not loaded. */
  async readResult(task) {
    try {
      if (await loadResult(task.task_id)) this.update(task);
    } catch {
      // the row shows how it ended; unfolding it again retries
    }
  }
}

function byDay(tasks) {
  const days = [];
  for (const task of tasks) {
    const key = dayKey(task.created_at);
    if (days.at(-1)?.key !== key) {
      const name = dayName(task.created_at);
      const title = `Ended, ${name === "Today" || name === "Yesterday" ? name.toLowerCase() : name}`;
      days.push({ key, title, tasks: [] });
    }
    days.at(-1).tasks.push(task);
  }
  return days;
}

function unfold() {
  const el = icon("chevron");
  el.classList.add("unfold");
  return el;
}
