// One schedule in the activity panel: what it does, when it runs next, how its latest runs went, and what a person can do. Owns its
// buttons, which stay the same elements over all changes, and the way back after a pause. The words are schedule-words.js.

import { ErrorLine } from "./action-error.js";
import { say } from "./announcer.js";
import { serverNow } from "./api.js";
import { h, icon, refill, setText } from "./dom.js";
import { zonedTime } from "./format.js";
import { MenuButton } from "./menu-button.js";
import { line } from "./prose.js";
import { ScheduleRuns } from "./schedule-runs.js";
import {
  dots,
  endedWords,
  lastWords,
  leftOutWords,
  nextWords,
  pastRuns,
  pausedWords,
  resumedWords,
  rowName,
  ruleWords,
  stateLabel,
} from "./schedule-words.js";

const hidden = (words) => h("span", { class: "hidden" }, words);

/** What a person can do about a schedule that needs them, by the code of its reason. */
const WAYS = {
  params_invalid: ["edit", "Open form"],
  approval_needed: ["edit", "Review and allow…"],
  schedule_invalid: ["edit", "Edit"],
  function_gone: ["delete", "Delete…"],
  unreadable: ["delete", "Delete…"],
};

export class ScheduleRow {
  /** `acts` has edit, duplicate, confirm, reveal(call_id), has(app_id, function), gone(schedule) and userId. */
  constructor(schedules, schedule, acts) {
    Object.assign(this, { schedules, acts, undoOf: null });
    this.title = h("h3", { class: "schedule-name", dir: "auto" });
    this.chip = h("span");
    this.toggle = h("button", { type: "button", class: "secondary small", onclick: () => this.flip() });
    this.menu = new MenuButton({ label: `More about ${schedule.name}`, items: () => this.items() });
    this.rule = h("p", { class: "schedule-rule" });
    this.next = h("p", { class: "help" });
    this.note = h("div", { class: "schedule-note" });
    this.runs = new ScheduleRuns({
      name: schedule.name,
      read: () => schedules.runsOf(schedule.id),
      reveal: (callId) => acts.reveal(callId),
    });
    this.latest = h("p", { class: "schedule-latest" });
    this.more = h("button", {
      type: "button",
      class: "link",
      "aria-expanded": "false",
      "aria-controls": this.runs.el.id,
      onclick: () => this.showRuns(this.runs.el.hidden),
    });
    this.leftOut = h("p", { class: "help" });
    this.error = new ErrorLine();
    this.article = h(
      "article",
      null,
      h(
        "div",
        { class: "schedule-head" },
        h("div", { class: "schedule-title" }, this.title, this.chip),
        h("span", { class: "schedule-acts" }, this.toggle, this.menu.el),
      ),
      this.rule,
      this.next,
      this.note,
      h("div", { class: "schedule-history" }, this.latest, this.more),
      this.leftOut,
      this.error.el,
      this.runs.el,
    );
    this.el = h("li", { class: "schedule", "data-schedule": schedule.id, tabindex: "-1" }, this.article);
    this.update(schedule);
  }

  update(schedule) {
    const hasRun = this.schedule && this.schedule.counts?.runs !== schedule.counts?.runs;
    this.schedule = schedule;
    const { name, state } = schedule;
    const label = stateLabel(schedule);
    setText(this.title, name);
    this.el.dataset.state = state;
    this.chip.className = `chip ${label.tone}`;
    this.chip.hidden = state === "active" && !schedule.running;
    refill(this.chip, label.icon && icon(label.icon), label.word);
    this.showToggle();
    this.menu.button.setAttribute("aria-label", `More about ${name}`);
    setText(this.rule, ruleWords(schedule));
    this.showNote();
    const latest = lastWords(schedule);
    refill(
      this.latest,
      dots(schedule.recent),
      latest && h("span", { title: zonedTime(schedule.last_run.at) }, ` last: ${latest}`),
    );
    refill(this.more, this.runs.el.hidden ? "Runs" : "Hide runs", hidden(` of ${name}`));
    this.more.hidden = !schedule.counts?.runs && !schedule.counts?.skipped;
    setText(this.leftOut, leftOutWords(schedule));
    this.leftOut.hidden = !this.leftOut.textContent;
    this.tick();
    if (hasRun) this.runs.load();
  }

  /** The words that change with the time alone. */
  tick() {
    const now = serverNow();
    const next = nextWords(this.schedule, now);
    setText(this.next, next);
    this.next.hidden = !next;
    const name = rowName(this.schedule, now);
    if (this.article.getAttribute("aria-label") !== name) this.article.setAttribute("aria-label", name);
  }

