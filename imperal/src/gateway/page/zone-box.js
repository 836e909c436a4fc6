// A box for a time zone that finds zones while a person types: "ber" finds Europe/Berlin. Owns the list of zones of the browser
// with their present distance from UTC, and the keys of the list (an ARIA combobox). Whether a zone exists is the server's word.

import { h, newId, refill } from "./dom.js";

const SHOWN = 60; // zones in the list; more words find the others

/** The reader's own zone. */
export const ownZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";

function knownZones() {
  const all = new Set(["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])]);
  return [ownZone(), ...[...all].filter((zone) => zone !== ownZone())];
}

/** `UTC+1`, `UTC−3:30`, `UTC`: the distance now; empty for a zone that the browser does not know. */
export function offsetOf(zone, at = new Date()) {
  try {
    const parts = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(at);
    const [, sign, hours, minutes] =
      /([+-])(\d+):(\d+)/.exec(parts.find(({ type }) => type === "timeZoneName").value) ?? [];
    if (!sign) return "UTC";
    return `UTC${sign === "-" ? "−" : "+"}${Number(hours)}${minutes === "00" ? "" : `:${minutes}`}`;
  } catch {
    return "";
  }
}

/** The same for screen readers: `UTC plus 1`. */
export const spokenOffset = (offset) =>
  offset
    .replace("+", " plus ")
    .replace("−", " minus ")
    .replace(/:(\d+)/, " hours $1");

/** Zones that have each word of a text in their name, those whose city begins with it first. */
export function findZones(text, zones) {
  const terms = text
    .toLowerCase()
    .replaceAll("_", " ")
    .split(/[\s/]+/)
    .filter(Boolean);
  const nameOf = (zone) => zone.toLowerCase().replaceAll("_", " ");
  const begins = (zone) => terms.length > 0 && nameOf(zone).split("/").at(-1).startsWith(terms.join(" "));
  const found = zones.filter((zone) => terms.every((term) => nameOf(zone).includes(term)));
  return [...found.filter(begins), ...found.filter((zone) => !begins(zone))];
}

export class ZoneBox {
  /** `changed()` is called when another zone is chosen or written. */
  constructor({ label, value, changed }) {
    Object.assign(this, { changed, zones: knownZones(), at: -1 });
    const id = newId("zone");
    this.list = h("ul", {
      class: "zone-list bare",
      role: "listbox",
      id: `${id}-list`,
      "aria-label": label,
      hidden: true,
    });
    this.note = h("span", { class: "help", id: `${id}-note` });
    this.input = h("input", {
      id,
      type: "text",
      role: "combobox",
      "aria-expanded": "false",
      "aria-controls": this.list.id,
      "aria-autocomplete": "list",
      "aria-describedby": `${this.note.id} ${id}-error`,
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.typed(),
      onclick: () => this.show(""),
      onblur: () => this.hide(),
      onkeydown: (event) => this.onKey(event),
    });
    this.el = h("div", { class: "zone-box" }, this.input, this.list, this.note);
    this.write(value);
  }

  /** The zone that is written in the box. */
  get value() {
    const text = this.input.value.trim();
    return this.zones.find((zone) => zone.toLowerCase() === text.toLowerCase()) ?? text;
  }

  write(zone) {
    this.input.value = zone;
    this.describe();
  }

  describe() {
    const offset = offsetOf(this.value);
    refill(this.note, [this.value === ownZone() && "yours", offset && `${offset} now`].filter(Boolean).join(", "));
  }

  typed() {
    this.show(this.input.value);
    this.describe();
    this.changed();
  }

  /** Shows the zones that a text finds. */
  show(text) {
    const found = findZones(text, this.zones).slice(0, SHOWN);
    this.at = -1;
    this.options = found.map((zone, index) => {
      const offset = offsetOf(zone);
      return h(
        "li",
        {
          role: "option",
          id: `${this.list.id}-${index}`,
          "aria-selected": "false",
          onmousedown: (event) => event.preventDefault(), // the box keeps the focus
          onclick: () => this.choose(zone),
        },
        h("span", null, zone.replaceAll("_", " ")),
        h("span", { class: "hidden" }, `, ${spokenOffset(offset)}`),
        h("span", { class: "muted", "aria-hidden": "true" }, offset),
      );
    });
    this.found = found;
    refill(this.list, this.options);
    this.open(found.length > 0);
  }

  open(is) {
    this.list.hidden = !is;
    this.input.setAttribute("aria-expanded", String(is));
    if (!is) this.mark(-1);
  }

  hide() {
    this.open(false);
  }

  mark(index) {
    this.options?.[this.at]?.setAttribute("aria-selected", "false");
    this.at = index;
    const option = this.options?.[index];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  choose(zone) {
    this.write(zone);
    this.hide();
    this.changed();
  }

  onKey(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!isOpen) this.show("");
      const [n, by] = [this.options.length, event.key === "ArrowDown" ? 1 : -1];
      if (n) this.mark(this.at < 0 ? (by > 0 ? 0 : n - 1) : (this.at + by + n) % n);
    } else if (event.key === "Enter" && isOpen && this.at >= 0) this.choose(this.found[this.at]);
    else if (event.key === "Escape" && isOpen) this.hide();
    else return;
    event.preventDefault(); // Escape closes the list and not the dialog
    event.stopPropagation();
  }
}
