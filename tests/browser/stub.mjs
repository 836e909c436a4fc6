// A stub of the gateway, for cases that a real binary cannot produce: every shape of parameter and result, gaps in the
// stream, refusals on demand. Owns the API's formats and one user's turns and tasks in memory. Everything that a real
// binary can produce is tested with one.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { within } from "./deadline.mjs";
import { StubFiles } from "./stub-files.mjs";
import { extensions, withFiles } from "./stub-functions.mjs";
import { StubSchedules } from "./stub-schedules.mjs";

const PAGE = new URL("../../imperal/src/gateway/page/", import.meta.url);
const TYPES = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#0f7a63"/><path d="M6 8h12M6 12h9M6 16h11" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>';

/** Secrets that the stub's extension declares. */
const apiKey = () => ({
  app_id: "studio",
  name: "api_key",
  description: "Key of the text service: text.example/keys",
  scope: "user",
  required: true,
  write_mode: "user",
  max_bytes: 200,
  status: "missing",
  writable: true,
});
const sharedKey = () => ({ ...apiKey(), name: "shared_key", scope: "app", required: false, writable: false });

/** A successful result. */
export const DONE = { status: "success", summary: "Done.", data: {} };

export class Stub {
  constructor() {
    this.events = []; // {seq, name, data}
    this.tasks = new Map();
    this.steps = new Map(); // task_id -> its stored steps
    this.drafts = new Map(); // draft_id -> the text that work is writing, with its work
    this.questions = new Map(); // task_id -> its questions
    this.traceUrl = undefined; // where a task's traces are looked up
    this.timelines = new Map(); // task_id -> the entries of its timeline
    this.refuseAnswer = null; // {message, field} for the next answer
    this.beforeQuestions = null; // (task_id) -> the status of a refusal or nothing, perhaps later
    this.schedules = new StubSchedules(this);
    this.secrets = [apiKey(), sharedKey()];
    this.refuseSecret = null; // {status, code, message, field} for the next value
    this.files = new StubFiles();
    this.takesFiles = false; // whether the extension has a function with file parameters
    this.auditRows = null; // rows in place of those of the turns
    this.streams = new Set();
    this.requests = [];
    this.sessionOver = false;
    this.refuse = null; // {status, code, message, field} for the next call
    this.drop = new Set(); // event numbers that the first stream omits
    this.answers = new Map(); // function -> (params, stub) -> result or nothing
    this.pageTurns = Infinity; // most turns of one history page, as for large turns
    this.taskPage = Infinity; // most tasks of one list
    this.ids = 0;
    this.user = { id: "dev", tenant_id: "local", email: "dev@example.com" };
  }

  get head() {
    return this.events.length;
  }

  get turns() {
    return this.events.filter((event) => event.name === "turn").map((event) => event.data);
  }

  id(stem) {
    this.ids += 1;
    return `${stem}_${String(this.ids).padStart(6, "0")}`;
  }

