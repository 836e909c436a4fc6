// A button that opens a menu of acts (the ARIA pattern of menu buttons). Owns its keys, and that it closes: by Esc, a choice, or a
// click or the focus elsewhere. It does not know what the acts do.

import { h, icon, newId, refill } from "./dom.js";

export class MenuButton {
  /** `items()` gives `{word, sign, danger, act}` each time it opens; false items are left out. */
  constructor({ label, items }) {
    this.items = items;
    this.list = h("ul", { class: "menu bare", role: "menu", id: newId("menu"), "aria-label": label, hidden: true });
    this.button = h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": label,
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        "aria-controls": this.list.id,
        onclick: () => (this.isOpen ? this.close(true) : this.open(0)),
      },
      icon("more"),
    );
    this.el = h("span", { class: "menu-place" }, this.button, this.list);
    this.el.addEventListener("keydown", (event) => this.onKey(event));
    this.el.addEventListener("focusout", ({ relatedTarget: to }) => to && !this.el.contains(to) && this.close());
    this.outside = ({ target }) => !this.el.contains(target) && this.close();
  }

  get isOpen() {
    return !this.list.hidden;
  }

  open(at) {
    const one = ({ word, sign, danger, act }) =>
      h(
        "li",
        { role: "none" },
        h(
          "button",
          {
            type: "button",
            role: "menuitem",
            tabindex: "-1",
            class: danger && "danger",
            onclick: () => (this.close(true), act()),
          },
          icon(sign),
          word,
        ),
      );
    refill(this.list, this.items().filter(Boolean).map(one));
    this.list.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.list.scrollIntoView({ block: "nearest" });
    this.buttons.at(at).focus();
    document.addEventListener("pointerdown", this.outside);
  }

  close(back = false) {
    if (!this.isOpen) return;
    document.removeEventListener("pointerdown", this.outside);
    if (back) this.button.focus(); // before its item is hidden
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  get buttons() {
    return [...this.list.querySelectorAll("button")];
  }

  onKey(event) {
    const { buttons, isOpen } = this;
    const at = buttons.indexOf(document.activeElement);
    if (!isOpen) {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      this.open(event.key === "ArrowDown" ? 0 : -1);
    } else if (event.key === "Escape") this.close(true);
    else if (event.key === "Tab") return this.close(true);
    else if (event.key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
    else if (event.key === "ArrowUp") buttons.at(at - 1).focus();
    else if (event.key === "Home") buttons[0].focus();
    else if (event.key === "End") buttons.at(-1).focus();
    else return;
    event.preventDefault(); // Esc closes the menu and nothing else
    event.stopPropagation();
  }
}
