// Starts the page and connects its parts: session, store, stream, chat, functions, activity panel. Owns the top bar, the
// sheet on narrow screens, and what Esc does; other keys are keys.js.

import { accountMenu } from "./account-menu.js";
import { explain, failure, isLost } from "./action-error.js";
import { AnswerReader } from "./answer-reader.js";
import { AnnounceSetting } from "./announce-setting.js";
import { Announcer, say } from "./announcer.js";
import { get, onceReachable, onSessionOver, post, reached } from "./api.js";
import { AskedList } from "./asked-list.js";
import { Audit } from "./audit.js";
import { taskOfRow } from "./audit-words.js";
import { entered, leave } from "./back-button.js";
import { Calls } from "./calls.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { ConfirmDialog } from "./confirm-dialog.js";
import { ConnectionStatus } from "./connection-status.js";
import { fill, h, icon, refill } from "./dom.js";
import { hasDraft } from "./drafts.js";
import { ActivityPanel } from "./activity-panel.js";
import { emptyChat } from "./empty-chat.js";
import { ScheduleDialog } from "./schedule-dialog.js";
import { ScheduleList } from "./schedule-list.js";
import { Schedules } from "./schedules.js";
import { Store } from "./store.js";
import { guardDrops } from "./file-picker.js";
import { setFileLimit } from "./file-upload.js";
import { FunctionForm } from "./function-form.js";
import { FunctionList, appIcon } from "./function-list.js";
import { showSessionEnded, showSignedOut, signedIn } from "./signed-out.js";
import { Keys } from "./keys.js";
import { followPlaces } from "./queue-places.js";
import { QuestionStrip } from "./question-strip.js";
import { BY_HAND } from "./question-words.js";
import { Questions, openCount } from "./questions.js";
import { SharedStream } from "./shared-stream.js";
import { SecretSettings } from "./secret-settings.js";
import { secrets } from "./secrets.js";
import { Shortcut } from "./search-shortcut.js";
import { TaskList } from "./task-list.js";
import { taskOf } from "./task-link.js";
import { TaskQuestions } from "./task-questions.js";
import { TimelinePanel } from "./timeline-panel.js";
import { humanise } from "./format.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 820px)");
const confirm = new ConfirmDialog($("confirm"));
const announceSetting = new AnnounceSetting();
let line = null;
const connection = new ConnectionStatus({ sign: $("link-state"), strip: $("lost"), say, retry: () => line?.kick() });

function notice(...content) {
  refill($("notice"), icon("alert"), h("div", null, content));
  $("notice").hidden = false;
}

/** An error of an action in the top bar. */
function failed(what, error) {
  notice(h("strong", null, what), " ", explain(error));
  if (isLost(error)) onceReachable(() => ($("notice").hidden = true));
}

onSessionOver(() => {
  connection.show("over");
  if (line) showSessionEnded($("notice"));
  else showSignedOut($("gate"));
});

/** On a narrow screen the functions are a sheet over the chat, which the browser's "back" closes. */
function sheet(open) {
  if (document.body.classList.contains("sheet-open") === open) return;
  if (!open) return leave("functions"); // resolves when its entry of the history is gone
  entered("functions", () => showSheet(false));
  showSheet(true);
}

function showSheet(open) {
  document.body.classList.toggle("sheet-open", open);
  for (const el of [$("main"), ...document.querySelectorAll(".top, .skip")]) el.inert = open && narrow.matches;
  if (!open && narrow.matches && !$("runbar").hidden) $("open-side").focus();
}

/** The name of the one that answers messages. */
const assistantName = ({ extensions }) => (extensions.length === 1 ? extensions[0].name : "The assistant");

