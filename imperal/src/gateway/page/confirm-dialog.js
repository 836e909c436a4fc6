// The question before a destructive call, or before a button of an answer that wants one. Owns what it shows: the function, every
// parameter that will be sent, and buttons that name the deed. The harmless button has the focus.

import { h, icon, newId, refill } from "./dom.js";
import { humanise } from "./format.js";
import { namedParams } from "./param-list.js";

const LOSS = "What it removes may be lost permanently.";

export class ConfirmDialog {
  constructor(dialog) {
    this.dialog = dialog;
    dialog.setAttribute("role", "alertdialog");
  }

  /** Resolves to whether to run `fn` with `params`; `question` is the author's own, if there is one. */
  ask(fn, params, question) {
    const { dialog } = this;
    const danger = fn.action_type === "destructive";
    const name = humanise(fn.name);
    const about = newId("about");
    dialog.setAttribute("aria-describedby", about);
    return new Promise((resolve) => {
      const close = (answer) => () => {
        resolve(answer);
        dialog.close();
      };
      const entries = Object.entries(params ?? {});
      refill(
        dialog,
        h("h2", { id: "confirm-title" }, danger && icon("trash"), `${name}?`),
        h(
          "div",
          { id: about, class: "confirm-about" },
          question && h("p", null, question),
          entries.length > 0 ? namedParams(entries) : h("p", { class: "muted" }, "It has no parameters."),
          danger && h("p", { class: "muted" }, LOSS),
        ),
        h(
          "div",
          { class: "actions" },
          h(
            "button",
            { type: "button", class: "secondary", autofocus: true, onclick: close(false) },
            danger ? "Keep it" : "Cancel",
          ),
          h("button", { type: "button", class: `primary${danger ? " danger" : ""}`, onclick: close(true) }, name),
        ),
      );
      dialog.addEventListener("close", () => resolve(false), { once: true });
      dialog.showModal();
    });
  }
}
