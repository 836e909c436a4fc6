// What a question of the assistant asks to approve: the function and all of its parameters, as they would run. Nothing in it is
// drawn as Markdown, because a model may have written it.

import { h } from "./dom.js";
import { namedParams } from "./param-list.js";
import { approvalTitle } from "./question-words.js";

/** How long a new approval takes no yes: a click that was meant for something else must not give it. */
export const NO_YES_MS = 600;

export function approvalText(approval) {
  const entries = Object.entries(approval.params ?? {});
  return h(
    "div",
    { class: "approval" },
    h("p", null, h("strong", null, approvalTitle(approval))),
    entries.length > 0 ? namedParams(entries) : h("p", { class: "help" }, "It takes no parameters."),
    h("p", { class: "help" }, "Asked for by the assistant, not typed by you."),
  );
}
