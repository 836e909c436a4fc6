// The switch of the single keys, such as `/`, which focuses the search from anywhere on the page. Owns when they work; the
// browser remembers the switch. Single-letter commands get in the way of speech input and of accidental key presses
// (WCAG 2.1.4). What each key does is keys.js.

import { h } from "./dom.js";

const OFF = "imperal:no-slash";

function off() {
  try {
    return localStorage.getItem(OFF) !== null;
  } catch {
    return false; // storage is blocked: the switch lasts as long as the page
  }
}

export class Shortcut {
  constructor() {
    this.box = h("input", {
      type: "checkbox",
      role: "switch",
      "aria-label": "Single keys: / to search and others, from anywhere on the page",
      onchange: () => this.turn(this.box.checked),
    });
    this.control = h(
      "label",
      { class: "slash", title: "Single keys work from anywhere on the page" },
      this.box,
      h("kbd", null, "/"),
      "to search",
    );
    addEventListener("storage", ({ key }) => key === OFF && this.show(!off())); // switched in another page
    this.show(!off());
  }

  turn(on) {
    this.show(on);
    try {
      if (on) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      // storage is blocked: it works on this page and is not remembered
    }
  }

  show(on) {
    this.on = on;
    this.box.checked = on;
    document.body.classList.toggle("no-slash", !on);
  }

  /** Whether this key press may be a command: not in a text box, not under a dialog, without another key. */
  hears(event) {
    const busy = event.target.matches?.("input, textarea, select") || document.querySelector("dialog:modal");
    return this.on && !busy && !event.ctrlKey && !event.metaKey && !event.altKey;
  }
}
