// The keys of the page: moving between turns, opening the list of functions, the tasks, the audit trail, the schedules, and the list of
// keys itself. Owns which key does what and when it works. Single letters can be turned off by the switch of
// search-shortcut.js: they get in the way of speech input and of accidental key presses (WCAG 2.1.4).

import { h, icon, refill } from "./dom.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const ALT = isMac ? "⌥" : "Alt";
const SECOND_MS = 1500; // for the second key of two

/** What the list of keys shows: [keys, what they do, whether the switch turns them off]. */
const LIST = [
  [["/"], "search functions", true],
  [["?"], "this list", true],
  [[ALT, "↑"], "previous turn or task"],
  [[ALT, "↓"], "next turn or task"],
  [[ALT, "End"], "newest turn"],
  [["t"], "tasks", true],
  [["a"], "audit trail", true],
  [["g", "q"], "next open question", true],
  [["g", "s"], "schedules", true],
  [["g", "c"], "write a message", true],
  [["Ctrl", "."], "stop the assistant"],
  [["p"], "pause or resume the schedule with the focus", true],
  [["Esc"], "back from a form to the list; closes what is open"],
  [[isMac ? "⌘" : "Ctrl", "↵"], "run the form"],
  [["↑", "↓"], "choose a function in the list"],
];

export class Keys {
  /** `acts` has search(), tasks(), audit(), schedules(), question(), compose(), stop(), turn(step) and newest(). */
  constructor({ dialog, shortcut, acts }) {
    Object.assign(this, { dialog, shortcut, acts });
    this.wentTo = -Infinity; // when `g` was pressed
    addEventListener("keydown", (event) => this.onKey(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  onKey(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog:modal")) return;
    const stops = event.key === "." && (event.ctrlKey || event.metaKey) && this.acts.stop;
    const act = stops || (event.altKey ? this.withAlt(event) : this.letter(event));
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** They work in a text box too, where Alt with an arrow does nothing else. */
  withAlt({ key, ctrlKey, metaKey, shiftKey }) {
    if (ctrlKey || metaKey || shiftKey) return null;
    return {
      ArrowUp: () => this.acts.turn(-1),
      ArrowDown: () => this.acts.turn(1),
      End: () => this.acts.newest(),
    }[key];
  }

  letter(event) {
    if (!this.shortcut.hears(event)) return null;
    const after = performance.now() - this.wentTo < SECOND_MS;
    this.wentTo = event.key === "g" ? performance.now() : -Infinity;
    if (after && event.key === "q") return this.acts.question;
    if (after && event.key === "s") return this.acts.schedules;
    if (after && event.key === "c") return this.acts.compose;
    return {
      "/": this.acts.search,
      "?": () => this.show(),
      t: this.acts.tasks,
      a: this.acts.audit,
    }[event.key];
  }

  /** The list of keys. */
  show() {
    const row = ([keys, does, letter]) =>
      h(
        "div",
        { class: letter && !this.shortcut.on && "off" },
        h(
          "dt",
          null,
          keys.map((key) => h("kbd", null, key)),
        ),
        h("dd", null, does, letter && !this.shortcut.on && " (turned off)"),
      );
    const close = () => this.dialog.close();
    refill(
      this.dialog,
      h(
        "div",
        { class: "head-row" },
        h("h2", { id: "keys-title", tabindex: "-1", autofocus: true }, "Keys"),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: close }, icon("close")),
      ),
      h("dl", { class: "key-list" }, LIST.map(row)),
      h("p", { class: "help" }, "The switch below the list of functions turns single letters off."),
    );
    this.dialog.showModal();
  }
}
