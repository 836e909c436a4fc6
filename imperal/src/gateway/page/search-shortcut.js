// The key `/`, which focuses the search from anywhere on the page. Owns when it works, and its on/off switch, which the browser
// remembers: single-letter commands get in the way of speech input and of accidental key presses (WCAG 2.1.4).

import { h } from "./dom.js";

const OFF = "imperal:no-slash";
const KEY = "/";

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
      "aria-label": `${KEY} to search, from anywhere on the page`,
      onchange: () => this.turn(this.box.checked),
    });
    this.control = h(
      "label",
      { class: "slash", title: "This key focuses the search from anywhere on the page" },
      this.box,
      h("kbd", null, KEY),
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

  /** Whether this key press asks for the search. */
  hears(event) {
    const busy = event.target.matches?.("input, textarea, select") || document.querySelector("dialog[open]");
    return this.on && event.key === KEY && !busy && !event.ctrlKey && !event.metaKey && !event.altKey;
  }
}
