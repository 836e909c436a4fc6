// Starts the page and joins its parts: session, feed, stream, chat, functions, drawer.
// Owns what no part owns alone: the top bar, the state of the connection, the notice when the
// session is over, and the keys that work everywhere.

import { Announcer } from "./announce.js";
import { get, onSessionOver } from "./api.js";
import { Audit } from "./audit.js";
import { Calls, explain } from "./calls.js";
import { Chat } from "./chat.js";
import { fill, h, icon, refill } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Feed } from "./feed.js";
import { FunctionForm } from "./form.js";
import { Functions, appIcon } from "./functions.js";
import { Stream } from "./stream.js";
import { TaskList } from "./tasks.js";
import { humanise } from "./words.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 820px)");
const announcer = new Announcer($("announcer"));
const LINK_WORDS = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", offline: "Offline", over: "Ended" };

function notice(...content) {
  refill($("notice"), icon("alert"), h("div", null, content));
  $("notice").hidden = false;
}

onSessionOver(() => {
  link("over");
  notice(h("strong", null, "This session has ended. "), "Open a fresh link from the terminal: the running process prints one, and so does starting it again.");
});

let linkTimer = null;

function link(state) {
  const el = $("link-state");
  if (el.dataset.state === state || el.dataset.state === "over") return;
  const before = el.dataset.state;
  el.dataset.state = state;
  el.querySelector(".label").textContent = LINK_WORDS[state];
  el.title = state === "live" ? "What happens appears here at once." : "Select to try now. Nothing is lost meanwhile: whatever happened is fetched afterwards.";
  // a blink is not worth interrupting anyone for; a real loss and its end are
  clearTimeout(linkTimer);
  if (state !== "live" && state !== "connecting") linkTimer = setTimeout(() => ((link.said = true), announcer.say("Connection lost, reconnecting.")), 2500);
  if (state === "live" && before !== "connecting" && link.said) announcer.say("Connected again.");
  if (state === "live") link.said = false;
}

/** Asks before a function that is marked destructive. */
function confirmRun(fn) {
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const done = (answer) => () => {
      resolve(answer);
      dialog.close();
    };
    refill(
      dialog,
      h("h2", { id: "confirm-title" }, `Run ${humanise(fn.name).toLowerCase()}?`),
      h("p", null, "It is marked as destructive: what it removes may be gone for good."),
      h("div", { class: "actions" }, h("button", { type: "button", class: "secondary", autofocus: true, onclick: done(false) }, "Do not run"), h("button", { type: "button", class: "primary danger", onclick: done(true) }, "Run it")),
    );
    dialog.addEventListener("close", () => resolve(false), { once: true });
    dialog.showModal();
  });
}

/** On a narrow screen the functions are a sheet over the chat, which "back" closes. */
function sheet(open) {
  if (document.body.classList.contains("sheet-open") === open) return;
  if (open) history.pushState({ sheet: true }, "");
  else if (history.state?.sheet) return history.back(); // and popstate closes it
  showSheet(open);
}

addEventListener("popstate", () => showSheet(false));

function showSheet(open) {
  document.body.classList.toggle("sheet-open", open);
  $("main").inert = open && narrow.matches;
  if (!open && narrow.matches && !$("runbar").hidden) $("open-side").focus();
}

function buildTop(session) {
  const { user, extensions } = session;
  const only = extensions.length === 1 ? extensions[0] : null;
  refill($("brand"), only && appIcon(only), h("span", { class: "brand-name" }, only?.name ?? "Extensions"));
  refill($("who"), user.email ?? user.id);
  $("who").title = `Signed in as ${user.id} of ${user.tenant_id}`;
  for (const id of ["tools", "runbar", "who"]) $(id).hidden = false;
  fill($("open-audit"), [icon("audit"), h("span", { class: "tool-word" }, "Audit")]);
}

function showRunning(feed, base) {
  const running = feed.running().length;
  refill($("open-tasks"), icon("tasks"), h("span", { class: "tool-word" }, "Tasks"), running > 0 && h("span", { class: "badge" }, String(running), h("span", { class: "hidden" }, " running")));
  document.title = running ? `(${running}) ${base}` : base;
}

