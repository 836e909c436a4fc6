// What a schedule that is being written would do: its words, its next times, and what the changes of clocks do to them. Owns when
// the server is asked, and what screen readers hear of it: one sentence, once a person has stopped changing.

import { explain } from "./action-error.js";
import { serverNow } from "./api.js";
import { h, icon, refill, setText } from "./dom.js";
import { count } from "./format.js";
import { here, longIn, shortIn, spokenUntil, untilWords } from "./schedule-times.js";

const WAIT_MS = 700; // after the last change
const COUNT = 6; // times that are asked for
const SHOWN = 3;

/** `Every day at 08:00`. */
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** `Europe/Berlin` -> `Europe Berlin`, as it is read aloud. */
export const spokenZone = (zone) => zone.replaceAll("/", " ").replaceAll("_", " ");

export class SchedulePreview {
  /** `request()` returns what to ask, or `{problem}`; `ask(request)` asks; `refused(error)` shows an error at a field, if it can. */
  constructor({ request, ask, refused }) {
    Object.assign(this, { request, ask, refused });
    this.box = h("div", { class: "schedule-preview" });
    this.status = h("p", { class: "hidden", role: "status" });
    this.el = h("div", null, this.box, this.status);
    this.asked = 0;
  }

  soon() {
    this.stop();
    this.timer = setTimeout(() => this.now(), WAIT_MS);
  }

  stop() {
    clearTimeout(this.timer);
    this.asked += 1; // the answer to an earlier question is of other choices
  }

  async now() {
    this.stop();
    const [turn, body] = [this.asked, this.request()];
    this.answer = null;
    if (body.problem) return this.empty(body.problem);
    try {
      const answer = await this.ask({ ...body, count: COUNT });
      if (turn !== this.asked) return;
      this.answer = answer;
      this.draw(answer);
    } catch (error) {
      if (turn === this.asked)
        this.empty(this.refused(error) ? "" : explain(error, "The times are shown when it answers."));
    }
  }

  empty(words) {
    refill(this.box, words && h("p", { class: "help" }, words));
  }

  draw({ words, zone, next, notes = [] }) {
    const [first, ...others] = next;
    const time = ({ at }) =>
      h("time", { datetime: at, title: here(at, zone) || null }, shortIn(at, zone), localNote(at, zone));
    const rest = others.slice(SHOWN - 1);
    refill(
      this.box,
      h("p", null, h("strong", null, `Runs ${words}`), ` ${zone}.`),
      first
        ? h("p", { class: "next-time" }, h("span", { class: "muted" }, "Next "), time(first), ` ${untilOf(first)}`)
        : h("p", { class: "next-time" }, "It has no time at which it would run."),
      others.length > 0 &&
        h(
          "ul",
          { class: "bare next-times" },
          others.slice(0, SHOWN - 1).map((one) => h("li", null, time(one))),
        ),
      rest.length > 0 &&
        h(
          "details",
          null,
          h("summary", null, `${rest.length} more`),
          h(
            "ul",
            { class: "bare next-times" },
            rest.map((one) => h("li", null, time(one))),
          ),
        ),
      notes.map(({ text }) => h("p", { class: "clock-note" }, icon("info"), h("span", null, text))),
    );
    setText(this.status, spoken({ words, zone, first, notes }));
  }
}

const untilOf = ({ at }) => untilWords(Date.parse(at) - serverNow());

const localNote = (at, zone) => {
  const own = here(at, zone);
  return own && h("span", { class: "muted" }, ` (${own})`);
};

function spoken({ words, zone, first, notes }) {
  const parts = [`${sentence(words)}, ${spokenZone(zone)}.`];
  parts.push(
    first
      ? `Next: ${longIn(first.at, zone)}, ${spokenUntil(Date.parse(first.at) - serverNow())}.`
      : "It has no time at which it would run.",
  );
  if (notes.length) parts.push(`${count(notes.length, "note")} about clock changes.`);
  return parts.join(" ");
}
