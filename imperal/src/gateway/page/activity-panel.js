// The activity panel at the side: tasks, audit and schedules, as tabs of one dialog. Owns the tabs; their contents are task-list.js,
// audit.js and schedule-list.js, the place of the panel is side-panel.js.

import { h, icon, refill } from "./dom.js";
import { SidePanel } from "./side-panel.js";

const TABS = [
  ["tasks", "Tasks"],
  ["audit", "Audit"],
  ["schedules", "Schedules"],
];

export class ActivityPanel extends SidePanel {
  /** `views` has an object with `el` and `render()` for each tab. */
  constructor(dialog, views) {
    super(dialog, "activity");
    this.views = views;
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
  }

  /** Opens a tab. The tab's own button in the bar closes a panel that is next to the chat. */
  open(key) {
    if (this.beside && this.shown === key) return this.close();
    this.bring(key);
    this.tabs[TABS.findIndex(([one]) => one === key)].focus();
  }

  /** Opens a tab, or leaves it open. The caller gives the focus to something in it. */
  bring(key) {
    this.show(key);
    this.enter();
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

  /** The number at a tab; none for 0. */
  count(key, n) {
    const index = TABS.findIndex(([one]) => one === key);
    refill(this.tabs[index], TABS[index][1], n > 0 && [" ", h("span", { class: "n" }, String(n))]);
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
