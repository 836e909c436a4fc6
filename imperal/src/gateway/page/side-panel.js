// A panel at the side. Owns where it is: on a wide screen it is next to the chat, which stays usable, and replaces another
// panel; else it covers the chat, and the browser's "back" closes it. It does not know its content.

import { entered, leave } from "./back-button.js";

const wide = matchMedia("(min-width: 1100px)");
const panels = new Set();

export class SidePanel {
  /** `layer` is its name in the history. */
  constructor(dialog, layer) {
    Object.assign(this, { dialog, layer });
    panels.add(this);
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.beside || event.defaultPrevented) return; // a modal one closes by itself
      event.preventDefault();
      this.close();
    });
    wide.addEventListener("change", () => this.dialog.open && this.reopen());
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
  }

  /** Whether it is next to the chat now. */
  get beside() {
    return this.dialog.open && !this.dialog.matches(":modal");
  }

  /** Whether it covers the chat now. */
  get covers() {
    return this.dialog.open && !this.beside;
  }

  /** Shows it. Closing gives the focus back to the control that has it now. */
  enter() {
    if (!this.dialog.open) {
      const other = [...panels].find((one) => one.dialog.contains(document.activeElement) && one.beside);
      this.opener = other?.opener ?? document.activeElement;
    }
    this.place();
  }

  place() {
    document.body.classList.toggle("activity-beside", wide.matches);
    if (wide.matches) for (const one of panels) if (one !== this && one.dialog.open) one.close();
    if (this.dialog.open) return;
    if (wide.matches) this.dialog.show();
    else {
      this.dialog.showModal();
      entered(this.layer, () => this.close());
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
    leave(this.layer);
    if (this.moving) {
      this.moving = false;
      return this.place();
    }
    if (![...panels].some((one) => one.beside)) document.body.classList.remove("activity-beside");
    const free = document.activeElement === document.body || this.dialog.contains(document.activeElement);
    if (free) this.opener?.focus();
  }
}
