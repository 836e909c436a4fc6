// The part of the schedule dialog that says when: how often, at which times, in which zone, from when and until when. Owns its
// controls and the errors at them. What the choices mean is schedule-rule.js, the zone zone-box.js.

import { h, icon, newId, refill } from "./dom.js";
import { RuleProblem, UNITS, WEEK, firstRule, ruleOf, whenOf } from "./schedule-rule.js";
import { dateIn, endOfDay, startOfDay } from "./schedule-times.js";
import { ZoneBox, ownZone } from "./zone-box.js";

const KINDS = [
  ["day", "Day"],
  ["weekday", "Weekday"],
  ["week", "Week"],
  ["month", "Month"],
  ["every", "Every…"],
];
const MOST_TIMES = 24;

/** The parts of the API in which errors are told, and the places that show them. */
const PLACES = { zone: "zone", starts_at: "starts", ends_at: "ends", max_runs: "ends" };

export class ScheduleWhen {
  /** `changed()` is called after each change. */
  constructor({ changed }) {
    this.changed = changed;
    this.errors = new Map();
    this.kinds = radios(KINDS, (kind) => this.pick(kind));
    this.places = h("div", { class: "schedule-parts" });
    this.cron = this.cronBox();
    this.zone = new ZoneBox({ label: "Time zones", value: ownZone(), changed: () => this.edited("zone") });
    this.starts = h("input", { type: "date", id: newId("starts"), onchange: () => this.edited("starts") });
    this.ends = this.endFields();
    this.el = h(
      "div",
      { class: "schedule-when" },
      this.row("kind", "How often", this.kinds.el),
      this.places,
      this.row("zone", "Time zone", this.zone.el, this.zone.input.id),
      this.row(
        "starts",
        "Starts",
        h("div", { class: "inline" }, this.starts, help("Today if it is empty.")),
        this.starts.id,
      ),
      this.row("ends", "Ends", this.ends.el),
    );
    this.write({ rule: firstRule(), zone: ownZone(), starts: "", ends: { kind: "never", date: "", runs: "" } });
  }

  /** A labelled control, or a group of them, with the place of its error. */
  row(part, label, control, forId) {
    const error = h("p", { class: "field-error", id: newId("error"), role: "alert", hidden: true });
    const el = forId
      ? h("div", { class: "field schedule-row" }, h("label", { class: "label", for: forId }, label), control, error)
      : h("fieldset", { class: "field schedule-row" }, h("legend", { class: "label" }, label), control, error);
    this.errors.set(part, { el, error });
    for (const input of control.matches?.("input") ? [control] : control.querySelectorAll("input, select"))
      describedBy(input, error.id);
    return el;
  }

  cronBox() {
    const input = h("input", {
      type: "text",
      id: newId("cron"),
      class: "code",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "0 8 * * 1-5",
      oninput: () => this.edited("cron"),
    });
    const about = help(
      "Minute, hour, day of the month, month, day of the week (0 is Sunday). Also @daily, @hourly, @weekly.",
    );
    about.id = newId("help");
    input.setAttribute("aria-describedby", about.id);
    return { input, about };
  }

  endFields() {
    const date = h("input", { type: "date", "aria-label": "Last day", onchange: () => this.chose("on") });
    const runs = h("input", {
      type: "text",
      inputmode: "numeric",
      class: "number",
      "aria-label": "Number of runs",
      oninput: () => this.chose("after"),
    });
    const kinds = radios(
      [
        ["never", "never"],
        ["on", ["on", date]],
        ["after", ["after", runs, "runs"]],
      ],
      () => this.edited("ends"),
    );
    return { ...kinds, date, runs };
  }

  chose(kind) {
    this.ends.write(kind);
    this.edited("ends");
  }

  edited(part) {
    this.clear(part);
    this.changed();
  }

  /** Another kind of rule: its controls, with what was chosen before. */
  pick(kind) {
    this.rule = { ...this.rule, kind };
    this.draw();
    this.changed();
  }

  draw() {
    const { kind } = this.rule;
    const parts = [];
    if (kind === "week") parts.push(this.row("days", "On", this.weekdays()));
    if (kind === "month") parts.push(this.dateRow());
    if (kind === "every") parts.push(this.everyRow());
    if (kind === "cron") {
      this.cron.input.value = this.rule.cron;
      parts.push(this.row("cron", "Cron expression", this.cron.input, this.cron.input.id), this.cron.about);
    }
    if (!["every", "cron"].includes(kind)) parts.push(this.row("times", "At", this.timeList()));
    refill(this.places, parts);
  }

