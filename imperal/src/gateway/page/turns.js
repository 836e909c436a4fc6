// Draws one turn: the user's call with its parameters, a reply, a notice, the outcome of a task, an error with a way out. The
// position of turns in the chat is chat.js.

import { h, icon, refill, visible } from "./dom.js";
import { isExact, write } from "./exact-json.js";
import { longText } from "./show-more.js";
import { showData, showTools } from "./result-data.js";
import { showTree } from "./ui-tree.js";
import { count, fullTime, humanise, taskStateLabel, time, taskDuration } from "./format.js";

/**
 * The element of a turn. `acts` has again(turn), edit(turn), task(id), reveal(call), revealReply(call), avatar(turn),
 * ranAgain(turn), and for UI trees has(app, function), call(app, function, params).
 */
export function turnElement(turn, acts) {
  const el = h("li", {
    class: `turn ${turn.role} ${turn.type}`,
    "data-seq": turn.seq,
    "data-turn": turn.turn_id,
    tabindex: "-1",
  });
  if (turn.role === "user") el.append(asked(turn), under(turn, edit(turn, acts)));
  else if (turn.type === "system" && !turn.result) el.append(avatar(icon("info")), notice(turn));
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
    h("time", { datetime: turn.at, title: `${fullTime(turn.at)} · number ${turn.seq}` }, time(turn.at)),
  );
}

function asked(turn) {
  const title = turn.function ? humanise(turn.function) : null;
  return h(
    "article",
    { class: "bubble", "aria-label": `You, ${time(turn.at)}` },
    title ? h("h2", { class: "call-name" }, title) : longText(turn.text),
    params(turn.params),
  );
}

function edit(turn, acts) {
  return (
    turn.function &&
    h(
      "button",
      { type: "button", class: "link", onclick: () => acts.edit(turn) },
      icon("edit"),
      "Edit and run",
      h("span", { class: "hidden" }, ` ${humanise(turn.function)}`),
    )
  );
}

const SHORT = 280; // characters of a parameter shown at first
const LINES = 6;
const MUCH = 20_000; // longer parameters are shown in steps

function params(value) {
  if (!value || typeof value !== "object" || !Object.keys(value).length) return null;
  const one = (v) => {
    if (isExact(v)) return v.rawJSON;
    if (typeof v === "string") return clipped(v);
    if (typeof v === "boolean") return v ? "yes" : "no";
    if (typeof v === "number") return String(v);
    return h("code", { class: "inline-json" }, clipped(write(v)));
  };
  const entries = Object.entries(value).filter(([, v]) => v !== null && v !== "");
  if (entries.length === 1 && typeof entries[0][1] === "string")
    return h("div", { class: "param-text", dir: "auto" }, one(entries[0][1]));
  return h(
    "dl",
    { class: "params" },
    entries.map(([key, v]) => h("div", null, h("dt", null, humanise(key)), h("dd", { dir: "auto" }, one(v)))),
  );
}

function clipped(text) {
  const start = text.slice(0, SHORT).split("\n").slice(0, LINES).join("\n").trimEnd();
  if (start === text.trimEnd()) return text;
  const shown = h("span", null, `${start}…`);
  const button = h("button", { type: "button", class: "link" }, "Show all");
  button.addEventListener("click", () => {
    if (text.length > MUCH) shown.replaceWith(longText(text));
    else shown.textContent = visible(text);
    button.remove();
  });
  return [shown, " ", button];
}

function notice(turn) {
  return h(
    "article",
    { class: "notice-turn", "aria-label": `Notice, ${time(turn.at)}` },
    longText(turn.text),
    cut(turn),
    under(turn),
  );
}

