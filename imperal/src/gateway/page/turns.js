// Draws one turn: the user's call with its parameters, a reply, a notice, the outcome of a task, an error with a way out. The
// position of turns in the chat is chat.js.

import { ErrorLine } from "./action-error.js";
import { isAck, isAnswer, isMessage } from "./assistant-turns.js";
import { copyButton } from "./copy-button.js";
import { h, icon, refill } from "./dom.js";
import { endedWhen } from "./end-words.js";
import { paramList } from "./param-list.js";
import { prose } from "./prose.js";
import { longText } from "./show-more.js";
import { showData, showTools } from "./result-data.js";
import { dueWords } from "./schedule-words.js";
import { endState, isFailure, isOutcome, turnLabel } from "./turn-words.js";
import { showTree } from "./ui-tree.js";
import { count, humanise, taskStateLabel, time, zonedTime } from "./format.js";

/**
 * The element of a turn. `acts` has again(turn), which resolves to its failure or null, edit(turn), task(id), reveal(call), revealReply(call), avatar(turn),
 * ranAgain(turn), repeat(turn), schedule(id), for the assistant write(turn), say(text) and asked(call), and for UI trees has(app, function), call(app, function, params).
 */
export function turnElement(turn, acts) {
  const el = h("li", {
    class: `turn ${turn.role} ${turn.type}${turn.assistant ? " by-assistant" : ""}${isAck(turn) ? " ack" : ""}`,
    "data-seq": turn.seq,
    "data-turn": turn.turn_id,
    tabindex: "-1",
  });
  if (turn.role === "user") el.append(asked(turn, acts), under(turn, ...callTools(turn, acts)));
  else if (turn.type === "system" && !turn.result) el.append(avatar(icon("info")), notice(turn, acts));
  else el.append(avatar(acts.avatar(turn)), said(turn, acts));
  el.append(h("div", { class: "slot" }));
  return el;
}

const avatar = (content) => h("span", { class: "avatar", "aria-hidden": "true" }, content);

function under(turn, ...extra) {
  return h(
    "div",
    { class: "under" },
    extra,
    h("time", { datetime: turn.at, title: `${zonedTime(turn.at)} · number ${turn.seq}` }, time(turn.at)),
  );
}

function asked(turn, acts) {
  const title = turn.function && !turn.follows && !isMessage(turn) ? humanise(turn.function) : null; // its text says what it follows
  const due = turn.schedule && dueWords(turn.schedule);
  const from = turn.client && `From ${turn.client}`;
  return h(
    "article",
    {
      class: `bubble${due ? " scheduled" : ""}`,
      "aria-label": due ?? `${from || (turn.assistant ? "The assistant" : "You")}, ${time(turn.at)}`,
    },
    from && h("p", { class: "due", dir: "auto" }, icon("plug"), h("span", null, from)),
    turn.assistant &&
      h("p", { class: "help" }, turn.assistant.approved ? "The assistant, allowed by you" : "The assistant"),
    due && h("p", { class: "due", dir: "auto" }, icon("repeat"), h("span", null, due)),
    isMessage(turn) && h("h2", { class: "hidden" }, "Message"), // the card of its task is a level below
    title ? h("h2", { class: "call-name" }, title) : longText(turn.text),
    isMessage(turn) && editedFrom(turn, acts),
    !isMessage(turn) && paramList(turn.params, acts.functionOf?.(turn.app_id, turn.function)?.params_schema),
  );
}

/** The way to the message that this one takes the place of. */
function editedFrom({ params }, acts) {
  const callId = params?.edits;
  if (typeof callId !== "string") return null;
  const before = acts.asked?.(callId);
  return h(
    "button",
    { type: "button", class: "link edited-from", onclick: () => acts.reveal(callId) },
    before ? `Edited from ${time(before.at)}` : "Edited from an earlier message",
    icon("up"),
  );
}

