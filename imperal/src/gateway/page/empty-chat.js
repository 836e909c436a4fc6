// The chat before its first turn: what the extension does, where to start, and three facts about background work.

import { h, icon } from "./dom.js";
import { actionTile } from "./function-form.js";
import { appIcon } from "./function-list.js";
import { humanise } from "./format.js";

const STARTS = 3;

const LESSONS = [
  [
    "message",
    "Every call is answered here.",
    "The call stays above its answer. You can edit it there and run it again.",
  ],
  [
    "background",
    "Slow work runs in the background.",
    "You get an answer at once, then progress. You can close the page: the outcome will be in the chat.",
  ],
  ["shield", "Every message is audited.", "Each message of the extension has an entry in the audit trail."],
];

/** The element; `open(app, fn)` opens a form. */
export function emptyChat({ extensions }, open) {
  const all = extensions.flatMap((app) => app.functions.map((fn) => ({ app, fn })));
  if (!all.length)
    return h(
      "div",
      { class: "empty" },
      h(
        "div",
        null,
        h("h2", null, "No functions are loaded"),
        h(
          "p",
          null,
          "The extension declares none. Put ",
          h("code", null, "#[chat_function]"),
          " on an async fn and start it again.",
        ),
      ),
    );
  const only = extensions.length === 1 ? extensions[0] : null;
  return h(
    "div",
    { class: "empty" },
    h(
      "div",
      { class: "hello" },
      only && appIcon(only),
      h("h2", null, only?.name ?? "No calls yet"),
      h("p", null, only?.description ?? `${extensions.length} extensions are loaded.`),
    ),
    h(
      "ul",
      { class: "starts", "aria-label": "Begin with" },
      all
        .slice(0, STARTS)
        .map(({ app, fn }) =>
          h(
            "li",
            null,
            h(
              "button",
              { type: "button", class: "start", onclick: () => open(app, fn) },
              actionTile(fn.action_type),
              h("strong", null, humanise(fn.name)),
              h("span", null, fn.description),
            ),
          ),
        ),
    ),
    h(
      "ul",
      { class: "lessons" },
      LESSONS.map(([sign, lead, more]) =>
        h("li", null, icon(sign), h("span", null, h("strong", null, lead), " ", more)),
      ),
    ),
  );
}
