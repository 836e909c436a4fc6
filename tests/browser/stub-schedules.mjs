// The schedules of the stub gateway: the routes of the API over one user's schedules in memory, and runs on demand. Computes next
// times of simple rules in UTC only; what a rule means is tested in Rust.

const DAY_MS = 86_400_000;
const CLOCK = /^(\d+) ([\d,]+) \S+ \S+ \S+$/;

export class StubSchedules {
  constructor(stub) {
    Object.assign(this, { stub, all: [], runs: new Map(), notes: [], refuse: null, refusePreview: null });
    this.bodies = []; // what was sent to make, change and preview schedules
  }

  /** A schedule that exists; `over` replaces parts. */
  add(over = {}) {
    const now = new Date().toISOString();
    const schedule = {
      id: this.stub.id("schedule"),
      name: "Morning digest",
      app_id: "studio",
      function: "refine_output",
      params: { text: "Inbox digest" },
      when: { cron: "0 8 * * *" },
      zone: "UTC",
      words: "every day at 08:00",
      state: "active",
      counts: { runs: 0, skipped: 0, missed: 0, failures: 0, failures_in_a_row: 0 },
      recent: [],
      created_by: "user:dev",
      created_at: now,
      updated_at: now,
      version: 1,
      ...over,
    };
    if (schedule.state === "active") schedule.next_at ??= nextTimes(schedule.when, 1)[0];
    this.all.unshift(schedule);
    return schedule;
  }

  find(id) {
    return this.all.find((one) => one.id === id);
  }

  /** Another state of a schedule, as another window or the platform makes it. */
  change(schedule, over) {
    Object.assign(schedule, over, { version: schedule.version + 1 });
    for (const [key, value] of Object.entries(schedule))
      if (value === undefined || value === null) delete schedule[key];
    return schedule;
  }

  /** A run that has ended, in the history and in the chat. `over` replaces parts of the run. */
  ran(schedule, over = {}, result = { status: "success", summary: "Done.", data: {} }) {
    const due_at = over.due_at ?? new Date().toISOString();
    const run = {
      due_at,
      at: due_at,
      late_by_s: 0,
      state: "succeeded",
      ended_at: due_at,
      text: result.summary,
      ...over,
    };
    if (run.state !== "skipped") run.call_id = this.call(schedule, run, result);
    this.record(schedule, run);
    return run;
  }

  record(schedule, run) {
    this.runs.set(schedule.id, [run, ...(this.runs.get(schedule.id) ?? [])]);
    const key = run.state === "skipped" ? "skipped" : "runs";
    schedule.counts = { ...schedule.counts, [key]: schedule.counts[key] + 1 };
    if (run.state !== "skipped") schedule.last_run = run;
    schedule.recent = this.runs
      .get(schedule.id)
      .slice(0, 7)
      .map(({ state, due_at }) => ({ state, due_at }));
  }

  /** The turns of a scheduled call. */
  call({ id, name, function: fn, params }, { due_at, late_by_s: late_by, ended_at: at }, result) {
    const call_id = this.stub.id("call");
    const parts = { text: fn, function: fn, params, call_id, at, schedule: { id, name, due_at, late_by } };
    this.stub.turn({ role: "user", ...parts });
    if (result) this.stub.turn({ text: result.error ?? result.summary, function: fn, call_id, result, at });
    return call_id;
  }

  /** Answers the routes of schedules. False if the path is another one. */
  async handle(request, path, read, send, fail) {
    const at = path.match(/^\/v1\/schedules(?:\/([^/]+))?(?:\/([a-z]+))?$/);
    if (!at) return false;
    const [, id, act] = at;
    const { method } = request;
    const body = ["POST", "PATCH"].includes(method) ? JSON.parse((await read(request)) || "{}") : {};
    if (id === "preview") return this.preview(body, send, fail);
    if (this.refuse && method !== "GET") {
      const { status, code, message, field } = this.refuse;
      this.refuse = null;
      return fail(status, code, message, field);
    }
    if (!id && method === "GET") return send(200, { schedules: this.all });
    if (!id) return this.make(body, send, fail);
    const schedule = this.find(id);
    if (!schedule) return fail(404, "NOT_FOUND", "There is no such schedule.");
    if (act === "runs") return send(200, { runs: this.runs.get(id) ?? [] });
    if (act) return this.act(schedule, act, body, send, fail);
    if (method === "DELETE") {
      this.all = this.all.filter((one) => one !== schedule);
      return send(200, { deleted: true });
    }
    if (method === "PATCH") {
      this.bodies.push(body);
      const { version, approve, ...changes } = body;
      if (version !== undefined && version !== schedule.version)
        return fail(409, "SCHEDULE_CHANGED", "The schedule was changed meanwhile: read it and try again.");
      if (approve && schedule.approval) schedule.approval = { ...schedule.approval, given: true };
      if (changes.when)
        Object.assign(changes, { words: wordsOf(changes.when), next_at: nextTimes(changes.when, 1)[0] });
      this.change(schedule, changes);
    }
    return send(200, schedule);
  }