function buildTop({ user, extensions }, readAnswers) {
  const only = extensions.length === 1 ? extensions[0] : null;
  refill($("brand"), only && appIcon(only), h("span", { class: "brand-name" }, only?.name ?? "Extensions"));
  const settings = new SecretSettings($("secrets"), {
    user,
    nameOf: (appId) => extensions.find((app) => app.app_id === appId)?.name ?? appId,
    confirm: (question) => confirm.show(question),
  });
  const openSecrets = () => {
    $("account").open = false;
    settings.open($("account").firstChild);
  };
  const secretsButton = h("button", { type: "button", class: "quiet", onclick: openSecrets }, icon("lock"), "Secrets");
  const needsSecrets = extensions.some((app) => app.has_secrets);
  accountMenu($("account"), {
    user,
    notice: failed,
    settings: [announceSetting.control, readAnswers, needsSecrets && secretsButton],
  });
  for (const id of ["tools", "runbar", "account"]) $(id).hidden = false;
  fill($("open-audit"), [icon("shield"), h("span", { class: "tool-word" }, "Audit")]);
  showSchedules([]);
}

/** The button of the schedules, with how many of them need the user. */
function showSchedules(all) {
  const n = all.filter(({ state }) => state === "needs_you").length;
  refill(
    $("open-schedules"),
    icon("repeat"),
    h("span", { class: "tool-word" }, "Schedules"),
    n > 0 &&
      h(
        "span",
        { class: "asks-sign" },
        "! ",
        String(n),
        h("span", { class: "asks-word" }, n > 1 ? " need you" : " needs you"),
      ),
  );
}

/** The numbers of open tasks and of those that ask, in the bar and the title, and the number of turns that arrived while the page was hidden. */
class Counts {
  constructor(store, base) {
    Object.assign(this, { store, base, open: -1, asks: 0, unseen: 0 });
    document.addEventListener("visibilitychange", () => document.hidden || this.saw(0));
  }

  tasks() {
    const all = this.store.open();
    const [open, asks] = [all.length, all.filter(openCount).length];
    if (this.open === open && this.asks === asks) return;
    Object.assign(this, { open, asks });
    refill(
      $("open-tasks"),
      icon("tasks"),
      h("span", { class: "tool-word" }, "Tasks"),
      open > 0 && h("span", { class: "badge" }, String(open), h("span", { class: "hidden" }, " not ended")),
      asks > 0 &&
        h(
          "span",
          { class: "asks-sign" },
          "? ",
          String(asks),
          h("span", { class: "asks-word" }, asks > 1 ? " ask" : " asks"),
        ),
    );
    this.title();
  }

  turns(turns) {
    if (document.hidden) this.saw(this.unseen + turns.filter((turn) => turn.role === "bot").length);
  }

  saw(unseen) {
    this.unseen = unseen;
    this.title();
  }

  title() {
    document.title = `${this.asks ? "? " : ""}${this.unseen ? `${this.unseen} new · ` : ""}${this.open > 0 ? `(${this.open}) ` : ""}${this.base}`;
  }
}

/** The actions of turns: call again, open the form of a call, show the speaker's icon. */
function turnActs({ session, store, calls, functions, toEnd }) {
  const run = async (appId, name, params, question, start) => {
    const fn = functions.find(appId, name);
    if (fn && (question || fn.action_type === "destructive") && !(await confirm.ask(fn, params, question)))
      return { done: false };
    return start().then(
      () => (toEnd(), { done: true }),
      (error) => ({ done: false, ...failure(error, "Try again: it cannot run twice."), form: Boolean(error.field) }),
    );
  };
  return {
    avatar: (turn) =>
      appIcon(
        session.extensions.find((app) => app.app_id === turn.app_id) ?? {
          app_id: turn.app_id,
          name: turn.app_id ?? "?",
        },
      ),
    has: (appId, name) => functions.find(appId, name) !== undefined,
    edit: (turn) =>
      functions.reopen(turn)
        ? narrow.matches && sheet(true)
        : say("That function is no longer loaded. Choose another one."),
    call: (appId, name, params, question) => run(appId, name, params, question, () => calls.run(appId, name, params)),
    async again(turn) {
      const asked = await store.askedBy(turn.call_id).catch(() => null);
      const [secret] = secrets(functions.find(asked?.app_id, asked?.function)?.params_schema);
      if (secret) {
        this.edit(asked);
        return {
          message: `${humanise(secret)} is not stored in the chat. Enter it again in the form that has opened.`,
        };
      }
      const ran = await run(asked?.app_id, asked?.function, asked?.params, undefined, () => calls.again(turn.call_id));
      return ran.done ? null : ran;
    },
  };
}

