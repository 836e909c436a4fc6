// The box at the bottom of the chat: messages to the assistant, and functions by their words. Owns the text and its draft, what
// Enter and Esc do, messages on their way, and the Stop button. The lines above it are message-lines.js, the menu over it is
// slash-menu.js.

import { explain, isLost } from "./action-error.js";
import { onceReachable, onSessionOver, post } from "./api.js";
import { isAnswer, isAnswering, isMessage, workOf } from "./assistant-turns.js";
import { h, icon, refill, setText } from "./dom.js";
import { count, humanise } from "./format.js";
import { MessageLines } from "./message-lines.js";
import { newKey } from "./request-key.js";
import { SlashMenu } from "./slash-menu.js";

const KEPT = "imperal.message."; // drafts in the browser, by user
const TWICE_MS = 2000; // for the second Esc
const NO_MODEL = "No model is set, so this box finds functions and answers nothing. To set one: ";

/** The parameter of a function that has only one, if that is a text, as [name, schema]. */
function onlyText({ params_schema: { properties = {}, additionalProperties: more } = {} }) {
  const [[name, schema] = [], other] = Object.entries(properties);
  const plain = schema?.type === "string" && !schema.enum && !schema.format && !schema.writeOnly;
  return plain && !other && !more ? [name, schema] : null;
}

export class Composer {
  /**
   * `assistant` is the session's, or null without a model. `acts` has stop(task), open(app, fn, text), which opens a form
   * and puts the text into it, run(app, fn, params), all() for the list of functions, and sent(). `runbar` is the way to the functions on a narrow
   * screen.
   */
  constructor(el, { owner, assistant, extensions, store, runbar, announce, acts }) {
    Object.assign(this, { el, assistant, store, announce, acts, key: KEPT + owner, waiting: [] });
    this.editing = null; // {turn, before}: an earlier message in the box, and what was in it
    this.escaped = -Infinity; // when Esc was pressed that asked for a second one
    this.over = false; // the session has ended
    this.picked = null; // {app, fn, field}: the text in the box is this parameter
    this.most = assistant?.message_limit ?? 20000;
    const name = extensions.length === 1 ? extensions[0].name : "the assistant";
    this.box = h("textarea", {
      id: "message",
      rows: "1",
      dir: "auto",
      placeholder: assistant ? `Ask ${name}, or type / for a function` : "Type what you want, or / for a function",
      "aria-label": assistant ? `Message to ${name}` : "Find a function",
      "aria-describedby": "message-help message-count",
    });
    this.names = { label: this.box.getAttribute("aria-label"), placeholder: this.box.placeholder };
    this.chip = h("button", { type: "button", class: "picked-function", hidden: true, onclick: () => this.unpick() });
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
    this.lines = new MessageLines({
      store,
      announce,
      stop: acts.stop,
      leaveEditing: () => this.leaveEditing(),
      sendNow: () => this.halt(),
    });
    this.menu = new SlashMenu({
      box: this.box,
      extensions,
      announce,
      choose: (found) => this.chosen(found),
      all: () => (this.set(""), this.acts.all()),
    });
    const help = assistant
      ? "Enter sends, Shift Enter makes a new line, slash lists functions."
      : "Enter opens the function that fits best.";
    refill(
      el,
      this.list,
      this.menu.el,
      this.hint,
      this.lines.el,
      h("div", { class: "message-box" }, this.chip, this.box),
      h("span", { class: "hidden", id: "message-help" }, help),
      h("div", { class: "message-tools" }, runbar, this.functions, this.count, this.stop, this.send),
    );
    if (!assistant) {
      refill(this.hint, NO_MODEL, h("code", null, "--model-url"), " and ", h("code", null, "--model"), ".");
    }
    el.hidden = false;
    this.box.value = this.read();
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.stop.addEventListener("click", () => this.halt());
    for (const event of ["task", "turns"]) store.on(event, () => this.update());
    if (assistant) store.on("turns", (turns, live) => this.lookAtAllowed(turns, live));
    onSessionOver(() => ((this.over = true), this.typed()));
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
    const idle = !this.box.value.trim() || over || this.over;
    if (idle) this.send.setAttribute("aria-disabled", "true");
    else this.send.removeAttribute("aria-disabled");
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    if (!this.picked) this.keep(this.box.value);
    const text = this.picked ? "" : this.box.value.trim();
    if (text.startsWith("/")) this.menu.show(text.slice(1), true);
    else if (!this.assistant && text) this.menu.show(text, false);
    else this.menu.close();
    this.showButtons();
  }

