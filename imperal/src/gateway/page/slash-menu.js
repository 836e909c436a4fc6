// The menu over the message box: functions by their words. Owns the choice by keys; what a choice does is composer.js.

import { h, refill } from "./dom.js";
import { count, humanise } from "./format.js";

const SHOWN = 6;
const COMMON = new Set(
  "the a an of to and or in on for with my me i it is please can you this that all from what".split(" "),
);

/** Words that are equal but for their end: refine, refines, refined. */
const alike = (one, other) => {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short === long || (short.length >= 4 && long.startsWith(short) && long.length - short.length <= 3);
};

const wordsOf = (text) => (text ?? "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** How well a function fits words: its name counts most, then its description, then its parameters. */
export function fit(fn, text) {
  const wanted = [...new Set(wordsOf(text))].filter((word) => !COMMON.has(word));
  const params = Object.entries(fn.params_schema?.properties ?? {}).map(([name, { description } = {}]) => [
    name,
    description,
  ]);
  const hits = (words) => wanted.filter((word) => words.some((other) => alike(word, other))).length;
  return 8 * hits(wordsOf(fn.name)) + 3 * hits(wordsOf(fn.description)) + hits(wordsOf(params.flat().join(" ")));
}

const EFFECTS = { read: "reads", write: "writes", destructive: "removes for good" };

const words = (fn) => [
  h("strong", null, humanise(fn.name)),
  h("span", { class: "slash-effect" }, EFFECTS[fn.action_type] ?? ""),
  h("span", { class: "muted" }, fn.description),
];

export class SlashMenu {
  /** `choose({app, fn})` takes a function, `all()` shows the list of all of them. */
  constructor({ box, extensions, announce, choose, all }) {
    Object.assign(this, { box, announce, choose, openAll: all, at: 0, found: [] });
    this.all = extensions.flatMap((app) => app.functions.map((fn) => ({ app, fn })));
    this.el = h("ul", {
      class: "slash-menu",
      id: "slash-menu",
      role: "listbox",
      "aria-label": "Fitting functions",
      hidden: true,
    });
    // A textarea cannot be a combobox.
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-haspopup", "listbox");
  }

  /** The functions for a text. Behind a slash, names that begin with it come first, and without words all are listed. */
  search(text, slashed) {
    const name = text.trim().toLowerCase().replaceAll(" ", "_");
    const ranked = this.all.map((one) => {
      const begins = slashed && name && one.fn.name.toLowerCase().startsWith(name) ? 100 : 0;
      const has = slashed && name && one.fn.name.toLowerCase().includes(name) ? 50 : 0;
      return { ...one, rank: begins + has + fit(one.fn, text) };
    });
    if (slashed && !name) return ranked;
    return ranked.filter((one) => one.rank > 0).sort((a, b) => b.rank - a.rank);
  }

  best(text) {
    return this.found[this.at] ?? (this.isOnAll ? null : this.search(text, true)[0]);
  }

  show(text, slashed) {
    const all = this.search(text, slashed);
    this.found = all.slice(0, SHOWN);
    this.at = 0;
    if (!this.found.length) return this.close();
    if (slashed) this.found.push(null); // the way to all functions
    if (!this.isOpen || all.length !== this.told) this.announce(`${count(all.length, "function")}.`);
    this.told = all.length;
    this.draw();
  }

  /** Takes the row at a place: a function, or the way to all of them. */
  take(at) {
    const found = this.found[at];
    if (found) return this.choose(found);
    this.close();
    this.openAll();
  }

  toggle() {
    this.box.focus();
    if (this.isOpen) return this.close();
    this.show("", true);
  }

  /** Whether the way to all functions is chosen. */
  get isOnAll() {
    return this.isOpen && this.found[this.at] === null;
  }

  get isOpen() {
    return !this.el.hidden;
  }

  draw() {
    refill(
      this.el,
      this.found.map((found, at) =>
        h(
          "li",
          {
            role: "option",
            id: `slash-${at}`,
            class: "slash-option",
            "aria-selected": String(at === this.at),
            onmousedown: (event) => event.preventDefault(), // the focus stays in the box
            onclick: () => this.take(at),
          },
          found ? words(found.fn) : "All functions…",
        ),
      ),
    );
    this.el.hidden = false;
    this.box.setAttribute("aria-controls", "slash-menu");
    this.box.setAttribute("aria-activedescendant", `slash-${this.at}`);
  }

  close() {
    this.found = [];
    this.el.hidden = true;
    this.box.removeAttribute("aria-controls");
    this.box.removeAttribute("aria-activedescendant");
  }

  /** Whether the menu has used a key. */
  onKey(event) {
    if (!this.isOpen) return false;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) this.at = (this.at + by + this.found.length) % this.found.length;
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && !event.shiftKey) this.take(this.at);
    else if (event.key === "Enter" && !event.shiftKey && this.isOnAll) this.take(this.at);
    else return false;
    event.preventDefault();
    if (by) this.draw();
    return true;
  }
}
