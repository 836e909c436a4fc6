// The audit trail in the activity panel: sentences about each row, with the row's own fields below. Owns its rows, the
// filters, and the check of the hash chain; the sentences are audit-words.js.

import { explain, isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { auditWords } from "./audit-words.js";
import { count, dayKey, dayName, humanise, time, zonedTime } from "./format.js";

const OUTCOMES = { done: ["Done", "plain"], refused: ["Refused", "bad"], critical: ["Critical", "bad"] };
const PAGE = 500;
const ROOM = 200;

export class Audit {
  /**
   * `reveal` has turn(id) and task(id), which show the subject of a row; `nameOf(app_id)` gives an extension's name,
   * `functionsOf(rows)` the function that each row is about, as far as that is known.
   */
  constructor({ reveal, nameOf, functionsOf, userId }) {
    Object.assign(this, { reveal, nameOf, functionsOf, userId });
    this.rows = []; // newest first
    this.only = "all";
    this.about = ""; // an extension, `app/`, or a function of one, `app/name`; empty for all
    this.room = ROOM;
    this.select = h("select", {
      "aria-label": "About which function",
      onchange: () => {
        this.about = this.select.value;
        this.choose(this.only);
      },
    });
    this.buttons = new Map(
      ["all", ...Object.keys(OUTCOMES)].map((key) => [
        key,
        h("button", { type: "button", class: "filter", onclick: () => this.choose(key) }),
      ]),
    );
    this.body = h("div", { class: "audit-body" });
    this.checkBox = h("div", { class: "check-audit" });
    this.el = h(
      "div",
      { class: "audit" },
      this.checkBox,
      h(
        "div",
        { class: "filters", role: "group", "aria-label": "Which entries" },
        [...this.buttons.values()],
        this.select,
      ),
      this.body,
    );
    this.ask();
  }

  /** Offers the check. */
  ask() {
    this.showCheck(
      "plain",
      "shield",
      "Is the trail intact?",
      "Each entry is chained to the one before it. A check finds entries that were changed or removed.",
    );
  }

  choose(key) {
    this.only = key;
    this.room = ROOM;
    this.show();
  }

  async render() {
    try {
      await this.readOn();
      this.show();
    } catch (error) {
      refill(this.body, h("p", { class: "form-error", role: "alert" }, explain(error)));
      if (isLost(error)) onceReachable(() => this.render());
    }
  }

  /** Reads all rows after the last known one: rows are only ever added. */
  async readOn() {
    for (;;) {
      const { rows, next } = await get(`v1/audit?after=${this.rows[0]?.audit_id ?? 0}&limit=${PAGE}`);
      this.rows.unshift(...rows.sort((a, b) => b.audit_id - a.audit_id));
      if (next === undefined) return;
    }
  }

  showCheck(tone, sign, word, help, busy = false) {
    const held = this.checkBox.contains(document.activeElement);
    this.checkBox.className = `check-audit ${tone}`;
    const button = h(
      "button",
      { type: "button", class: "secondary small", "aria-disabled": busy || null, onclick: () => busy || this.check() },
      busy && h("span", { class: "spinner", "aria-hidden": "true" }),
      tone === "plain" ? "Check" : "Check again",
    );
    refill(
      this.checkBox,
      h("span", { class: `tile ${tone}`, "aria-hidden": "true" }, icon(sign)),
      h("span", { class: "check-word", role: "status" }, word),
      h("p", { class: "help" }, help),
      button,
    );
    if (held) button.focus();
  }

  async check() {
    this.showCheck("plain", "shield", "Checking…", "Reading every entry and verifying its hash.", true);
    try {
      const { rows, users, broken } = await get("v1/audit/check");
      const read = `${rows.toLocaleString()} ${rows === 1 ? "entry" : "entries"}${users > 1 ? ` of ${count(users, "user")}` : ""}, checked at ${time(new Date().toISOString())}.`;
      if (!broken) this.showCheck("good", "audit", "The trail is intact.", read);
      else if (broken.audit_id === undefined)
        this.showCheck(
          "bad",
          "alert",
          "Entries at the end are missing.",
          `The trail of ${broken.user_id} is shorter than it was. ${read}`,
        );
      else
        this.showCheck(
          "bad",
          "alert",
          `Entry ${broken.audit_id} was changed.`,
          `Or an entry before it was removed or inserted, in the trail of ${broken.user_id}. ${read}`,
        );
    } catch (error) {
      this.showCheck("bad", "alert", "The trail could not be checked.", explain(error));
      if (isLost(error)) onceReachable(() => this.ask());
    }
  }

  show() {
    const about = this.functionsOf(this.rows);
    this.showChoice(about);
    const those = this.rows.filter((row, n) => !this.about || about[n]?.startsWith(this.about));
    for (const [key, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(key === this.only));
      const n = key === "all" ? those.length : those.filter((row) => row.outcome === key).length;
      refill(button, key === "all" ? "All" : OUTCOMES[key][0], h("span", { class: "n" }, n.toLocaleString()));
    }
    const rows = those.filter((row) => this.only === "all" || row.outcome === this.only);
    if (!rows.length) {
      refill(
        this.body,
        h(
          "p",
          { class: "help" },
          this.rows.length
            ? this.about
              ? "No entry of this function has this outcome."
              : "No entry has this outcome."
            : "No entries yet. Every message into the chat, every cancel and every refused attempt appears here.",
        ),
      );
      return;
    }
    const days = [];
    for (const row of rows.slice(0, this.room)) {
      const key = dayKey(row.at);
      if (days.at(-1)?.key !== key) days.push({ key, name: dayName(row.at), rows: [] });
      days.at(-1).rows.push(row);
    }
    const more = h(
      "button",
      { type: "button", class: "secondary small", onclick: () => ((this.room += ROOM), this.show()) },
      icon("down"),
      "Show older entries",
    );
    refill(
      this.body,
      days.map((day) => [
        h("h3", { class: "audit-day" }, day.name),
        h(
          "ul",
          { class: "bare audit-rows" },
          day.rows.map((row) => this.row(row)),
        ),
      ]),
      rows.length > this.room ? more : h("p", { class: "help" }, "That is all of it."),
    );
  }

  /** The extensions, if there are several, and the functions that entries are about. */
  showChoice(about) {
    const names = [...new Set(about.filter(Boolean))].sort();
    const apps = [...new Set(names.map((name) => name.slice(0, name.indexOf("/") + 1)))];
    const option = (value, text) => h("option", { value, selected: value === this.about }, text);
    this.select.hidden = names.length < 2;
    const look = names.join("\n");
    if (this.look === look) return;
    this.look = look;
    const of = (app) => names.filter((name) => name.startsWith(app) && name !== app);
    const functions = (app) => of(app).map((name) => option(name, humanise(name.slice(app.length))));
    refill(
      this.select,
      option("", "All functions"),
      apps.length > 1
        ? apps.map((app) => {
            const name = this.nameOf(app.slice(0, -1));
            return h("optgroup", { label: name }, option(app, `All of ${name}`), functions(app));
          })
        : apps.flatMap(functions),
    );
  }

  row(row) {
    const { sentence, sign, see, said } = this.read(row);
    const tone = OUTCOMES[row.outcome]?.[1] ?? "plain";
    return h(
      "li",
      { class: `audit-row ${row.outcome}` },
      h("span", { class: `tile ${tone}`, "aria-hidden": "true" }, icon(sign)),
      h("span", { class: "sentence" }, sentence),
      h("time", { datetime: row.at, title: zonedTime(row.at) }, time(row.at)),
      row.detail &&
        !said &&
        h("span", { class: "detail help" }, row.detail.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, short)),
      h(
        "span",
        { class: "facts" },
        row.outcome !== "done" && h("span", { class: `chip ${tone}` }, OUTCOMES[row.outcome]?.[0] ?? row.outcome),
        h("span", null, `No. ${row.audit_id}`),
        h("code", null, row.action),
        row.target && h("code", { title: row.target }, short(row.target)),
        see && h("button", { type: "button", class: "link", onclick: see }, "Show in the chat"),
      ),
    );
  }

  /** A row as a sentence with an icon and a link to its subject. */
  read(row) {
    const { sentence, sign, said } = auditWords(row, this);
    return { sentence, sign, said, see: row.outcome === "refused" || !row.target ? null : this.wayTo(row) };
  }

  /** The way to the subject of a row that the chat shows. */
  wayTo({ action, target }) {
    if (action === "chat.inject") return () => this.reveal.turn(target);
    return ["task.cancel", "task.answer", "task.retry"].includes(action) ? () => this.reveal.task(target) : null;
  }
}

/** A shortened id; the tooltip has all of it. */
const short = (id) => (id.length > 20 ? `${id.slice(0, 9)}…${id.slice(-6)}` : id);
