// The activity panel at the side: tasks and audit, as two tabs of one dialog. Owns opening, closing and the tabs; their
// contents are task-list.js and audit.js. On a wide screen it stands beside the chat, which stays usable; else it covers it.

import { entered, leave } from "./back-button.js";
import { h, icon, refill } from "./dom.js";

const TABS = [
  ["tasks", "Tasks"],
  ["audit", "Audit"],
];

const LAYER = "activity";
const wide = matchMedia("(min-width: 1100px)");

export class ActivityPanel {
  /** `views` has an object with `el` and `render()` for each tab. */
  constructor(dialog, views) {
    Object.assign(this, { dialog, views });
    this.tabs = TABS.map(([key, word]) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${key}`,
          "aria-controls": `panel-${key}`,
          onclick: () => this.show(key),
        },
        word,
      ),
    );
    this.panels = TABS.map(([key]) =>
      h("div", { role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, tabindex: "0" }, views[key].el),
    );
    const strip = h("div", { class: "tabs", role: "tablist", "aria-label": "Activity" }, this.tabs);
    strip.addEventListener("keydown", (event) => this.onKey(event));
    refill(
      dialog,
      h(
        "div",
        { class: "drawer-head" },
        h("h2", { id: "drawer-title", class: "hidden" }, "Activity"),
        strip,
        h(
          "button",
          { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => this.close() },
          icon("close"),
        ),
      ),
      this.panels,
    );
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.beside || event.defaultPrevented) return; // a modal one closes by itself
      event.preventDefault();
      this.close();
    });
    wide.addEventListener("change", () => this.dialog.open && this.reopen());
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
  }

  /** Whether it stands beside the chat now. */
  get beside() {
    return this.dialog.open && !this.dialog.matches(":modal");
  }

  /** Opens a tab. The tab's own button in the bar closes a panel that stands beside the chat. */
  open(key) {
    if (this.beside && this.shown === key) return this.close();
    if (!this.dialog.open) this.opener = document.activeElement;
    this.show(key);
    this.place();
    this.tabs[TABS.findIndex(([one]) => one === key)].focus();
  }

  place() {
    document.body.classList.toggle("activity-beside", wide.matches);
    if (this.dialog.open) return;
    if (wide.matches) this.dialog.show();
    else {
      this.dialog.showModal();
      entered(LAYER, () => this.close());
    }
  }

  /** The screen became wide or narrow: the same content in the other place. */
  reopen() {
    this.moving = true;
    this.dialog.close();
  }

  close() {
    this.dialog.close();
  }

  closed() {
    leave(LAYER);
    if (this.moving) {
      this.moving = false;
      return this.place();
    }
    document.body.classList.remove("activity-beside");
    const free = document.activeElement === document.body || this.dialog.contains(document.activeElement);
    if (free) this.opener?.focus();
  }

  show(key) {
    this.shown = key;
    TABS.forEach(([one], index) => {
      this.tabs[index].setAttribute("aria-selected", String(one === key));
      this.tabs[index].tabIndex = one === key ? 0 : -1;
      this.panels[index].hidden = one !== key;
    });
    this.views[key].render();
  }

  onKey(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!move) return;
    event.preventDefault();
    const at = TABS.findIndex(([key]) => key === this.shown);
    const next = move === -Infinity ? 0 : move === Infinity ? TABS.length - 1 : (at + move + TABS.length) % TABS.length;
    this.show(TABS[next][0]);
    this.tabs[next].focus();
  }
}