  showToggle() {
    const { name, state } = this.schedule;
    const isActive = state === "active";
    this.toggle.hidden = state === "ended" || (state === "needs_you" && Boolean(this.way()));
    refill(this.toggle, icon(isActive ? "pause" : "play"), isActive ? "Pause" : "Resume", hidden(` ${name}`));
  }

  /** The way out of the state `needs_you`, if it is not to resume. */
  way() {
    const { reason, app_id: appId, function: fn } = this.schedule;
    const way = WAYS[reason?.code];
    return way?.[0] === "edit" && !this.acts.has(appId, fn) ? WAYS.function_gone : way;
  }

  showNote() {
    const { schedule } = this;
    const { name, state, running, version } = schedule;
    const act = (words, does) =>
      h("button", { type: "button", class: "link", onclick: does }, words, hidden(` ${name}`));
    const parts = [];
    if (running)
      parts.push(
        h(
          "p",
          { class: "help" },
          running.state === "waiting" ? "It waits for your answer, and does not run again before. " : "It runs now. ",
          running.call_id && act("See it", () => this.acts.reveal(running.call_id)),
        ),
      );
    if (state === "paused")
      parts.push(
        this.undoOf === version
          ? h(
              "p",
              null,
              "Paused. ",
              act("Undo", () => this.resume()),
            )
          : h("p", { class: "help" }, pausedWords(schedule, this.acts.userId)),
      );
    if (state === "ended") parts.push(h("p", { class: "help" }, endedWords(schedule)));
    if (state === "needs_you") {
      const way = this.way();
      const last = schedule.last_run;
      const isFailing = schedule.reason?.code === "failing" && last?.call_id;
      parts.push(
        h(
          "div",
          { class: "schedule-reason" },
          icon("alert"),
          h("p", { dir: "auto" }, line(schedule.reason?.text ?? "It stopped.")),
          h(
            "p",
            { class: "inline" },
            way && act(way[1], () => (way[0] === "edit" ? this.acts.edit(schedule) : this.remove())),
            isFailing && act("See the last run", () => this.acts.reveal(last.call_id)),
          ),
        ),
      );
    }
    refill(this.note, parts);
  }

  items() {
    const { schedule, acts } = this;
    const known = acts.has(schedule.app_id, schedule.function);
    return [
      schedule.state === "active" && !schedule.running && { word: "Run now", sign: "again", act: () => this.run() },
      known && { word: "Edit", sign: "edit", act: () => acts.edit(schedule) },
      {
        word: this.runs.el.hidden ? "Runs" : "Hide runs",
        sign: "tasks",
        act: () => this.showRuns(this.runs.el.hidden),
      },
      known && { word: "Duplicate", sign: "copy", act: () => acts.duplicate(schedule) },
      { word: "Delete…", sign: "trash", danger: true, act: () => this.remove() },
    ];
  }

  showRuns(is) {
    this.more.setAttribute("aria-expanded", String(is));
    this.runs.show(is);
    this.update(this.schedule);
  }

  /** Pauses or resumes, as its button. */
  flip() {
    if (this.toggle.hidden) return undefined;
    return this.schedule.state === "active" ? this.pause() : this.resume();
  }

  pause() {
    return this.work(async () => {
      const paused = await this.schedules.act(this.schedule.id, "pause");
      this.undoOf = paused.version;
      this.update(paused);
      say(`${paused.name} paused.`);
    });
  }

  resume() {
    return this.work(async () => {
      const resumed = await this.schedules.act(this.schedule.id, "resume");
      say(resumedWords(resumed));
      this.toggle.focus();
    });
  }

  run() {
    return this.work(async () => {
      const { name } = await this.schedules.act(this.schedule.id, "run");
      say(`${name} runs now.`);
    });
  }

  async remove() {
    const { schedule } = this;
    const question = {
      title: [icon("trash"), `Delete ${schedule.name}?`],
      about: h(
        "p",
        null,
        `It does not run any more. ${schedule.counts?.runs ? `Its ${pastRuns(schedule)} stay${schedule.counts.runs === 1 ? "s" : ""} in the chat.` : ""}`,
      ),
      no: "Keep it",
      yes: "Delete",
      danger: true,
    };
    if (!(await this.acts.confirm(question))) return this.menu.button.focus();
    return this.work(async () => {
      await this.schedules.drop(schedule.id);
      say(`${schedule.name} is deleted.`);
      this.acts.gone(schedule);
    });
  }

  /** One change at a time, with its error at the row. */
  async work(act) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.toggle.setAttribute("aria-disabled", "true");
    this.error.clear();
    try {
      await act();
    } catch (error) {
      this.error.show(error, "Try again.");
    }
    this.isBusy = false;
    this.toggle.removeAttribute("aria-disabled");
  }
}