/** Under a call: change it in its form, or run it again as it is. */
function callTools(turn, acts) {
  if (isMessage(turn))
    return [
      copyButton(() => turn.text, "your message"),
      h(
        "button",
        { type: "button", class: "link", onclick: () => acts.write(turn) },
        icon("edit"),
        "Edit and send again",
      ),
    ];
  if (!turn.function || turn.follows) return [];
  const of = h("span", { class: "hidden" }, ` ${humanise(turn.function)}`);
  const edit = h(
    "button",
    { type: "button", class: "link", onclick: () => acts.edit(turn) },
    icon("edit"),
    "Edit and run",
    of,
  );
  if (!acts.has(turn.app_id, turn.function)) return [edit];
  const repeat = h(
    "button",
    {
      type: "button",
      class: "link",
      onclick: () => (turn.schedule ? acts.schedule(turn.schedule.id) : acts.repeat(turn)),
    },
    icon("repeat"),
    turn.schedule ? "Schedule" : "Repeat…",
    of.cloneNode(true),
  );
  const error = new ErrorLine("span");
  const again = h(
    "button",
    { type: "button", class: "link run-again" },
    icon("again"),
    "Run again",
    of.cloneNode(true),
  );
  again.addEventListener("click", async () => {
    if (again.hasAttribute("aria-disabled")) return;
    again.setAttribute("aria-disabled", "true");
    error.clear();
    const failed = await acts.again(turn);
    again.removeAttribute("aria-disabled");
    if (failed?.message) error.say(failed);
  });
  return [error.el, edit, again, repeat];
}

function notice(turn, acts) {
  const { schedule } = turn;
  const show = schedule && (() => acts.schedule(schedule.id));
  return h(
    "article",
    { class: "notice-turn", "aria-label": `Notice, ${time(turn.at)}` },
    prose(turn.text),
    cut(turn),
    show && h("button", { type: "button", class: "link", onclick: show }, icon("repeat"), `Show ${schedule.name}`),
    under(turn),
  );
}

function said(turn, acts) {
  const result = turn.result;
  const failed = isFailure(turn);
  const ends = isOutcome(turn) && !isAnswer(turn);
  const tree = result?.ui && showTree(result.ui, turn.app_id, acts);
  const data = tree ? null : showData(result?.data);
  const tools = tree || data ? showTools(result.data, tree && result.ui) : null;
  const text = turn.text || result?.error || result?.summary || "";
  const boxed = ends || failed || data || tree || turn.type === "tool_result";
  return h(
    "article",
    {
      class: `card${boxed ? " boxed" : ""}${tree ? " wide" : ""}${failed ? " failed" : ""}${ends ? " outcome" : ""}`,
      "aria-label": `${turnLabel(turn, acts.task(turn.task_id))}, ${time(turn.at)}`,
    },
    ends && outcomeHead(turn, acts),
    partial(turn),
    !ends && turn.type === "tool_result" && h("div", { class: "kicker" }, icon("audit"), "Tool result"),
    h(
      "div",
      { class: "say" },
      failed && icon("alert"),
      h("div", { class: "say-text" }, prose(text), failed && errorNote(result)),
    ),
    cut(turn),
    tree,
    data,
    wayOut(turn, acts),
    h(
      "div",
      { class: "card-foot" },
      under(turn, turn.function && !ends && boxed && h("span", { class: "from" }, humanise(turn.function))),
      tools?.tools,
      isAnswer(turn) && !failed && copyButton(() => turn.text, "the answer"),
      isAnswer(turn) && sayAgain(turn, acts),
    ),
    tools?.raw,
  );
}

/**
 * Under an answer: the same message again as a new one, and after a stop or a failure also the way on from what was written. The
 * loop's own attempts go on by themselves; these are for an answer that has ended.
 */
function sayAgain(turn, acts) {
  const { result, call_id: callId } = turn;
  const ended = result?.status === "error";
  const stopped = result?.error_code === "CANCELLED";
  const button = (words, sign, act) =>
    h("button", { type: "button", class: ended ? "secondary small" : "link", onclick: act }, icon(sign), words);
  const again = async () => {
    const asked = acts.asked?.(callId);
    if (asked) acts.say(asked.text);
    else acts.reveal(callId); // not loaded: shows it, or says that it is gone
  };
  return h(
    "span",
    { class: "say-again" },
    stopped && h("span", { class: "muted" }, "Stopped"),
    ended && turn.partial && button("Go on", "down", () => acts.say("Go on from where you stopped.")),
    button("Try again", "again", again),
  );
}