  get limit() {
    return this.picked?.most ?? this.most;
  }

  /** While the assistant answers, Stop takes the place of Send in an empty box; with a text, both are there. */
  showButtons() {
    if (this.picked) {
      this.send.hidden = false;
      return setText(this.send, "Run");
    }
    if (!this.assistant) return setText(this.send, "Find");
    const answers = this.answering.length > 0;
    const parked = this.waiting.some((message) => message.parked);
    this.stop.hidden = !answers;
    this.send.hidden = answers && !this.box.value.trim();
    setText(this.send, parked ? "Send when back" : answers ? "Send when done" : "Send");
  }

  onKey(event) {
    // 229: the key belongs to an input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.menu.onKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Backspace" && this.picked && !this.box.value) {
      event.preventDefault();
      this.unpick();
    } else if (event.key === "ArrowUp" && !this.box.value && !this.picked) {
      const last = this.store.turns.findLast(isMessage);
      if (!last) return;
      event.preventDefault();
      this.edit(last);
    } else if (event.key === "Escape" && this.escape()) event.preventDefault();
  }

  /** Esc leaves editing; else the second one within two seconds stops the answer. Whether it did something. */
  escape() {
    if (this.picked) {
      this.unpick();
      return true;
    }
    if (this.editing) {
      this.leaveEditing();
      return true;
    }
    if (!this.answering.length) return false;
    const isSecond = performance.now() - this.escaped < TWICE_MS;
    this.escaped = isSecond ? -Infinity : performance.now();
    this.lines.escape(!isSecond, TWICE_MS);
    if (isSecond) this.halt();
    return true;
  }

  /** Puts an earlier message into the box. What is sent then is a new message. */
  edit(turn) {
    this.editing = { turn, before: this.editing?.before ?? this.box.value };
    this.lines.edits(turn);
    this.set(turn.text);
    this.focus();
    this.announce("Editing your message. Escape leaves it.");
  }

  leaveEditing() {
    const { before } = this.editing;
    this.editing = null;
    this.lines.edits(null);
    this.set(before);
    this.focus();
  }

  /** Puts a text into the box, in place of an empty one. */
  put(text) {
    this.box.value = this.box.value.trim() ? `${this.box.value}\n${text}` : text;
    this.typed();
    this.focus();
  }

  chosen({ app, fn }) {
    const text = this.box.value.trim();
    const slashed = text.startsWith("/");
    const rest = slashed ? text.replace(/^\/\S*\s*/, "") : text;
    const field = slashed && onlyText(fn);
    this.menu.close();
    this.set("");
    if (field) this.pick(app, fn, field, rest);
    else this.acts.open(app, fn, rest);
  }

  /** The box is the only field of a function, until it has run. */
  pick(app, fn, [field, schema], text) {
    this.picked = { app, fn, field, most: schema.maxLength };
    const name = humanise(fn.name);
    refill(this.chip, name, icon("close"));
    this.chip.setAttribute("aria-label", `${name}: leave this function`);
    this.chip.hidden = false;
    this.name(`${humanise(field)} of ${name}`, schema.description ?? fn.description);
    this.set(text);
    this.focus();
    this.announce(`${name}. The box is its ${humanise(field).toLowerCase()}.`);
  }

  unpick() {
    this.picked = null;
    this.chip.hidden = true;
    this.name(this.names.label, this.names.placeholder);
    this.set("");
    this.focus();
  }

  name(label, placeholder) {
    this.box.setAttribute("aria-label", label);
    this.box.placeholder = placeholder;
  }

  async run({ app, fn, field }, text) {
    this.lines.failed();
    this.send.setAttribute("aria-disabled", "true");
    const { done, message } = await this.acts.run(app.app_id, fn.name, { [field]: text });
    this.typed();
    if (done) this.unpick();
    else if (message) this.lines.failed(message);
  }

  set(text) {
    this.box.value = text;
    this.typed();
  }

  submit() {
    if (this.send.hasAttribute("aria-disabled")) return;
    const text = this.box.value.trim();
    if (this.picked) return this.run(this.picked, text);
    const found = this.menu.best(text.replace(/^\//, ""));
    if (!this.assistant || text.startsWith("/")) {
      if (found) this.chosen(found);
      else this.announce("No function matches. Try other words.");
      return;
    }
    const edits = this.editing?.turn.call_id;
    this.editing = null;
    this.lines.edits(null);
    this.set("");
    this.say(text, edits);
  }

  /** Sends a message; `edits` is the call of the message that it takes the place of. */
  say(text, edits) {
    const message = {
      text,
      edits,
      key: newKey(),
      parked: false,
      el: h("li", { class: "message-waiting", dir: "auto" }),
    };
    this.waiting.push(message);
    return this.deliver(message);
  }

  /** Sends a message until it is in the chat or refused. It keeps its key, so it is answered once. */
  async deliver(message) {
    message.parked = false;
    this.showButtons();
    refill(message.el, h("span", { class: "spinner", "aria-hidden": "true" }), "Sending… ", message.text);
    this.list.append(message.el);
    try {
      const { text, edits, key } = message;
      await post("v1/chat/say", edits ? { text, edits } : { text }, { "idempotency-key": key });
      this.gone(message);
      this.announce("Sent.");
      this.acts.sent();
    } catch (error) {
      const again = () => this.deliver(message);
      if (isLost(error)) {
        refill(message.el, h("strong", null, "Offline, not sent yet. "), message.text);
        message.parked = true;
        this.showButtons();
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
    this.showButtons();
  }

  /** The tasks that answer messages now: the first one works, the others wait for it. */
  get answering() {
    return this.store.open().filter(isAnswering);
  }

  update() {
    if (!this.assistant) return;
    this.showButtons();
    this.lines.queued(this.answering.filter((task) => task.state === "queued"));
    this.lines.update();
  }

  /** The ledger stores a permission a moment after its call. */
  lookAtAllowed(turns, live) {
    const wasAllowed = ({ assistant, call_id: id }) => (assistant ?? this.store.asked.get(id)?.assistant)?.approved;
    if (live && !turns.some((turn) => isAnswer(turn) || wasAllowed(turn))) return;
    this.lines.readAllowed();
  }

  async halt() {
    const [first] = this.answering;
    if (!first || this.stop.hasAttribute("aria-disabled")) return;
    const work = workOf(first, this.store);
    this.stop.setAttribute("aria-disabled", "true");
    try {
      await this.acts.stop(first);
    } catch (error) {
      return this.lines.failed(explain(error));
    } finally {
      this.stop.removeAttribute("aria-disabled");
    }
    this.lines.stopped(work.tasks);
    const kept = work.hasBegun ? " What was written is kept." : "";
    const others = work.tasks.length
      ? ` ${count(work.tasks.length, "background task")} ${work.tasks.length > 1 ? "go" : "goes"} on.`
      : "";
    this.announce(`Stopped.${kept}${others}`);
    // Nothing came: the message can be written again.
    const asked = this.store.asked.get(first.call_id);
    if (!work.hasBegun && asked && !this.box.value.trim() && !this.editing) this.set(asked.text);
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
