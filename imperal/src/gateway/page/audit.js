// The audit trail in the drawer: who did what to whose chat or task. Owns its table and filter.

import { get } from "./api.js";
import { explain } from "./calls.js";
import { h, refill } from "./dom.js";
import { fullTime, moment } from "./words.js";

const TONES = { done: "plain", refused: "bad", critical: "bad" };
const PAGE = 500;
const SHOWN = 200;

export class Audit {
  constructor() {
    this.rows = []; // newest first
    this.only = h("select", { id: "audit-only" }, ["all", "done", "refused", "critical"].map((one) => h("option", { value: one }, one === "all" ? "Everything" : `Only ${one}`)));
    this.only.addEventListener("change", () => this.show());
    this.reload = h("button", { type: "button", class: "secondary small", onclick: () => this.render() }, "Refresh");
    this.body = h("div", { class: "audit-body" });
    this.el = h("div", { class: "audit" }, h("div", { class: "audit-head" }, h("label", { for: "audit-only", class: "hidden" }, "Show"), this.only, this.reload), this.body);
  }

  async render() {
    try {
      await this.readOn();
      this.show();
    } catch (error) {
      refill(this.body, h("p", { class: "form-error", role: "alert" }, explain(error)));
    }
  }

  /** Reads on after the last known row, to the end: rows are only ever added. */
  async readOn() {
    for (;;) {
      const { rows } = await get(`/v1/audit?after=${this.rows[0]?.audit_id ?? 0}&limit=${PAGE}`);
      this.rows.unshift(...rows.sort((a, b) => b.audit_id - a.audit_id));
      if (rows.length < PAGE) return;
    }
  }

  show() {
    const rows = this.rows.filter((row) => this.only.value === "all" || row.outcome === this.only.value);
    if (!rows.length) {
      refill(this.body, h("p", { class: "help" }, "No entries. Every delivery into the chat and every refused attempt is written down here."));
      return;
    }
    refill(
      this.body,
      h("ul", { class: "bare audit-rows" }, rows.slice(0, SHOWN).map(audited)),
      h("p", { class: "help" }, rows.length > SHOWN ? `The latest ${SHOWN} of ${rows.length.toLocaleString()} entries.` : "That is all of it."),
    );
  }
}

function audited(row) {
  const facts = [
    ["By", row.actor],
    ["On", row.target],
    ["In", row.app_id],
  ].filter(([, value]) => value);
  return h(
    "li",
    { class: "audit-row" },
    h("div", { class: "audit-line" }, h("code", null, row.action), h("span", { class: `chip ${TONES[row.outcome] ?? "plain"}` }, row.outcome), h("time", { datetime: row.at, title: fullTime(row.at) }, moment(row.at))),
    h("dl", null, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
    row.detail && h("p", { class: "help" }, row.detail),
  );
}