function emptyChat(session) {
  const none = session.extensions.every((app) => !app.functions.length);
  return h(
    "div",
    { class: "empty" },
    h("h2", null, none ? "No functions are loaded" : "Nothing has been asked yet"),
    none
      ? h("p", null, "The extension declares none. Put #[chat_function] on an async fn and start it again.")
      : h("ol", null, h("li", null, "Pick a function."), h("li", null, "Fill in what it needs and run it."), h("li", null, "Its answer appears here. Long work goes on when you close this page; the outcome waits for you.")),
  );
}

function start(session) {
  const feed = new Feed();
  const calls = new Calls(feed);
  const base = session.extensions.length === 1 ? session.extensions[0].name : "Extensions";
  buildTop(session);

  const functions = new Functions({
    el: $("side"),
    extensions: session.extensions,
    onClose: () => sheet(false),
    makeForm: (app, fn) =>
      new FunctionForm({
        app,
        fn,
        run: (params) => calls.run(app.app_id, fn.name, params),
        confirm: confirmRun,
        announce: (text) => announcer.say(text),
        accepted: () => {
          chat.toEnd();
          if (narrow.matches) sheet(false);
          else functions.focus();
        },
      }),
  });

  const chat = new Chat({
    feed,
    scroller: $("chat"),
    list: $("turns"),
    edges: { top: $("edge-top"), bottom: $("edge-bottom") },
    newer: $("newer"),
    empty: emptyChat(session),
    acts: {
      edit: (turn) => functions.reopen(turn) ? narrow.matches && sheet(true) : announcer.say("That function is no longer loaded."),
      again: async (turn) => {
        const asked = await feed.askedBy(turn.call_id).catch(() => null);
        const fn = asked && functions.find(asked.app_id, asked.function);
        if (fn?.action_type === "destructive" && !(await confirmRun(fn))) return null;
        return calls.again(turn.call_id).then(() => (chat.toEnd(), null), explain);
      },
    },
  });

  const drawer = new Drawer($("drawer"), {
    tasks: new TaskList(feed, (id) => {
      drawer.close();
      chat.revealOutcome(id);
    }),
    audit: new Audit(),
  });

  feed.on("turns", (turns, live) => live && announcer.turns(turns));
  feed.on("task", (task) => {
    announcer.task(task);
    showRunning(feed, base);
    if (drawer.dialog.open && drawer.shown === "tasks") drawer.views.tasks.update(task);
  });
  feed.on("hello", ({ head }) => {
    if (head < feed.lastSeq) location.reload(); // another ledger behind the same address
    else feed.refreshTasks().catch(() => {}); // the next message of the stream brings it as well
  });

  const stream = new Stream({
    after: () => feed.lastSeq,
    take: (name, data, id) => feed.take(name, data, id) || stream.drop(),
    state: link,
  });

  $("open-tasks").addEventListener("click", () => drawer.open("tasks"));
  $("open-audit").addEventListener("click", () => drawer.open("audit"));
  $("link-state").addEventListener("click", () => $("link-state").dataset.state !== "live" && stream.kick());
  $("open-side").addEventListener("click", () => {
    sheet(true);
    functions.focus();
  });
  narrow.addEventListener("change", () => {
    if (document.body.classList.contains("sheet-open")) sheet(false);
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, textarea, select");
    if (event.key === "/" && !typing && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      if (narrow.matches) sheet(true);
      functions.focusSearch();
    }
    if (event.key === "Escape" && document.body.classList.contains("sheet-open")) sheet(false);
  });
  feed.on("turns", (_turns, live) => live || showRunning(feed, base)); // the first load
  return { feed, stream };
}

/** Asks until there is an answer; a 401 has its own notice and ends the asking. */
async function insist(ask) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const answer = await ask();
      $("notice").hidden = true;
      return answer;
    } catch (error) {
      if (error.status === 401) return new Promise(() => {});
      notice(explain(error));
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

const { feed, stream } = start(await insist(() => get("/v1/session")));
await insist(() => feed.load());
await stream.run();