  weekdays() {
    const box = ([day, name]) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: this.rule.days.includes(day),
          onchange: (event) => {
            const days = WEEK.map(([one]) => one).filter((one) =>
              one === day ? event.target.checked : this.rule.days.includes(one),
            );
            this.rule = { ...this.rule, days };
            this.edited("days");
          },
        }),
        h("span", null, name),
      );
    return h("div", { class: "boxes" }, WEEK.map(box));
  }

  dateRow() {
    const input = this.text("date", "Day of the month");
    return this.row(
      "date",
      "On day",
      h("div", { class: "inline" }, input, help("Months without this day are left out.")),
      input.id,
    );
  }

  everyRow() {
    const input = this.text("every", "Number");
    const unit = h(
      "select",
      {
        "aria-label": "Unit",
        onchange: () => ((this.rule = { ...this.rule, unit: unit.value }), this.edited("every")),
      },
      Object.keys(UNITS).map((one) => h("option", { value: one, selected: one === this.rule.unit }, one)),
    );
    return this.row("every", "Every", h("div", { class: "inline" }, input, unit), input.id);
  }

  text(part) {
    return h("input", {
      type: "text",
      inputmode: "numeric",
      class: "number",
      id: newId(part),
      autocomplete: "off",
      value: this.rule[part],
      oninput: (event) => {
        this.rule = { ...this.rule, [part]: event.target.value };
        this.edited(part);
      },
    });
  }

  timeList() {
    const { times } = this.rule;
    const set = (next) => (this.rule = { ...this.rule, times: next });
    const one = (value, index) =>
      h(
        "span",
        { class: "time-entry" },
        h("input", {
          type: "time",
          value,
          "aria-label": times.length > 1 ? `Time ${index + 1}` : "Time",
          oninput: (event) => {
            set(this.rule.times.map((time, at) => (at === index ? event.target.value : time)));
            this.edited("times");
          },
        }),
        times.length > 1 &&
          h(
            "button",
            {
              type: "button",
              class: "icon-button",
              "aria-label": `Remove ${value || `time ${index + 1}`}`,
              onclick: () => this.redraw(set(times.filter((_, at) => at !== index))),
            },
            icon("close"),
          ),
      );
    const add = h(
      "button",
      { type: "button", class: "quiet small", onclick: () => this.redraw(set([...times, later(times.at(-1))])) },
      icon("plus"),
      "another time",
    );
    return h("div", { class: "times" }, times.map(one), times.length < MOST_TIMES && add);
  }

  redraw() {
    this.draw();
    const inputs = this.places.querySelectorAll("input[type=time]");
    inputs[inputs.length - 1]?.focus();
    this.changed();
  }

  /** What is chosen, as it can be kept: `{rule, zone, starts, ends}`. */
  state() {
    const rule = this.rule.kind === "cron" ? { ...this.rule, cron: this.cron.input.value } : this.rule;
    const ends = { kind: this.ends.read(), date: this.ends.date.value, runs: this.ends.runs.value };
    return { rule, zone: this.zone.value, starts: this.starts.value, ends };
  }

  write({ rule, zone, starts, ends }) {
    this.rule = { ...firstRule(), ...rule };
    this.zone.write(zone);
    this.starts.value = starts;
    this.ends.write(ends.kind);
    this.ends.date.value = ends.date;
    this.ends.runs.value = ends.runs;
    this.kinds.write(this.rule.kind);
    this.draw();
    this.clearAll();
  }

  /** Shows the cron expression of what is chosen, or the choices again if they have the expression. */
  toggleCron() {
    const { rule } = this.state();
    if (rule.kind === "cron") this.rule = ruleOf({ cron: rule.cron.trim().replace(/\s+/g, " ") });
    else this.rule = { ...rule, kind: "cron", cron: whenOrEmpty(rule).cron ?? rule.cron };
    if (rule.kind === "cron" && this.rule.kind === "cron") this.rule = { ...rule, kind: "day" };
    this.kinds.write(this.rule.kind);
    this.draw();
    (this.isCron ? this.cron.input : this.kinds.focusable()).focus();
    this.changed();
  }

  get isCron() {
    return this.rule.kind === "cron";
  }

  /** The request's part: `{when, zone, starts_at, ends_at, max_runs}`. Problems are `{part, message}`. */
  read(problems) {
    const { rule, zone, starts, ends } = this.state();
    const out = { zone };
    if (!zone) problems.push({ part: "zone", message: "Choose a time zone." });
    try {
      out.when = whenOf(rule);
    } catch (problem) {
      if (!(problem instanceof RuleProblem)) throw problem;
      problems.push({ part: problem.part, message: problem.message });
    }
    if (starts) out.starts_at = startOfDay(starts, zone);
    if (ends.kind === "on" && ends.date) out.ends_at = endOfDay(ends.date, zone);
    else if (ends.kind === "on") problems.push({ part: "ends", message: "Choose the last day." });
    if (ends.kind === "after" && /^[1-9]\d{0,5}$/.test(ends.runs.trim())) out.max_runs = Number(ends.runs);
    else if (ends.kind === "after") problems.push({ part: "ends", message: "Write how many runs, 1 or more." });
    return out;
  }

  /** The place of a part of the API, as far as it is on the screen; else undefined. */
  placeOf(field) {
    if (!["when", "cron", "every_seconds"].includes(field)) return PLACES[field];
    return ["cron", "every", "times"].find((part) => this.places.contains(this.errors.get(part)?.el));
  }

  fail(part, message, focus = false) {
    const { el, error } = this.errors.get(part);
    refill(error, icon("alert"), h("span", null, message));
    error.hidden = false;
    el.classList.add("bad");
    const inputs = [...el.querySelectorAll("input")];
    const at = part === "ends" ? [this.ends.date, this.ends.runs].find((one) => one === this.badEnd()) : inputs[0];
    for (const input of part === "ends" ? [at ?? inputs[0]] : inputs) input.setAttribute("aria-invalid", "true");
    if (focus) (at ?? inputs[0])?.focus();
  }

  badEnd() {
    return this.ends.read() === "on" ? this.ends.date : this.ends.runs;
  }

  clear(part) {
    const place = this.errors.get(part);
    if (!place) return;
    place.error.hidden = true;
    place.el.classList.remove("bad");
    for (const input of place.el.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }

  clearAll() {
    for (const part of this.errors.keys()) this.clear(part);
  }
}