function outcomeHead(turn, acts) {
  const task = acts.task(turn.task_id);
  const state = taskStateLabel(endState(turn, task), turn.result.error_code);
  const name = humanise(task?.name ?? turn.function ?? "task");
  return h(
    "div",
    { class: "kicker" },
    h("span", { class: `chip ${state.tone}` }, state.icon && icon(state.icon), state.word),
    h("span", { class: "task-name", dir: "auto" }, name),
    task?.finished_at && h("span", { class: "muted" }, endedWhen(task)),
    h(
      "button",
      { type: "button", class: "link to-call", onclick: () => acts.revealReply(turn.call_id) },
      icon("up"),
      "See the call",
    ),
  );
}

/** The way from a reply to its call, for a reply that does not stand directly under it; null for other turns. */
export function callLink(turn, acts) {
  if (turn.role !== "bot" || !turn.call_id || isOutcome(turn) || isAck(turn)) return null;
  return h(
    "button",
    { type: "button", class: "link to-call", onclick: () => acts.reveal(turn.call_id) },
    icon("up"),
    "See the call",
    turn.function && h("span", { class: "hidden" }, ` of ${humanise(turn.function)}`),
  );
}

// Codes that the words of the turn say already.
const SAID = new Set(["CANCELLED", "INTERRUPTED", "BACKEND_TIMEOUT", "TASK_SILENT", "TASK_CRASHED", "TASK_STUCK"]);

function errorNote({ error_code: code }) {
  if (!code || SAID.has(code)) return null;
  return h("details", { class: "error-note" }, h("summary", null, "Details"), "Error code ", h("code", null, code));
}

/** The text that was written before the work ended without a success. As text: it may end anywhere, in the middle of a mark too. */
function partial({ partial: text }) {
  if (!text) return null;
  return h(
    "div",
    { class: "partial" },
    h("p", { class: "help" }, "Written until then"),
    h("div", { class: "partial-text", dir: "auto" }, longText(text)),
  );
}

function cut(turn) {
  return turn.truncated ? h("p", { class: "help" }, "This text was longer than 64 KiB and was shortened.") : null;
}

/**
 * "Run again" if the same call may succeed: it was interrupted, or its error is retryable. After a click it shows what
 * happened and links to the new call. The card of a durable task has its ways on, which keep what is done: this leads there.
 */
function wayOut(turn, acts) {
  const { result, call_id: callId } = turn;
  if (result?.status !== "error" || !callId) return null;
  if (result.error_code !== "INTERRUPTED" && !result.retryable) return null;
  if (isAnswer(turn)) return null; // the message above it can be sent again
  if (isOutcome(turn) && acts.task(turn.task_id)?.durable) {
    const show = () => acts.revealCard(turn.task_id);
    const words = [icon("up"), "Go on or run again, at its card"];
    return h("div", { class: "way-out" }, h("button", { type: "button", class: "link", onclick: show }, words));
  }
  const holder = h("div", { class: "way-out" });
  const error = new ErrorLine();
  const button = h("button", { type: "button", class: "secondary small" });
  const idle = () => {
    button.removeAttribute("aria-disabled");
    refill(button, icon("again"), "Run again");
  };
  const done = ({ times, last }) => {
    const held = holder.contains(document.activeElement);
    const see =
      last &&
      h(
        "button",
        { type: "button", class: "link", onclick: () => acts.reveal(last.call_id) },
        "See the new call",
        icon("down"),
      );
    const more = h(
      "button",
      { type: "button", class: "link", onclick: () => (idle(), refill(holder, button, error.el), button.focus()) },
      "Once more",
    );
    refill(
      holder,
      h(
        "span",
        { class: "done" },
        icon("check"),
        times > 1
          ? `Run again ${count(times, "time")}, last at ${time(last.at)}`
          : last
            ? `Run again at ${time(last.at)}`
            : "Run again",
      ),
      see,
      more,
    );
    if (held) (see ?? more).focus();
  };
  button.addEventListener("click", async () => {
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    error.clear();
    refill(button, h("span", { class: "spinner", "aria-hidden": "true" }), "Starting…");
    const failed = await acts.again(turn);
    if (failed?.message) error.say(failed);
    if (failed) idle();
    else done(acts.ranAgain(turn) ?? { times: 1, last: null });
  });
  const look = () => {
    const ran = acts.ranAgain(turn);
    if (ran) done(ran);
    return ran;
  };
  holder.addEventListener("asked", look); // chat.js sends this for every new call
  idle();
  if (!look()) refill(holder, button, error.el);
  return holder;
}
