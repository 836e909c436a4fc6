// The question before a destructive call, before a button of an answer that wants one, or before many tasks are cancelled.
// Owns what it shows: the function, every
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
    const danger = fn.action_type === "destructive";
    const name = humanise(fn.name);
    const entries = Object.entries(params ?? {});
    return this.show({
      title: [danger && icon("trash"), `${name}?`],
      about: [
        question && h("p", null, question),
        entries.length > 0
          ? namedParams(entries, fn.params_schema)
          : h("p", { class: "muted" }, "It has no parameters."),
        danger && h("p", { class: "muted" }, LOSS),
      ],
      no: danger ? "Keep it" : "Cancel",
      yes: name,
      danger,
    });
  }

  /** Resolves to whether the answer was `yes`. */
  show({ title, about, no, yes, danger }) {
    const { dialog } = this;
    const id = newId("about");
    dialog.setAttribute("aria-describedby", id);
    return new Promise((resolve) => {
      const close = (answer) => () => {
        resolve(answer);
        dialog.close();
      };
      refill(
        dialog,
        h("h2", { id: "confirm-title" }, title),
        h("div", { id, class: "confirm-about" }, about),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "secondary", autofocus: true, onclick: close(false) }, no),
          h("button", { type: "button", class: `primary${danger ? " danger" : ""}`, onclick: close(true) }, yes),
        ),
      );
      dialog.addEventListener("close", () => resolve(false), { once: true });
      dialog.showModal();
    });
  }
}
