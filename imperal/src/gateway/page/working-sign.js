// The sign under a call that waits for its answer: that it works, for how long, and the button that stops it. A background
// task has its own card, task-card.js.

import { ErrorLine } from "./action-error.js";
import { post } from "./api.js";
import { isCutOff, lastHeard, startTicking, stopTicking } from "./clocks.js";
import { h, icon, refill } from "./dom.js";
import { clock, humanise } from "./format.js";

const SHORT_MS = 3000; // no time is shown before

/** The sign of a call's turn, as {el, stop()}: `stop()` ends its clock. */
export function workingSign({ at: since, call_id: callId, function: name }) {
  const shown = h("span", { class: "elapsed" });
  const word = h("span", null, "Working…");
  const error = new ErrorLine("span");
  const button = h("button", { type: "button", class: "secondary small stop-call" });
  const el = h(
    "div",
    { class: "working" },
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    word,
    shown,
    button,
    error.el,
  );
  const idle = () => {
    button.removeAttribute("aria-disabled");
    refill(button, icon("stop"), "Stop", h("span", { class: "hidden" }, ` ${humanise(name ?? "call")}`));
  };
  button.addEventListener("click", async () => {
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    refill(button, h("span", { class: "spinner", "aria-hidden": "true" }), "Asked to stop");
    error.clear();
    try {
      await post(`v1/calls/${encodeURIComponent(callId)}/cancel`, {});
      word.textContent = "Stopping: it ends soon, or is stopped in a few seconds.";
    } catch (failed) {
      idle();
      error.show(failed);
    }
  });
  idle();
  const one = {
    el,
    tick() {
      const ms = lastHeard() - Date.parse(since);
      shown.textContent = isCutOff() ? "not heard of since the connection was lost" : ms > SHORT_MS ? clock(ms) : "";
    },
  };
  startTicking(one);
  queueMicrotask(() => one.tick());
  return { el, stop: () => stopTicking(one) };
}
