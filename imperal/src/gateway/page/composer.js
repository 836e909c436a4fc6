// The box at the bottom of the chat: messages to the assistant, and functions by their words. Owns the text and its draft, what
// Enter does, messages on their way, and the Stop button. The menu over it is slash-menu.js.

import { explain, isLost } from "./action-error.js";
import { onceReachable, post } from "./api.js";
import { APP, isAnswering } from "./assistant-turns.js";
import { h, icon, refill } from "./dom.js";
import { count } from "./format.js";
import { newKey } from "./request-key.js";
import { SlashMenu } from "./slash-menu.js";

const KEPT = "imperal.message."; // drafts in the browser, by user
const NO_MODEL = "No model is set, so this box finds functions and answers nothing. To set one: ";

export class Composer {
  /**
   * `assistant` is the session's, or null without a model. `acts` has stop(task) and open(app, fn, text), which opens a form
   * and puts the text into it, and sent(). `runbar` is the way to the functions on a narrow screen.
   */
  constructor(el, { owner, assistant, extensions, store, runbar, announce, acts }) {
    Object.assign(this, { el, assistant, store, announce, acts, key: KEPT + owner, waiting: [] });
    this.limit = assistant?.message_limit ?? 20000;
    const name = extensions.length === 1 ? extensions[0].name : "the assistant";
    this.box = h("textarea", {
      id: "message",
      rows: "1",
      dir: "auto",
      placeholder: assistant ? `Ask ${name}, or type / for a function` : "Type what you want, or / for a function",
      "aria-label": assistant ? `Message to ${name}` : "Find a function",
      "aria-describedby": "message-help message-count",
    });
    this.count = h("span", { id: "message-count", class: "message-count" });
    this.send = h("button", { type: "button", class: "primary small send", onclick: () => this.submit() }, "Send");
    this.stop = h("button", { type: "button", class: "secondary small stop", hidden: true }, icon("stop"), "Stop");
    this.functions = h(
      "button",
      { type: "button", class: "link message-functions", onclick: () => this.menu.toggle() },
      h("kbd", { "aria-hidden": "true" }, "/"),
      " Functions",
    );
    this.list = h("ul", { class: "messages-waiting" });
    this.hint = h("p", { class: "help message-hint" });
    this.menu = new SlashMenu({ box: this.box, extensions, choose: (found) => this.chosen(found) });
    const help = assistant
      ? "Enter sends, Shift Enter makes a new line, slash lists functions."
      : "Enter opens the function that fits best.";
    refill(
      el,
      this.list,
      this.menu.el,
      this.hint,
      h("div", { class: "message-box" }, this.box),
      h("span", { class: "hidden", id: "message-help" }, help),
      h("div", { class: "message-tools" }, runbar, this.functions, this.count, this.stop, this.send),
    );
    if (!assistant) {
      refill(this.send, "Find");
      refill(this.hint, NO_MODEL, h("code", null, "--model-url"), " and ", h("code", null, "--model"), ".");
    }
    el.hidden = false;
    this.box.value = this.read();
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.stop.addEventListener("click", () => this.halt());
    store.on("task", () => this.update());
    store.on("turns", () => this.update());
    this.typed();
    this.update();
  }

  focus() {
    this.box.focus();
  }

  typed() {
    const length = [...this.box.value].length;
    const over = length > this.limit;
    this.count.textContent = length ? `${length.toLocaleString("en")} / ${this.limit.toLocaleString("en")}` : "";
    this.count.classList.toggle("over", over);
    this.box.setAttribute("aria-invalid", String(over));
    const idle = !this.box.value.trim() || over;
    if (idle) this.send.setAttribute("aria-disabled", "true");
    else this.send.removeAttribute("aria-disabled");
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    this.keep(this.box.value);
    const text = this.box.value.trim();
    if (text.startsWith("/")) this.menu.show(text.slice(1), true);
    else if (!this.assistant && text) this.menu.show(text, false);
    else this.menu.close();
  }

  onKey(event) {
    // 229: the key belongs to an input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.menu.onKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !this.box.value) {
      const last = this.store.turns.findLast((turn) => turn.role === "user" && turn.app_id === APP);
      if (!last) return;
      event.preventDefault();
      this.put(last.text);
    }
  }

  /** Puts a text into the box, in place of an empty one. */
  put(text) {
    this.box.value = this.box.value.trim() ? `${this.box.value}\n${text}` : text;
    this.typed();
    this.focus();
  }

  chosen({ app, fn }) {
    const text = this.box.value.trim();
    this.menu.close();
    this.set("");
    this.acts.open(app, fn, text.startsWith("/") ? text.replace(/^\/\S*\s*/, "") : text);
  }

  set(text) {
    this.box.value = text;
    this.typed();
  }

  submit() {
    if (this.send.hasAttribute("aria-disabled")) return;
    const text = this.box.value.trim();
    const found = this.menu.best(text.replace(/^\//, ""));
    if (!this.assistant || text.startsWith("/")) {
      if (found) this.chosen(found);
      else this.announce("No function matches. Try other words.");
      return;
    }
    this.set("");
    const message = { text, key: newKey(), el: h("li", { class: "message-waiting", dir: "auto" }) };
    this.waiting.push(message);
    this.deliver(message);
  }

  /** Sends a message until it is in the chat or refused. It keeps its key, so it is answered once. */
  async deliver(message) {
    refill(message.el, h("span", { class: "spinner", "aria-hidden": "true" }), "Sending… ", message.text);
    this.list.append(message.el);
    try {
      await post("v1/chat/say", { text: message.text }, { "idempotency-key": message.key });
      this.gone(message);
      this.announce("Sent.");
      this.acts.sent();
    } catch (error) {
      const again = () => this.deliver(message);
      if (isLost(error)) {
        refill(message.el, h("strong", null, "Offline, not sent yet. "), message.text);
        return onceReachable(again);
      }
      const back = () => (this.gone(message), this.put(message.text));
      refill(
        message.el,
        h("span", { class: "not-sent", role: "alert" }, h("strong", null, "Not sent. "), explain(error)),
        h("span", { class: "message-text" }, message.text),
        h("button", { type: "button", class: "link", onclick: again }, "Send again"),
        h("button", { type: "button", class: "link", onclick: back }, "Put back into the box"),
      );
    }
  }

  gone(message) {
    this.waiting = this.waiting.filter((other) => other !== message);
    message.el.remove();
  }

  /** The tasks that answer messages now: the first one works, the others wait for it. */
  get answering() {
    return this.store.open().filter(isAnswering);
  }

  update() {
    const open = this.answering;
    this.stop.hidden = !open.length;
    if (!this.assistant) return;
    const later = open.filter((task) => task.state === "queued").length;
    const wait = later > 1 ? "wait for their answers" : "waits for its answer";
    refill(this.hint, later > 0 && `${count(later, "message")} ${wait}.`);
  }

  async halt() {
    const [first] = this.answering;
    if (!first || this.stop.hasAttribute("aria-disabled")) return;
    this.stop.setAttribute("aria-disabled", "true");
    try {
      await this.acts.stop(first);
      this.announce("Stopped.");
    } finally {
      this.stop.removeAttribute("aria-disabled");
    }
  }

  // A browser without storage keeps no draft.
  keep(text) {
    try {
      if (text) localStorage.setItem(this.key, text);
      else localStorage.removeItem(this.key);
    } catch {
      /* as above */
    }
  }

  read() {
    try {
      return localStorage.getItem(this.key) ?? "";
    } catch {
      return "";
    }
  }
}