function said(turn, acts) {
  const result = turn.result;
  const cancelled = result?.error_code === "CANCELLED"; // a cancel that the user asked for is not a failure
  const failed = result?.status === "error" && !cancelled;
  const isOutcome = Boolean(turn.task_id && result);
  const kind = isOutcome ? "Outcome" : turn.type === "tool_result" ? "Tool result" : failed ? "Error" : "Reply";
  const tree = result?.ui && showTree(result.ui, turn.app_id, acts);
  const data = tree ? null : showData(result?.data);
  const tools = tree || data ? showTools(result.data, tree && result.ui) : null;
  const text = turn.text || result?.error || result?.summary || "";
  const boxed = isOutcome || failed || data || tree || turn.type === "tool_result";
  return h(
    "article",
    {
      class: `card${boxed ? " boxed" : ""}${tree ? " wide" : ""}${failed ? " failed" : ""}${isOutcome ? " outcome" : ""}`,
      "aria-label": `${kind}, ${time(turn.at)}`,
    },
    isOutcome && outcomeHead(turn, acts),
    !isOutcome && turn.type === "tool_result" && h("div", { class: "kicker" }, icon("audit"), "Tool result"),
    h(
      "div",
      { class: "say" },
      failed && icon("alert"),
      h("div", { class: "say-text" }, longText(text), failed && errorNote(result)),
    ),
    cut(turn),
    tree,
    data,
    wayOut(turn, acts),
    h(
      "div",
      { class: "card-foot" },
      under(turn, turn.function && !isOutcome && boxed && h("span", { class: "from" }, humanise(turn.function))),
      tools?.tools,
    ),
    tools?.raw,
  );
}

function outcomeHead(turn, acts) {
  const task = acts.task(turn.task_id);
  const state = taskStateLabel(!task || task.state === "running" ? stateOf(turn.result) : task.state);
  const name = humanise(task?.name ?? turn.function ?? "task");
  return h(
    "div",
    { class: "kicker" },
    h("span", { class: `chip ${state.tone}` }, state.icon && icon(state.icon), state.word),
    h("span", { class: "task-name" }, name),
    task?.finished_at && h("span", { class: "muted" }, `after ${taskDuration(task)}`),
    h(
      "button",
      { type: "button", class: "link to-call", onclick: () => acts.revealReply(turn.call_id) },
      icon("up"),
      "See the call",
    ),
  );
}

// The task of an old outcome may not be loaded: its result has the state.
function stateOf(result) {
  const byCode = {
    CANCELLED: "cancelled",
    BACKEND_TIMEOUT: "timed_out",
    INTERRUPTED: "reclaimed",
    TASK_SILENT: "reclaimed",
  };
  return result.status === "success" ? "succeeded" : (byCode[result.error_code] ?? "failed");
}

function errorNote(result) {
  return result.error_code ? h("p", { class: "error-note" }, h("code", null, result.error_code)) : null;
}

function cut(turn) {
  return turn.truncated ? h("p", { class: "help" }, "This text was longer than 64 KiB and was shortened.") : null;
}

/**
 * "Run again" if the same call may succeed: it was interrupted, or its error is retryable. After a click it shows what
 * happened and links to the new call.
 */
function wayOut(turn, acts) {
  const { result, call_id: callId } = turn;
  if (result?.status !== "error" || !callId) return null;
  if (result.error_code !== "INTERRUPTED" && !result.retryable) return null;
  const holder = h("div", { class: "way-out" });
  const error = h("p", { class: "field-error", role: "alert", hidden: true });
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
      { type: "button", class: "link", onclick: () => (idle(), refill(holder, button, error), button.focus()) },
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
    refill(button, h("span", { class: "spinner", "aria-hidden": "true" }), "Starting…");
    const message = await acts.again(turn);
    error.hidden = !message;
    error.textContent = visible(message ?? "");
    if (message) idle();
    else done(acts.ranAgain(turn) ?? { times: 1, last: null });
  });
  const look = () => {
    const ran = acts.ranAgain(turn);
    if (ran) done(ran);
    return ran;
  };
  holder.addEventListener("asked", look); // chat.js sends this for every new call
  idle();
  if (!look()) refill(holder, button, error);
  return holder;
}
