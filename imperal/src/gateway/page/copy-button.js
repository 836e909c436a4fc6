// A button that copies a text and says so.

import { h, icon, refill } from "./dom.js";

const SHOWN_MS = 1600;

/** `text()` returns what to copy; `what` completes the name of the button for screen readers. */
export function copyButton(text, what = "") {
  const name = [icon("copy"), "Copy", what && h("span", { class: "hidden" }, ` ${what}`)];
  const button = h("button", { type: "button", class: "quiet small copy" }, name);
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(text()).then(
      () => true,
      () => false,
    );
    refill(button, icon(done ? "check" : "alert"), done ? "Copied" : "Not allowed");
    setTimeout(() => refill(button, name), SHOWN_MS);
  });
  return button;
}
