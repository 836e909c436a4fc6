// Buttons and links in a UI tree: they call a function of the extension that sent the tree, or open an address. Owns
// their looks and the message after a click. Calls take the same way as all calls and ask before a destructive one.
// Actions that this page does not support (panels, free text) are drawn as disabled buttons.

import { onceReachable } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { link, urlOf } from "./links.js";
import { line } from "./prose.js";
import { humanise, time } from "./format.js";

/** The parsed action: {kind, word, ..}; kind is `call`, `open`, or `none` with the reason. */
export function actionOf(action) {
  const given = action !== null && typeof action === "object" ? action : {};
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (given.action === "call" && typeof given.function === "string")
    return {
      kind: "call",
      fn: given.function,
      params: isObject(given.params) ? given.params : {},
      word: humanise(given.function),
    };
  if (given.action === "open" && urlOf(String(given.url))) return { kind: "open", url: given.url, word: "Open" };
  const why = {
    navigate: "This page has no panels.",
    send: "This page does not send messages for you.",
  }[given.action];
  return { kind: "none", why: why ?? "This page does not support its action.", word: "Open" };
}

const VARIANTS = {
  primary: "primary small",
  danger: "secondary small danger",
  destructive: "secondary small danger",
  link: "link",
  ghost: "quiet small",
};

/** A button of a tree. */
export function button({ label, variant, on_click: click, disabled, confirm }, at, extra = {}) {
  const action = actionOf(extra.action ?? click);
  const words = at.text(label) || action.word;
  const look = VARIANTS[variant] ?? "secondary small";
  if (action.kind === "open" && !disabled)
    return h(
      "a",
      { class: look, href: action.url, target: "_blank", rel: "noopener noreferrer" },
      words,
      icon("external"),
      h("span", { class: "hidden" }, "(opens in a new tab)"),
    );
  const can = action.kind === "call" && !disabled && at.acts.has(at.appId, action.fn);
  const why = disabled
    ? null
    : action.kind === "none"
      ? action.why
      : can
        ? null
        : `The function ${action.fn} is not loaded.`;
  if (!can)
    return h(
      "button",
      { type: "button", class: look, disabled: true, title: why },
      words,
      why && h("span", { class: "hidden" }, `. ${why}`),
    );
  return runs({ words, look, confirm, fn: action.fn, params: () => action.params }, at);
}

/** A button that calls a function and shows the result of the click. `params()` returns what to send, or null. */
export function runs({ words, look, type = "button", confirm, fn, params }, at) {
  const said = h("span", { class: "said", role: "status" });
  const press = h("button", { type, class: look }, words);
  let forget = null;
  const idle = () => (press.removeAttribute("aria-disabled"), refill(press, words));
  press.addEventListener("click", async (event) => {
    event.preventDefault();
    if (press.hasAttribute("aria-disabled")) return;
    const given = params();
    if (given === null) return;
    press.setAttribute("aria-disabled", "true");
    refill(press, h("span", { class: "spinner", "aria-hidden": "true" }), words);
    forget?.();
    const { done, message, lost, form } = await at.acts.call(at.appId, fn, given, confirm && at.text(confirm));
    idle();
    const open =
      form &&
      h(
        "button",
        {
          type: "button",
          class: "link",
          onclick: () => at.acts.edit({ app_id: at.appId, function: fn, params: given }),
        },
        "Open the form",
      );
    refill(
      said,
      done && icon("check"),
      done ? ` Asked at ${time(new Date().toISOString())}` : h("span", null, line(message ?? "")),
      open && " ",
      open,
    );
    said.classList.toggle("field-error", Boolean(message));
    if (lost) forget = onceReachable(() => (refill(said), said.classList.remove("field-error")));
  });
  return h("span", { class: "ui-act" }, press, said);
}

/** The small buttons at the end of a row: `[{label?, icon?, on_click, confirm?}]`. */
export function rowActions(actions, at) {
  if (!Array.isArray(actions) || !actions.length) return null;
  return h(
    "span",
    { class: "ui-h gap-1" },
    actions.map((one) =>
      button(
        {
          label: one.label ?? actionOf(one.on_click ?? one.action).word,
          variant: "secondary",
          on_click: one.on_click ?? one.action,
          confirm: one.confirm,
        },
        at,
      ),
    ),
  );
}

/** A link of a tree: an address, or an action in the shape of a link. */
export function linkTo({ label, text, href, on_click: click }, at) {
  const words = at.text(label ?? text ?? href);
  if (click) return button({ label: words, variant: "link", on_click: click }, at);
  const url = urlOf(at.text(href));
  return url ? link(url, words) : h("span", { class: "text" }, words);
}
