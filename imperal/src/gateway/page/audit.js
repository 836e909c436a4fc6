// The audit trail in the activity panel: sentences about each row, with the row's own fields below. Owns its rows, the
// filter, and the check of the hash chain.

import { explain, isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { count, dayKey, dayName, taskStateLabel, time, zonedTime } from "./format.js";

const OUTCOMES = { done: ["Done", "plain"], refused: ["Refused", "bad"], critical: ["Critical", "bad"] };
const PAGE = 500;
const ROOM = 200;

export class Audit {
  /** `reveal` has turn(id) and task(id), which show the subject of a row; `nameOf(app_id)` gives an extension's name. */
  constructor({ reveal, nameOf, userId }) {
    Object.assign(this, { reveal, nameOf, userId });
    this.rows = []; // newest first
    this.only = "all";
    this.room = ROOM;
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
      h("div", { class: "filters", role: "group", "aria-label": "Which entries" }, [...this.buttons.values()]),
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
    for (const [key, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(key === this.only));
      const n = key === "all" ? this.rows.length : this.rows.filter((row) => row.outcome === key).length;
      refill(button, key === "all" ? "All" : OUTCOMES[key][0], h("span", { class: "n" }, n.toLocaleString()));
    }
    const rows = this.rows.filter((row) => this.only === "all" || row.outcome === this.only);
    if (!rows.length) {
      refill(
        this.body,
        h(
          "p",
          { class: "help" },
          this.rows.length
            ? "No entry has this outcome."
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
  read({ action, actor, outcome, target, app_id: appId, detail = "" }) {
    const [kind, name] = [actor.slice(0, actor.indexOf(":") + 1), actor.slice(actor.indexOf(":") + 1)];
    const you = actor === `user:${this.userId}`;
    const who = you
      ? "You"
      : kind === "extension:"
        ? this.nameOf(name)
        : actor === "service"
          ? `A service${appId ? ` of ${this.nameOf(appId)}` : ""}`
          : actor === "platform"
            ? "The platform"
            : kind === "user:"
              ? name
              : actor;
    const seeTurn = outcome === "done" && target ? () => this.reveal.turn(target) : null;
    const ended = /^outcome(?: of task \S+)?: (.+)$/.exec(detail);
    if (action === "chat.inject" && outcome === "refused")
      return { sentence: `${who} tried to write into a chat and ${you ? "were" : "was"} refused`, sign: "lock" };
    if (action === "chat.inject" && outcome === "critical")
      return { sentence: `${who} broke its contract; you were told`, sign: "alert", see: seeTurn };
    if (action === "chat.inject" && ended)
      return {
        sentence: `${who} delivered an outcome: ${taskStateLabel(ended[1]).word.toLowerCase()}`,
        sign: "message",
        see: seeTurn,
        said: true,
      };
    if (action === "chat.inject")
      return { sentence: `${who} put a message into the chat`, sign: "message", see: seeTurn };
    if (action === "task.cancel" && outcome === "done")
      return {
        sentence: `${who} asked a task to stop`,
        sign: "stop",
        see: target ? () => this.reveal.task(target) : null,
      };
    if (action === "task.cancel")
      return {
        sentence: `${who} tried to cancel a task of another user and ${you ? "were" : "was"} refused`,
        sign: "lock",
      };
    if (action === "task.read")
      return {
        sentence: `${who} tried to see a task of another user and ${you ? "were" : "was"} refused`,
        sign: "lock",
      };
    if (action === "call.cancel")
      return outcome === "done"
        ? { sentence: `${who} asked a call to stop`, sign: "stop" }
        : { sentence: `${who} tried to stop a call of another user and ${you ? "were" : "was"} refused`, sign: "lock" };
    if (action === "page.link")
      return { sentence: `${who} tried to make a link to the page and ${you ? "were" : "was"} refused`, sign: "lock" };
    return { sentence: `${who}: ${action}`, sign: outcome === "done" ? "info" : "alert" };
  }
}

/** A shortened id; the tooltip has all of it. */
const short = (id) => (id.length > 20 ? `${id.slice(0, 9)}…${id.slice(-6)}` : id);
