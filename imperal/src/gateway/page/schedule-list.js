// The tab "Schedules" of the activity panel: the filters, the rows, the state without any, and the key that pauses a row. Owns which
// rows are shown and when their times are drawn again; one row is schedule-row.js, the data schedules.js.

import { explain } from "./action-error.js";
import { onceReachable, serverNow } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { ScheduleRow } from "./schedule-row.js";

const TICK_MS = 15_000; // for "in 12 min"
const OVERDUE_MS = 3000; // a time that passed and brought no turn: the list is read again

const FILTERS = [
  ["all", "All", () => true],
  ["active", "Active", ({ state }) => state === "active"],
  ["paused", "Paused", ({ state }) => state === "paused"],
  ["needs_you", "Needs you", ({ state }) => state === "needs_you"],
  ["ended", "Ended", ({ state }) => state === "ended"],
];

export class ScheduleList {
  /** `acts` are those of a row, and create(). `keysOn()` tells whether single keys work. */
  constructor(schedules, { acts, keysOn }) {
    Object.assign(this, { schedules, acts, keysOn });
    this.only = "all";
    this.rows = new Map(); // id -> its row
    this.create = h(
      "button",
      { type: "button", class: "secondary small new-schedule", onclick: () => acts.create() },
      icon("plus"),
      "New",
      h("span", { class: "hidden" }, " schedule"),
    );
    this.buttons = new Map(
      FILTERS.map(([key, word]) => [
        key,
        h("button", { type: "button", class: "filter", onclick: () => this.choose(key) }, word),
      ]),
    );
    this.bar = h(
      "div",
      { class: "filters", role: "group", "aria-label": "Which schedules" },
      [...this.buttons.values()],
      this.create,
    );
    this.error = h("div", { role: "alert" });
    this.list = h("ul", { class: "schedule-rows bare", "aria-label": "Schedules" });
    this.none = h("div");
    this.el = h("div", { class: "schedule-list" }, this.bar, this.error, this.list, this.none);
    this.el.addEventListener("keydown", (event) => this.onKey(event));
    schedules.on(() => this.isShown && this.draw());
    setInterval(() => this.isShown && this.tick(), TICK_MS);
  }

  get isShown() {
    return this.el.checkVisibility?.() ?? this.el.offsetParent !== null;
  }

  /** The tab is shown. */
  render() {
    this.draw();
    this.schedules.load();
  }

  choose(key) {
    this.only = key;
    this.draw();
  }

  draw() {
    const { all, error } = this.schedules;
    this.showError(error);
    this.bar.hidden = !all?.length;
    if (!all) return refill(this.none, !error && h("p", { class: "help" }, "Loading…"));
    for (const [key, word, fits] of FILTERS) {
      const [button, n] = [this.buttons.get(key), all.filter(fits).length];
      button.setAttribute("aria-pressed", String(key === this.only));
      button.hidden = !n && key !== "all" && key !== this.only;
      refill(button, word, h("span", { class: "n" }, String(n)));
    }
    const fits = FILTERS.find(([key]) => key === this.only)[2];
    const shown = all.filter(fits);
    for (const id of this.rows.keys()) if (!all.some((one) => one.id === id)) this.rows.delete(id);
    refill(
      this.list,
      shown.map((schedule) => this.row(schedule).el),
    );
    this.list.hidden = !shown.length;
    refill(this.none, !shown.length && this.nothing(all));
  }

  row(schedule) {
    const known = this.rows.get(schedule.id);
    if (known) {
      known.update(schedule);
      return known;
    }
    const row = new ScheduleRow(this.schedules, schedule, { ...this.acts, gone: () => this.afterGone() });
    this.rows.set(schedule.id, row);
    return row;
  }

  nothing(all) {
    if (all.length) return h("p", { class: "nothing" }, "No schedule is in this state.");
    return h(
      "div",
      { class: "nothing" },
      h("strong", null, "Nothing repeats yet."),
      h("span", null, "Open a function and choose Repeat."),
      h(
        "button",
        { type: "button", class: "secondary small", onclick: () => this.acts.create() },
        icon("plus"),
        "New schedule",
      ),
    );
  }

  showError(error) {
    this.forget?.();
    const words = error && explain(error, "The schedules are shown when it answers.");
    refill(this.error, error && h("p", { class: "form-error" }, icon("alert"), h("span", null, words)));
    if (!error) return;
    this.forget = onceReachable(() => this.schedules.load());
  }

  /** A row that had the focus is gone: the focus goes to the next one. */
  afterGone() {
    const row = this.list.querySelector(".schedule");
    (row ?? this.none.querySelector("button"))?.focus();
  }

  tick() {
    const now = serverNow();
    for (const row of this.rows.values()) row.tick();
    const isOverdue = ({ state, next_at: next }) => state === "active" && Date.parse(next) < now - OVERDUE_MS;
    // no turn tells that the server has noticed the end of a run
    if (this.schedules.all?.some((one) => isOverdue(one) || one.running)) this.schedules.load();
  }

  /** Shows a schedule; with `focus` its row gets the focus. */
  reveal(id, focus) {
    this.only = "all";
    this.draw();
    const row = this.rows.get(id);
    if (!row) return;
    row.el.scrollIntoView({ block: "nearest" });
    if (focus) row.el.focus({ preventScroll: true });
    row.el.classList.remove("flash");
    void row.el.offsetWidth; // restarts the animation when the same row is shown twice
    row.el.classList.add("flash");
  }

  /** `p` pauses or resumes the row with the focus. */
  onKey(event) {
    if (event.key !== "p" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const el = event.target.closest?.(".schedule");
    if (!el || !this.keysOn() || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    this.rows.get(el.dataset.schedule)?.flip();
  }
}