  make(body, send, fail) {
    this.bodies.push(body);
    const { approve, ...parts } = body;
    if (isDestructive(body) && approve !== digestOf(body))
      return fail(409, "APPROVAL_NEEDED", `Send “approve”: “${digestOf(body)}”.`);
    const approval = isDestructive(body) ? { approval: { needed: true, given: true, digest: approve } } : {};
    const schedule = this.add({ ...parts, ...approval, words: wordsOf(body.when) });
    return send(201, schedule);
  }

  act(schedule, act, body, send, fail) {
    if (act === "pause" && schedule.state === "active")
      this.change(schedule, {
        state: "paused",
        paused_by: "user:dev",
        paused_at: new Date().toISOString(),
        next_at: undefined,
      });
    if (act === "resume") {
      if (schedule.stays) return fail(409, "SCHEDULE_NOT_ACTIVE", schedule.reason.text);
      const next_at = nextTimes(schedule.when, 1)[0];
      this.change(schedule, {
        state: "active",
        paused_by: undefined,
        paused_at: undefined,
        reason: undefined,
        next_at,
      });
    }
    if (act === "run") {
      const due_at = new Date().toISOString();
      const run = { due_at, at: due_at, late_by_s: 0, state: "running" };
      run.call_id = this.call(schedule, { ...run, ended_at: due_at }, null);
      this.change(schedule, { running: run });
    }
    return send(200, schedule);
  }

  preview(body, send, fail) {
    this.bodies.push(body);
    if (this.refusePreview) {
      const { status, code, message, field } = this.refusePreview;
      return fail(status, code, message, field);
    }
    const next = nextTimes(body.when, body.count ?? 5).map((at) => ({ at, local: at, offset: "+00:00" }));
    const approval = isDestructive(body) ? { approval: { needed: true, given: false, digest: digestOf(body) } } : {};
    return send(200, { words: wordsOf(body.when), zone: body.zone ?? "UTC", next, notes: this.notes, ...approval });
  }
}

const isDestructive = ({ function: fn }) => fn === "delete_draft";
const digestOf = ({ function: fn, params }) => `of ${fn} ${JSON.stringify(params)}`;

function wordsOf({ cron, every_seconds: seconds }) {
  if (seconds) return `every ${seconds / 3600} hours`;
  const [, minute, hours] = CLOCK.exec(cron) ?? [];
  if (minute === undefined) return `by ${cron}`;
  const two = (n) => String(n).padStart(2, "0");
  const days = { "* * *": "every day", "* * 1-5": "every weekday" }[cron.split(" ").slice(2).join(" ")] ?? `on ${cron}`;
  return `${days} at ${hours
    .split(",")
    .map((hour) => `${two(hour)}:${two(minute)}`)
    .join(" and ")}`;
}

function nextTimes({ cron, every_seconds: seconds }, n) {
  const now = Date.now();
  if (seconds) return Array.from({ length: n }, (_, i) => new Date(now + (i + 1) * seconds * 1000).toISOString());
  const [, minute = "0", hours = "8"] = CLOCK.exec(cron) ?? [];
  const today = new Date(now).setUTCHours(0, 0, 0, 0);
  return Array.from({ length: n + 1 }, (_, day) =>
    hours.split(",").map((hour) => today + day * DAY_MS + Number(hour) * 3_600_000 + Number(minute) * 60_000),
  )
    .flat()
    .filter((at) => at > now)
    .slice(0, n)
    .map((at) => new Date(at).toISOString());
}