/** What a stored schedule has, as state() returns it. */
export function stateOf({ when, zone, starts_at: starts, ends_at: ends, max_runs: runs }) {
  const kind = ends ? "on" : runs ? "after" : "never";
  return {
    rule: when ? ruleOf(when) : firstRule(),
    zone,
    starts: starts ? dateIn(starts, zone) : "",
    ends: { kind, date: ends ? dateIn(ends, zone) : "", runs: runs ? String(runs) : "" },
  };
}

const help = (text) => h("p", { class: "help" }, text);

function describedBy(input, id) {
  const known = input.getAttribute("aria-describedby");
  if (!known?.split(" ").includes(id)) input.setAttribute("aria-describedby", [known, id].filter(Boolean).join(" "));
}

function whenOrEmpty(rule) {
  try {
    return whenOf(rule);
  } catch {
    return {};
  }
}

/** Twelve hours after a time, with its minutes. */
function later(time) {
  const [hour, minute] = (time || "08:00").split(":");
  return `${String((Number(hour) + 12) % 24).padStart(2, "0")}:${minute}`;
}

function radios(options, chosen) {
  const name = newId("radios");
  const boxes = options.map(([value]) =>
    h("input", { type: "radio", name, value, onchange: (event) => chosen(event.target.value) }),
  );
  const rows = options.map(([, content], index) => {
    const [words, ...more] = [content].flat();
    const label = h("label", { class: "check" }, boxes[index], h("span", null, words));
    return more.length ? h("span", { class: "inline" }, label, more) : label;
  });
  return {
    el: h("div", { class: "choices" }, rows),
    read: () => boxes.find((box) => box.checked)?.value,
    write: (value) => boxes.forEach((box) => (box.checked = box.value === value)),
    focusable: () => boxes.find((box) => box.checked) ?? boxes[0],
  };
}
