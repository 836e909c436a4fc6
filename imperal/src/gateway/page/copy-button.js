// Buttons that copy. Owns what is written to the clipboard, and telling that it was done, on the button and to screen
// readers. Which text an answer gives is copy-text.js.

import { say } from "./announcer.js";
import { h, icon, refill } from "./dom.js";

const DONE_MS = 1600;

/** A button with a word. `what()` returns the text, or `{text, html}`; `of` completes its name for screen readers. */
export function copyButton(what, of = "", name = "Copy") {
  const button = h("button", { type: "button", class: "quiet small copy" });
  const show = (sign, word) =>
    refill(button, icon(sign), word ?? [name, of && h("span", { class: "hidden" }, ` ${of}`)]);
  show("copy");
  button.addEventListener("click", () => copy(what, button, show));
  return button;
}

/** A small sign; `name` is its name for screen readers. */
export function copySign(what, name) {
  const button = h("button", { type: "button", class: "icon-button copy-sign", "aria-label": name, title: name });
  const show = (sign) => refill(button, icon(sign));
  show("copy");
  button.addEventListener("click", () => copy(what, button, show));
  return button;
}

async function copy(what, button, show) {
  const given = what();
  const done = await write(typeof given === "string" ? { text: given } : given).then(
    () => true,
    () => false,
  );
  const word = done ? "Copied" : "Not allowed";
  show(done ? "check" : "alert", word);
  say(done ? "Copied." : "The browser does not allow copying.");
  clearTimeout(button.copied);
  button.copied = setTimeout(() => show("copy"), DONE_MS);
}

function write({ text, html }) {
  if (!html || typeof ClipboardItem === "undefined") return navigator.clipboard.writeText(text);
  const part = (type, value) => ({ [type]: new Blob([value], { type }) });
  return navigator.clipboard.write([new ClipboardItem({ ...part("text/plain", text), ...part("text/html", html) })]);
}