  async start() {
    this.server = createServer((request, response) => this.handle(request, response));
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  async stop() {
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** Ends every live stream, as a proxy or a restart would. */
  cut() {
    for (const stream of this.streams) stream.destroy();
    this.streams.clear();
  }

  event(name, data) {
    const seq = this.events.length + 1;
    const event = {
      seq,
      name,
      data: name === "turn" ? { seq, at: new Date().toISOString(), ...data } : structuredClone(data),
    };
    this.events.push(event);
    if (!this.drop.has(seq)) for (const stream of this.streams) write(stream, event);
    return event.data;
  }

  turn(body) {
    return this.event("turn", {
      turn_id: this.id("turn"),
      app_id: "studio",
      role: "bot",
      type: "response",
      text: "",
      ...body,
    });
  }

  progress(taskId, percent, message) {
    this.report(taskId, { percent, message });
  }

  /** Progress with only these parts. */
  report(taskId, parts) {
    Object.assign(this.tasks.get(taskId), parts);
    const data = { task_id: taskId, ...parts, at: new Date().toISOString() };
    for (const stream of this.streams) write(stream, { name: "progress", data });
  }

  /** Work writes more of a text: pages that read the stream get the piece, unless `lost`. */
  write(draftId, of, text, { lost = false, again = false } = {}) {
    const known = this.drafts.get(draftId) ?? { draft_id: draftId, ...of, text: "" };
    const offset = Buffer.byteLength(known.text);
    if (!again) this.drafts.set(draftId, { ...known, text: known.text + text });
    const data = { draft_id: draftId, ...of, offset: again ? offset - Buffer.byteLength(text) : offset, text };
    if (!lost) for (const stream of this.streams) write(stream, { name: "draft", data });
  }

  /** `GET /v1/drafts` and `/v1/drafts/{id}`. */
  draftsAt(path, query, send, fail) {
    const ends = ({ text, ...of }) => ({ ...of, offset: Buffer.byteLength(text), text: "" });
    if (path === "/v1/drafts") return send(200, { drafts: [...this.drafts.values()].map(ends) });
    const draft = this.drafts.get(path.slice("/v1/drafts/".length));
    if (!draft) return fail(404, "NOT_FOUND", "There is no such draft.");
    const from = Number(query.get("from") ?? 0);
    return send(200, { ...draft, offset: from, text: Buffer.from(draft.text).subarray(from).toString() });
  }

  /** Another state of an open task, with its event. Undefined takes a part away. */
  change(taskId, over) {
    const task = JSON.parse(JSON.stringify({ ...this.tasks.get(taskId), ...over }));
    this.tasks.set(taskId, task);
    this.event("task", task);
  }

  /** Stores a step of a durable task. Returns how many are stored. */
  store(taskId, name, over = {}) {
    const stored = this.steps.get(taskId) ?? [];
    const done_at = new Date().toISOString();
    const { attempt = 1 } = this.tasks.get(taskId);
    stored.push({ ordinal: stored.length + 1, name, kind: "step", attempt, began_at: done_at, done_at, ...over });
    this.steps.set(taskId, stored);
    return stored.length;
  }

  /** A durable task asks: it is parked, with one more open question. Returns the question. */
  ask(taskId, over = {}) {
    const asked = Date.now();
    const question = {
      question_id: this.id("question"),
      task_id: taskId,
      ordinal: (this.questions.get(taskId) ?? []).length + 1,
      name: "publish",
      text: "Publish these images?",
      schema: { title: "Choice", type: "string", enum: ["Publish", "Later"] },
      state: "open",
      asked_at: new Date(asked).toISOString(),
      until: new Date(asked + 27 * 3_600_000 + 60_000).toISOString(),
      ...over,
    };
    this.questions.set(taskId, [...(this.questions.get(taskId) ?? []), question]);
    this.change(taskId, { state: "waiting", waits_for: "answer", deadline_at: undefined, ...this.openOf(taskId) });
    return question;
  }

  /** The part of a task that tells how many questions are open. */
  openOf(taskId) {
    const open = (this.questions.get(taskId) ?? []).filter(({ state }) => state === "open").length;
    return { open_questions: open || undefined };
  }

  /** A question gets its end, and its task goes on as `over` says. */
  close(question, parts, over = {}) {
    Object.assign(question, parts);
    this.change(question.task_id, { state: "queued", waits_for: "process", ...this.openOf(question.task_id), ...over });
  }

  answered(question, answer, by = "user:dev", over = {}) {
    const answered_at = new Date().toISOString();
    this.close(question, { state: "answered", answer, answered_by: by, answered_at }, over);
  }

  /** `POST /v1/tasks/{id}/answer`. */
  answer(taskId, { question_id: id, answer }, send, fail) {
    const question = (this.questions.get(taskId) ?? []).find((one) => one.question_id === id);
    if (!question) return fail(404, "NOT_FOUND", "The task has no such question.");
    if (question.state === "answered" && JSON.stringify(question.answer) === JSON.stringify(answer))
      return send(200, { question });
    if (question.state !== "open")
      return send(409, { error: { code: "QUESTION_CLOSED", message: "The question is closed." }, question });
    if (this.refuseAnswer) {
      const { message, field } = this.refuseAnswer;
      this.refuseAnswer = null;
      return fail(422, "VALIDATION_TYPE_ERROR", message, field);
    }
    this.answered(question, answer);
    return send(200, { question });
  }

  /** `POST /v1/tasks/{id}/continue` and `/run-again`: one new task for however many requests. */
  followUp(taskId, how, send, fail) {
    if (this.refuseFollowUp) return fail(409, "NOT_CONTINUABLE", this.refuseFollowUp);
    const [ended, goesOn] = [this.tasks.get(taskId), how === "continue"];
    const known = [...this.tasks.values()].find(
      ({ follows }) => follows?.task_id === taskId && (goesOn === follows.through) !== undefined,
    );
    if (known) return send(200, known);
    const { function: fn, name, app_id, steps } = ended;
    const call_id = this.id("call");
    const text = goesOn
      ? `Go on with “${name}” from step ${(steps?.done ?? 0) + 1}`
      : `Run “${name}” again from the start`;
    this.turn({ role: "user", text, function: fn, call_id, follows: taskId });
    const follows = goesOn ? { task_id: taskId, through: 9, kept: steps?.done ?? 0 } : { task_id: taskId };
    const made = { name, app_id, follows, durable: true, state: "queued", waits_for: "process", attempt: 0 };
    const next = this.task(call_id, fn, { ...made, deadline_at: undefined });
    this.turn({
      text: "Started.",
      function: fn,
      call_id,
      result: { status: "success", summary: "Started.", data: {} },
    });
    return send(200, this.tasks.get(next));
  }

  /** A call with its reply, as of a foreground function. */
  asked(fn, params, result, at) {
    const call_id = this.id("call");
    const when = at ? { at } : {};
    this.turn({ role: "user", text: fn, function: fn, params, call_id, ...when });
    if (result) this.turn({ text: result.error ?? result.summary, function: fn, call_id, result, ...when });
    return call_id;
  }

  task(callId, fn, over = {}) {
    const now = Date.now();
    const task = {
      task_id: this.id("task"),
      call_id: callId,
      app_id: "studio",
      function: fn,
      name: fn,
      state: "running",
      long_running: false,
      created_at: new Date(now).toISOString(),
      deadline_at: new Date(now + 180_000).toISOString(),
      ...over,
    };
    this.tasks.set(task.task_id, task);
    this.event("task", task);
    return task.task_id;
  }

  end(taskId, state, result) {
    const task = this.tasks.get(taskId);
    Object.assign(task, { state, finished_at: new Date().toISOString() });
    for (const part of ["waits_for", "ready_at", "open_questions"]) delete task[part];
    for (const question of this.questions.get(taskId) ?? [])
      if (question.state === "open") question.state = "withdrawn";
    this.event("task", task);
    task.result = result; // in the task and in the outcome turn, not in the event
    this.turn({
      text: result.error ?? result.summary,
      function: task.function,
      call_id: task.call_id,
      task_id: taskId,
      result,
    });
  }

  async handle(request, response) {
    const url = new URL(request.url, this.url);
    const [path, query] = [url.pathname, url.searchParams];
    this.requests.push(`${request.method} ${path}${url.search}`);
    const send = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(asWritten(body));
    };
    const fail = (status, code, message, field) =>
      send(status, { error: { code, message, ...(field ? { field } : {}) } });
    if (path === "/" || path.startsWith("/page/")) return asset(path, response);
    if (this.sessionOver) return fail(401, "UNAUTHENTICATED", "Your session has ended.");
    if (path === "/v1/session" && request.method === "DELETE") {
      this.sessionOver = true;
      this.cut();
      response.writeHead(204, { "set-cookie": "imperal=; Path=/; Max-Age=0" });
      return response.end();
    }
    if (path === "/v1/session") {
      const shown = this.takesFiles ? withFiles(extensions) : extensions;
      return send(200, { user: this.user, extensions: shown, file_bytes: this.sessionLimit });
    }
    if (path.endsWith("/icon")) {
      response.writeHead(200, { "content-type": TYPES.svg });
      return response.end(ICON);
    }
    if (path === "/v1/chat/turns") return send(200, this.page(query));
    if (path === "/v1/drafts" || path.startsWith("/v1/drafts/")) return this.draftsAt(path, query, send, fail);
    if (path === "/v1/events/stream")
      return this.stream(request, response, Number(request.headers["last-event-id"] ?? query.get("after") ?? 0));
    const open = (task) => ["running", "queued", "waiting", "stuck"].includes(task.state);
    const listed = ({ result: _inTheOutcomeTurn, ...task }) => task;
    if (path === "/v1/tasks/active") return send(200, { tasks: [...this.tasks.values()].filter(open).map(listed) });
    if (path === "/v1/tasks")
      return send(200, {
        tasks: [...this.tasks.values()]
          .reverse()
          .slice(0, Math.min(this.taskPage, Number(query.get("limit") ?? 50)))
          .map(listed),
      });
    if (path === "/v1/audit/check")
      return send(200, { rows: this.audit().length, users: 1, ...(this.broken ? { broken: this.broken } : {}) });
    if (path === "/v1/audit")
      return send(200, { rows: this.audit().filter((row) => row.audit_id > Number(query.get("after") ?? 0)) });
    if ((await this.schedules.handle(request, path, read, send, fail)) !== false) return undefined;
    if (path === "/v1/files" || path.startsWith("/v1/files/"))
      return this.files.handle({ request, response, path, query, send, fail });
    if (path === "/v1/secrets") return send(200, { secrets: this.secrets });
    const named = path.match(/^\/v1\/secrets\/([^/]+)\/([^/]+)$/);
    if (named) {
      const secret = this.secrets.find((one) => one.app_id === named[1] && one.name === named[2]);
      if (request.method === "PUT") {
        this.entered = JSON.parse(await read(request)).value;
        if (this.refuseSecret) {
          const { status, code, message, field } = this.refuseSecret;
          this.refuseSecret = null;
          return fail(status, code, message, field);
        }
        const set_at = new Date().toISOString();
        Object.assign(secret, { status: "set", set_at, set_by: `user:${this.user.id}` });
      }
      if (request.method === "DELETE") {
        Object.assign(secret, { status: "missing", set_at: undefined, set_by: undefined });
        return send(200, { was_set: true });
      }
      return send(200, secret);
    }
    const cancel = path.match(/^\/v1\/tasks\/([^/]+)\/cancel$/);
    if (cancel) {
      const task = this.tasks.get(cancel[1]);
      if (!task) return fail(404, "NOT_FOUND", "There is no such task.");
      task.cancel_requested_at ??= new Date().toISOString();
      if (task.state === "running") this.event("task", task);
      else if (open(task))
        this.end(cancel[1], "cancelled", {
          status: "error",
          summary: "",
          data: {},
          error: `${task.name} was cancelled.`,
          error_code: "CANCELLED",
        });
      return send(200, task);
    }
    const followUp = path.match(/^\/v1\/tasks\/([^/]+)\/(continue|run-again)$/);
    if (followUp) return this.followUp(followUp[1], followUp[2], send, fail);
    const questions = path.match(/^\/v1\/tasks\/([^/]+)\/questions$/);
    if (questions) {
      const status = await this.beforeQuestions?.(questions[1]);
      if (status) return fail(status, "INTERNAL", "The questions cannot be read now.");
      return send(200, { questions: this.questions.get(questions[1]) ?? [] });
    }
    const answer = path.match(/^\/v1\/tasks\/([^/]+)\/answer$/);
    if (answer) return this.answer(answer[1], JSON.parse(await read(request)), send, fail);
    const steps = path.match(/^\/v1\/tasks\/([^/]+)\/steps$/);
    if (steps) {
      const later = (this.steps.get(steps[1]) ?? []).filter((step) => step.ordinal > Number(query.get("after") ?? 0));
      const shown = later.slice(0, Number(query.get("limit") ?? 200));
      return send(200, { steps: shown, ...(later.length > shown.length ? { next: shown.at(-1).ordinal } : {}) });
    }
    const timeline = path.match(/^\/v1\/tasks\/([^/]+)\/timeline$/);
    if (timeline) {
      const entries = this.timelines.get(timeline[1]) ?? [];
      const [after, limit] = [Number(query.get("after") ?? 0), Number(query.get("limit") ?? 200)];
      const page = entries.slice(after, after + limit);
      const more = entries.length > after + page.length;
      const traces = this.traceUrl && { trace_url: this.traceUrl };
      return send(200, {
        task: this.tasks.get(timeline[1]),
        entries: page,
        ...traces,
        ...(more ? { next: after + limit } : {}),
      });
    }
    const one = path.match(/^\/v1\/tasks\/([^/]+)$/);
    if (one && this.tasks.has(one[1])) return send(200, this.tasks.get(one[1]));
    if (path.endsWith("/call")) return this.call(JSON.parse(await read(request)), send, fail);
    fail(404, "NOT_FOUND", "There is nothing here.");
  }

  call({ function: fn, params }, send, fail) {
    if (this.refuse) {
      const { status, code, message, field } = this.refuse;
      this.refuse = null;
      return fail(status, code, message, field);
    }
    const call_id = this.id("call");
    const { key: _notKept, ...kept } = params; // the platform stores no writeOnly parameter
    this.turn({ role: "user", text: fn, function: fn, params: kept, call_id });
    const answer = this.answers.get(fn) ?? (() => ({ status: "success", summary: "Done.", data: params }));
    Promise.resolve(answer(params, this, call_id)).then((result) => {
      const turn = this.turn({ text: result.error ?? result.summary, function: fn, call_id, result });
      send(200, { call_id, turn, result });
    });
  }

  page(query) {
    const limit = Number(query.get("limit") ?? query.get("latest") ?? 50);
    const turns = this.turns;
    const most = Math.min(limit, this.pageTurns);
    const latest = (those) => ({
      turns: those.slice(-most),
      ...(those.length > most ? { next: those.at(-most).seq } : {}),
    });
    if (query.has("latest")) return latest(turns);
    if (query.has("before")) return latest(turns.filter((turn) => turn.seq < Number(query.get("before"))));
    const later = turns.filter((turn) => turn.seq > Number(query.get("after") ?? 0));
    return { turns: later.slice(0, limit), ...(later.length > limit ? { next: later[limit - 1].seq } : {}) };
  }

  stream(request, response, after) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    write(response, { name: "hello", data: { head: this.head } });
    for (const event of this.events.slice(after)) write(response, event);
    this.streams.add(response);
    request.on("close", () => {
      this.streams.delete(response);
      this.onStreamClosed?.();
    });
  }

