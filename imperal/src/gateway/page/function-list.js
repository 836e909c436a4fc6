// The side panel: the list of functions with its search, or the form of the chosen one.
// Owns choosing; what a form does is function-form.js.

import { actionChip, actionTile, pace } from "./function-form.js";
import { beginning } from "./cut-text.js";
import { h, icon, refill } from "./dom.js";
import { humanise } from "./format.js";
import { swap } from "./reconcile.js";

const RECENT = 3; // recently used functions at the top
const MANY = 8; // functions from which on this helps

/** The icon of an extension; its first letter when there is none. */
export function appIcon(app) {
  const letter = h("span", { class: "app-icon letter", "aria-hidden": "true" }, beginning(app.name, 1).toUpperCase());
  const image = h("img", { class: "app-icon", alt: "", src: `v1/extensions/${encodeURIComponent(app.app_id)}/icon` });
  image.addEventListener("error", () => swap(image, letter));
  return image;
}

export class FunctionList {
  /** `hasDraft(key)` tells whether something is written and not sent in the form of a function, `app/name`. */
  constructor({ el, extensions, shortcut, makeForm, hasDraft, onClose, showKeys }) {
    Object.assign(this, { el, extensions, shortcut, makeForm, hasDraft, onClose, showKeys });
    this.forms = new Map();
    this.list = this.buildList();
    const all = extensions.flatMap((app) => app.functions.map((fn) => ({ app, fn })));
    this.only = all.length === 1 ? all[0] : null;
    const [appId, name] = decodeURIComponent(location.hash.slice(1)).split("/");
    const asked = all.find(({ app, fn }) => app.app_id === appId && fn.name === name);
    const start = this.only ?? asked;
    if (start) this.open(start.app, start.fn, false);
    else this.showList(false);
  }

  buildList() {
    this.search = h("input", {
      type: "search",
      id: "function-search",
      placeholder: "Search functions",
      dir: "auto",
      autocomplete: "off",
      "aria-label": "Search functions",
      "aria-describedby": "function-count",
    });
    this.found = h("p", { class: "hidden", id: "function-count", role: "status" });
    this.none = h("p", { class: "help none", hidden: true }, "No function matches. Try other words.");
    this.rows = [];
    this.recent = { rows: [], list: h("ul", { class: "function-list" }) };
    this.recent.el = h(
      "section",
      { class: "app", hidden: true },
      h("h3", { class: "group-word" }, "Used lately"),
      this.recent.list,
    );
    const groups = this.extensions.map((app) => {
      const rows = app.functions.map((fn) => this.row(app, fn));
      const el = h(
        "section",
        { class: "app" },
        this.extensions.length > 1 &&
          h(
            "div",
            { class: "app-head" },
            appIcon(app),
            h("div", null, h("h3", null, app.name), h("p", { class: "help" }, app.description)),
          ),
        h(
          "ul",
          { class: "function-list" },
          rows.map((row) => row.el),
        ),
      );
      return { el, rows };
    });
    this.groups = groups;
    this.rows = groups.flatMap((group) => group.rows);
    this.search.addEventListener("input", () => this.filter());
    const hint = (keys, word) =>
      h(
        "span",
        { "aria-hidden": "true" },
        keys.map((key) => h("kbd", null, key)),
        word,
      );
    const el = h(
      "div",
      { class: "picker" },
      h(
        "div",
        { class: "picker-head" },
        h("div", { class: "head-row" }, h("h2", null, "What would you like to run?"), this.closeButton()),
        h("div", { class: "search" }, icon("search"), this.search, h("kbd", { "aria-hidden": "true" }, "/")),
        this.found,
      ),
      h(
        "div",
        { class: "picker-body" },
        this.recent.el,
        groups.map((group) => group.el),
        this.none,
      ),
      h(
        "div",
        { class: "key-hints" },
        this.shortcut.control,
        hint(["↑", "↓"], "choose"),
        hint(["↵"], "open"),
        this.keysButton(),
      ),
    );
    el.addEventListener("keydown", (event) => this.onKey(event));
    return el;
  }

  row(app, fn) {
    const [name, help] = [h("span"), h("span", { class: "function-help" })];
    const draft = h(
      "span",
      { class: "chip live", title: "You have written something here that is not sent.", hidden: true },
      "Draft",
    );
    const button = h(
      "button",
      { type: "button", class: "function", onclick: () => this.open(app, fn) },
      actionTile(fn.action_type),
      h(
        "span",
        { class: "function-name" },
        name,
        h("span", { class: "marks" }, fn.action_type === "destructive" && actionChip(fn.action_type), pace(fn), draft),
      ),
      help,
    );
    const words = `${app.name} ${fn.name} ${humanise(fn.name)} ${fn.description}`.toLowerCase();
    const mark = (terms) => {
      refill(name, marked(humanise(fn.name), terms));
      refill(help, marked(fn.description, terms));
    };
    mark([]);
    const key = `${app.app_id}/${fn.name}`;
    const showDraft = () => (draft.hidden = !this.hasDraft(key));
    showDraft();
    return { el: h("li", null, button), button, words, mark, key, showDraft };
  }

