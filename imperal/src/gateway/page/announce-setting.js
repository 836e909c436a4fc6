// How much screen readers are told of tasks: nothing, their ends, or their quarters too. Owns the control of this setting, which
// the browser remembers. What is told is announcer.js.

import { h } from "./dom.js";

const KEY = "imperal:announce";
const LEVELS = [
  ["quarters", "Quarters and ends"],
  ["ends", "Ends only"],
  ["none", "None"],
];
const DEFAULT = "quarters";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is blocked: the setting lasts as long as the page
  }
}

export class AnnounceSetting {
  constructor() {
    this.menu = h(
      "select",
      { id: "announce-progress", onchange: () => this.choose(this.menu.value) },
      LEVELS.map(([value, word]) => h("option", { value }, word)),
    );
    this.control = h(
      "div",
      { class: "field setting" },
      h("label", { class: "label minor", for: "announce-progress" }, "Announce progress"),
      this.menu,
      h("p", { class: "help" }, "What screen readers hear of tasks."),
    );
    addEventListener("storage", ({ key }) => key === KEY && this.show(stored())); // chosen in another page
    this.show(stored());
  }

  choose(level) {
    this.show(level);
    try {
      localStorage.setItem(KEY, level);
    } catch {
      // as in stored()
    }
  }

  show(level) {
    this.level = LEVELS.some(([one]) => one === level) ? level : DEFAULT;
    this.menu.value = this.level;
  }
}
