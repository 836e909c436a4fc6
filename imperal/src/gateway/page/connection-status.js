// The connection's status: the sign in the top bar, the strip over the chat during an outage, and what screen readers
// announce. The connection itself is shared-stream.js.

import { h, icon, refill } from "./dom.js";
import { setOnline } from "./clocks.js";

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  offline: "Offline",
  over: "Signed out",
};
const PATIENCE_MS = 2500; // shorter outages are not announced

export class ConnectionStatus {
  constructor({ sign, strip, say, retry }) {
    Object.assign(this, { sign, strip, say, retry });
    this.state = sign.dataset.state;
    this.told = false;
    sign.addEventListener("click", () => this.down && retry());
  }

  get down() {
    return this.state === "reconnecting" || this.state === "offline";
  }

  show(state) {
    if (this.state === state || this.state === "over") return;
    this.state = state;
    this.sign.dataset.state = state;
    this.sign.querySelector(".label").textContent = WORDS[state];
    this.sign.title =
      { live: "New events appear here immediately.", over: "See the notice above." }[state] ??
      "Select to reconnect now. Missed events are loaded afterwards.";
    setOnline(state === "live" || state === "connecting");
    clearTimeout(this.timer);
    if (this.down) this.timer = setTimeout(() => this.tell(), this.told ? 0 : PATIENCE_MS);
    else this.strip.hidden = true;
    if (state === "live" && this.told) {
      this.told = false;
      this.say("Connected again.");
    }
  }

  tell() {
    if (!this.told) this.say("Connection lost, reconnecting.");
    this.told = true;
    const offline = this.state === "offline";
    refill(
      this.strip,
      offline ? icon("alert") : h("span", { class: "spinner", "aria-hidden": "true" }),
      h(
        "span",
        null,
        h("strong", null, offline ? "You are offline. " : "The server does not answer. "),
        h(
          "span",
          { class: "lost-more" },
          "Your work does not need this page. Missed events are loaded after reconnecting.",
        ),
      ),
      h("button", { type: "button", class: "quiet small", onclick: () => this.retry() }, "Try now"),
    );
    this.strip.hidden = false;
  }
}