  /** Puts the functions of the latest calls at the top of a long list. */
  showRecent(turns) {
    const all = this.extensions.flatMap((app) =>
      app.functions.map((fn) => ({ app, fn, key: `${app.app_id}/${fn.name}` })),
    );
    if (all.length < MANY) return;
    const keys = [
      ...new Set(
        turns
          .filter((turn) => turn.role === "user" && !turn.schedule)
          .map((turn) => `${turn.app_id}/${turn.function}`)
          .reverse(),
      ),
    ];
    const found = keys
      .map((key) => all.find((one) => one.key === key))
      .filter(Boolean)
      .slice(0, RECENT);
    if (this.recent.rows.map((row) => row.key).join() === found.map((one) => one.key).join()) return;
    this.recent.rows = found.map(({ app, fn }) => this.row(app, fn));
    refill(
      this.recent.list,
      this.recent.rows.map((row) => row.el),
    );
    this.recent.el.hidden = !found.length || this.search.value !== "";
  }

  filter() {
    const terms = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rows) {
      row.el.hidden = !terms.every((term) => row.words.includes(term));
      row.mark(terms);
    }
    this.recent.el.hidden = terms.length > 0 || !this.recent.rows.length;
    for (const group of this.groups) group.el.hidden = group.rows.every((row) => row.el.hidden);
    const left = this.rows.filter((row) => !row.el.hidden).length;
    this.none.hidden = left > 0;
    this.found.textContent = terms.length ? `${left} found` : "";
  }

  /** Arrow keys move through the list; Enter in the search opens the first match. */
  onKey(event) {
    const buttons = [
      ...(this.recent.el.hidden ? [] : this.recent.rows),
      ...this.rows.filter((row) => !row.el.hidden),
    ].map((row) => row.button);
    const index = buttons.indexOf(document.activeElement);
    const inSearch = document.activeElement === this.search;
    let next = null;
    if (event.key === "ArrowDown") next = buttons[index + 1];
    else if (event.key === "ArrowUp" && index >= 0) next = buttons[index - 1] ?? this.search;
    else if (event.key === "Home" && !inSearch) next = buttons[0];
    else if (event.key === "End" && !inSearch) next = buttons.at(-1);
    else if (event.key === "Enter" && inSearch) buttons[0]?.click();
    else return;
    event.preventDefault();
    next?.focus();
  }

  /** Opens a function's form, filled with `params` if given. */
  open(app, fn, focus = true, params = undefined) {
    const key = `${app.app_id}/${fn.name}`;
    const form = this.forms.get(key) ?? this.makeForm(app, fn);
    this.forms.set(key, form);
    if (params !== undefined) form.fill(params);
    const back = this.only
      ? h("div", { class: "app-head solo" }, appIcon(app), h("p", { class: "help" }, app.description))
      : h("button", { type: "button", class: "back", onclick: () => this.showList() }, icon("back"), "All functions");
    refill(this.el, h("div", { class: "form-bar" }, back, this.closeButton()), form.el);
    this.current = { form, key };
    history.replaceState(history.state, "", `#${encodeURIComponent(app.app_id)}/${encodeURIComponent(fn.name)}`);
    this.el.scrollTop = 0;
    if (focus) this.focus();
  }

  /** Opens the form of a turn's call. False if that function is no longer loaded. */
  reopen(turn) {
    const app = this.extensions.find((one) => one.app_id === turn.app_id);
    const fn = app?.functions.find((one) => one.name === turn.function);
    if (!fn) return false;
    this.open(app, fn, true, turn.params ?? {});
    return true;
  }

  find(appId, name) {
    return this.extensions.find((app) => app.app_id === appId)?.functions.find((fn) => fn.name === name);
  }

  showList(focus = true) {
    const from = this.current;
    this.current = null;
    from?.form.drafts.keepNow();
    for (const row of [...this.rows, ...this.recent.rows]) row.showDraft();
    refill(this.el, this.list);
    history.replaceState(history.state, "", location.pathname);
    if (!focus) return;
    const index = from
      ? this.extensions.flatMap((app) => app.functions.map((fn) => `${app.app_id}/${fn.name}`)).indexOf(from.key)
      : -1;
    (this.rows[index]?.button ?? this.search).focus();
  }

  focusSearch() {
    if (this.current) this.showList(false);
    this.search.focus();
    this.search.select();
  }

  focus() {
    if (!this.current) this.search.focus();
    else if (this.current.form.body.querySelector("input, textarea, select")) this.current.form.control.focus();
    else this.current.form.submit.focus();
  }

  keysButton() {
    return h(
      "button",
      { type: "button", class: "link", onclick: () => this.showKeys() },
      h("kbd", { "aria-hidden": "true" }, "?"),
      h("span", { class: "hidden" }, "All "),
      "keys",
    );
  }

  /** Esc in a form goes back to the list; what was typed is kept. Whether there was a form to leave. */
  back() {
    if (!this.current || this.only || !this.el.contains(document.activeElement)) return false;
    this.showList();
    return true;
  }

  closeButton() {
    return h(
      "button",
      { type: "button", class: "icon-button close-side", "aria-label": "Close", onclick: () => this.onClose() },
      icon("close"),
    );
  }
}

/** A text with the search terms marked. */
function marked(text, terms) {
  const found = terms.flatMap((term) =>
    [...text.toLowerCase().matchAll(new RegExp(RegExp.escape?.(term) ?? term.replace(/[^a-z0-9]/gi, "\\$&"), "g"))].map(
      (match) => [match.index, match.index + term.length],
    ),
  );
  const parts = [];
  let from = 0;
  for (const [start, end] of found.sort(([a], [b]) => a - b)) {
    if (start < from) continue;
    parts.push(text.slice(from, start), h("mark", null, text.slice(start, end)));
    from = end;
  }
  return [...parts, text.slice(from)];
}