/** The functions that rows of the audit trail are about, as `app/name`; `app/` where only the extension is known, else nothing. */
function functionsOf(rows, store) {
  const turns = new Map(store.turns.map((turn) => [turn.turn_id, turn]));
  return rows.map((row) => {
    const { app_id: appId, function: name } = store.tasks.get(taskOfRow(row)) ?? turns.get(row.target) ?? row;
    return appId ? `${appId}/${name ?? ""}` : undefined;
  });
}

/** The parameter that takes a text from the message box: the first required text, else the first one. */
function textField(schema) {
  const texts = Object.entries(schema?.properties ?? {}).filter(
    ([, { type, writeOnly, enum: values }]) => type === "string" && !writeOnly && !values,
  );
  const required = texts.find(([name]) => schema.required?.includes(name));
  return (required ?? texts[0])?.[0];
}

/** Esc leaves a form for the list, then the sheet for the chat; pressed twice it stops the assistant. */
function onEscape(event, functions, composer) {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || document.querySelector("dialog:modal"))
    return;
  if (functions.back()) return;
  if (document.body.classList.contains("sheet-open")) sheet(false);
  else if (composer.escape()) event.preventDefault();
}

function start(session) {
  const who = `${session.user.tenant_id}/${session.user.id}`;
  const store = new Store();
  const calls = new Calls(store, {
    answered: (seq) => line?.expect(seq),
    schemaOf: (appId, name) => functions.find(appId, name)?.params_schema,
  });
  const announcer = new Announcer({
    store,
    isOwn: (id) => calls.own.has(id),
    isAsked: (question) => questions.isAsked(question),
    wasRead: (taskId) => answerReader?.hasRead(taskId) ?? false,
    level: () => announceSetting.level,
  });
  const questions = new Questions(store, who);
  let changing = null; // {question, approval} whose form was opened: running it is the answer
  const change = (question, approval) => {
    changing = { question, approval };
    functions.reopen({ app_id: approval.app_id, function: approval.function, params: approval.params });
    if (narrow.matches) sheet(true);
  };
  const changed = (app, fn) => {
    const isIt = changing?.approval.app_id === app.app_id && changing?.approval.function === fn.name;
    const { question } = (isIt && changing) || {};
    if (!question) return;
    changing = null;
    if (questions.isAsked(question))
      questions.answers.send(question, BY_HAND).catch((error) => failed("Not answered.", error));
  };
  const questionsOf = (task) => new TaskQuestions(task, { questions, owner: who, announce: say, change });
  const base = session.extensions.length === 1 ? session.extensions[0].name : "Extensions";
  const answerReader = session.assistant && new AnswerReader(store, assistantName(session));
  const counts = new Counts(store, base);
  const openFunction = (app, fn) => {
    functions.open(app, fn, !narrow.matches);
    if (narrow.matches) sheet(true);
  };
  buildTop(session, answerReader?.control);
  signedIn(who);
  setFileLimit(session.file_bytes);
  guardDrops();

  const shortcut = new Shortcut();
  const functions = new FunctionList({
    el: $("side"),
    extensions: session.extensions,
    shortcut,
    hasDraft: (key) => hasDraft(who, key),
    onClose: () => sheet(false),
    showKeys: () => keys.show(),
    makeForm: (app, fn) =>
      new FunctionForm({
        owner: who,
        app,
        fn,
        run: (params) => calls.run(app.app_id, fn.name, params),
        confirm: (params) => confirm.ask(fn, params),
        repeat: (params) => scheduling.repeat(app.app_id, fn.name, params),
        announce: say,
        accepted: () => {
          changed(app, fn);
          chat.toEnd();
          if (narrow.matches) sheet(false);
          else functions.focus();
        },
      }),
  });

  const schedules = new Schedules(store);
  const scheduling = new ScheduleDialog($("schedule"), {
    owner: who,
    extensions: session.extensions,
    schedules,
    confirm: (question) => confirm.show(question),
    find: (appId, name) => {
      const app = session.extensions.find((one) => one.app_id === appId);
      const fn = app?.functions.find((one) => one.name === name);
      return fn && { app, fn };
    },
    made: (schedule, words) => {
      const opener = document.activeElement;
      say(words);
      drawer.bring("schedules");
      drawer.views.schedules.reveal(schedule.id, drawer.covers);
      if (drawer.beside) opener.focus();
    },
  });

  const chat = new Chat({
    store,
    scroller: $("chat"),
    over: $("lost"),
    list: $("turns"),
    edges: { top: $("edge-top"), bottom: $("edge-bottom") },
    newer: $("newer"),
    empty: emptyChat(session, openFunction),
    missing: say,
    acts: {
      ...turnActs({ session, store, calls, functions, toEnd: () => chat.toEnd() }),
      write: (turn) => composer.edit(turn),
      say: (text) => composer.say(text),
      asked: (callId) => store.asked.get(callId),
      repeat: (turn) => scheduling.repeat(turn.app_id, turn.function, turn.params ?? {}),
      schedule: (id) => showSchedule(id),
      questionsOf,
      details: (task) => timeline.toggle(task),
      confirm: (question) => confirm.show(question),
      functionOf: (appId, name) => functions.find(appId, name),
      revealCard: (id) => chat.revealCard(id),
    },
  });

  const composer = new Composer($("composer"), {
    owner: who,
    assistant: session.assistant ?? null,
    extensions: session.extensions,
    store,
    runbar: $("runbar"),
    announce: say,
    acts: {
      stop: (task) => post(`v1/tasks/${encodeURIComponent(task.task_id)}/cancel`, {}),
      sent: () => chat.toEnd(false),
      run: (appId, name, params) => chat.acts.call(appId, name, params),
      all: () => {
        if (narrow.matches) sheet(true);
        functions.focusSearch();
      },
      open: (app, fn, text) => {
        const field = text && textField(fn.params_schema);
        if (field) functions.reopen({ app_id: app.app_id, function: fn.name, params: { [field]: text } });
        else functions.open(app, fn, !narrow.matches);
        if (narrow.matches) sheet(true);
      },
    },
  });

  const strip = new QuestionStrip($("asks"), {
    open: () => questions.open(),
    show: async (task, question) => {
      uncover();
      if (document.body.classList.contains("sheet-open")) await sheet(false);
      if (chat.revealQuestion(task, question.question_id)) return;
      drawer.bring("tasks");
      drawer.views.tasks.revealQuestion(task, question.question_id);
    },
    missing: () => say("No task asks you anything."),
  });

  const uncover = () => [drawer, timeline].forEach((panel) => panel.covers && panel.close());
  const closing = (show) => (id) => {
    uncover();
    show(id);
  };
  const drawer = new ActivityPanel($("drawer"), {
    tasks: new TaskList(store, {
      outcome: closing((id) => chat.revealOutcome(id)),
      call: closing((id) => chat.revealReply(id)),
      confirm: (question) => confirm.show(question),
      details: (task) => timeline.toggle(task),
      questionsOf,
      askedBy: (task) => new AskedList(task, questions),
    }),
    audit: new Audit({
      reveal: { turn: closing((id) => chat.revealTurn(id)), task: closing((id) => chat.revealTask(id)) },
      nameOf: (appId) => session.extensions.find((app) => app.app_id === appId)?.name ?? appId,
      functionsOf: (rows) => functionsOf(rows, store),
      userId: session.user.id,
    }),
    schedules: new ScheduleList(schedules, {
      acts: {
        create: () => scheduling.create(),
        edit: (schedule) => scheduling.edit(schedule),
        duplicate: (schedule) => scheduling.duplicate(schedule),
        confirm: (question) => confirm.show(question),
        reveal: closing((id) => chat.revealCall(id)),
        has: (appId, name) => functions.find(appId, name) !== undefined,
        userId: session.user.id,
      },
      keysOn: () => shortcut.on,
    }),
  });

  const showSchedule = (id) => {
    drawer.bring("schedules");
    if (!schedules.find(id)) return schedules.all && say("That schedule was deleted.");
    return drawer.views.schedules.reveal(id, true);
  };
  schedules.on(() => {
    showSchedules(schedules.all ?? []);
    drawer.count("schedules", schedules.all?.length ?? 0);
  });

  const timeline = new TimelinePanel($("timeline"), {
    store,
    questions,
    acts: {
      outcome: closing((id) => chat.revealOutcome(id)),
      functionOf: (appId, name) => functions.find(appId, name),
    },
  });

  store.on("turns", (turns, live) => {
    if (live) announcer.turns(turns);
    else counts.tasks(); // the first load
    if (live) counts.turns(turns);
    functions.showRecent(store.turns);
  });
  store.on("questions", (task, fresh, isNews) => {
    announcer.questions(task, fresh, isNews);
    strip.update();
    timeline.update(task);
    drawer.views.tasks.updateQuestions(task);
  });
  store.on("task", (task) => {
    announcer.task(task);
    counts.tasks();
    strip.update();
    if (drawer.dialog.open && drawer.shown === "tasks") drawer.views.tasks.update(task);
    timeline.update(task);
  });

  followPlaces(store);

  $("open-tasks").addEventListener("click", () => drawer.open("tasks"));
  $("open-audit").addEventListener("click", () => drawer.open("audit"));
  $("open-schedules").addEventListener("click", () => drawer.open("schedules"));
  $("open-side").addEventListener("click", () => {
    sheet(true);
    functions.focus();
  });
  narrow.addEventListener("change", () => {
    if (document.body.classList.contains("sheet-open")) sheet(false);
  });
  addEventListener("keydown", (event) => onEscape(event, functions, composer));
  const keys = new Keys({
    dialog: $("keys"),
    shortcut,
    acts: {
      // neither a sheet nor a single function has a search to focus
      search: () => narrow.matches || functions.only || functions.focusSearch(),
      tasks: () => drawer.open("tasks"),
      audit: () => drawer.open("audit"),
      schedules: () => drawer.open("schedules"),
      question: () => strip.next(),
      compose: () => composer.focus(),
      stop: () => composer.halt(),
      turn: (by) => chat.step(by),
      newest: () => chat.newest(),
    },
  });
  /** Opens the timeline that an address names. */
  const openLinked = async (taskId) => {
    if (!taskId) return;
    try {
      if (!store.tasks.has(taskId)) store.keep(await get(`v1/tasks/${encodeURIComponent(taskId)}`));
      timeline.open(store.tasks.get(taskId));
    } catch (error) {
      failed("The task of this link cannot be shown.", error);
    }
  };
  addEventListener("hashchange", () => openLinked(taskOf(location.hash)));
  const state = (name) => {
    connection.show(name);
    if (name === "live") reached(performance.now());
  };
  return { store, schedules, line: new SharedStream({ who, store, state }), openLinked };
}

/** Retries until there is an answer. Without a session the sign-in page is shown, and retries end. */
async function insist(ask) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const answer = await ask();
      $("notice").hidden = true;
      return answer;
    } catch (error) {
      if (error.status === 401) return new Promise(() => {});
      notice(explain(error, "The page tries again by itself."));
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

const linked = taskOf(location.hash); // the list of functions changes the address
const started = start(await insist(() => get("v1/session")));
await insist(() => started.store.load());
started.openLinked(linked);
started.schedules.load();
line = started.line;
await line.run();