  /** Resolves when a live stream is closed by its page. */
  streamClosed() {
    return within("a live stream to be closed", new Promise((done) => (this.onStreamClosed = done)));
  }

  audit() {
    if (this.auditRows) return this.auditRows;
    return this.turns
      .filter((turn) => turn.role === "bot")
      .slice(-30)
      .map((turn, index) => ({
        audit_id: index + 1,
        at: turn.at,
        tenant_id: "local",
        user_id: "dev",
        actor: "extension:studio",
        app_id: "studio",
        action: "chat.inject",
        target: turn.turn_id,
        outcome: index % 7 === 3 ? "refused" : "done",
        ...(index % 7 === 3 ? { detail: "The chat belongs to another user." } : {}),
      }));
  }
}

function write(stream, { seq, name, data }) {
  stream.write(`event: ${name}\n${seq ? `id: ${seq}\n` : ""}data: ${asWritten(data)}\n\n`);
}

/** JSON in which a turn's parameters are the text from `written`, so that numbers keep their spelling. */
const asWritten = (body) =>
  JSON.stringify(body, (key, value) =>
    key === "written"
      ? undefined
      : value?.written
        ? { ...value, written: undefined, params: `raw:${value.written}` }
        : value,
  ).replace(/"raw:((?:[^"\\]|\\.)*)"/g, (_, text) => JSON.parse(`"${text}"`));

async function asset(path, response) {
  const name = path === "/" ? "shell.html" : path.slice("/page/".length);
  try {
    const body = await readFile(fileURLToPath(new URL(name, PAGE)));
    response.writeHead(200, {
      "content-type": TYPES[name.split(".").pop()],
      "content-security-policy": CSP,
      "x-content-type-options": "nosniff",
      date: new Date().toUTCString(),
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
