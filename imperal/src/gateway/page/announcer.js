// Announces events to screen readers. Owns the two live regions and how often they speak: a person's own actions are
// announced at once; everything else waits in one queue, which speaks every five seconds at most and sums up the events since.
// New questions interrupt, every five seconds at most. The words for a turn are turn-words.js, those for questions
// question-news.js; announce-setting.js decides how much is announced of tasks.

import { callsOf, isAck, isAnswer } from "./assistant-turns.js";
import { serverNow } from "./api.js";
import { shortened } from "./cut-text.js";
import { h } from "./dom.js";
import { count, durationWords, humanise } from "./format.js";
import { plainWords } from "./plain-words.js";
import { questionNews } from "./question-news.js";
import { currentStep, isOpen, stepNumber, tries } from "./task-words.js";
import { waitWords } from "./wait-words.js";
import { attemptOf, isHeld } from "./work-clock.js";
import { endNews, endState, endVerb, isFailure, isOutcome, turnLabel } from "./turn-words.js";

const GAP_MS = 5000; // between two utterances of the queue
const TOGETHER_MS = 250; // events that come in this time are told together
const QUARTER = 25;
const EACH = 2; // more events of a kind are summed up
const KEEP = 6;
const TEXT = 200;

function put(region, text) {
  region.append(h("p", null, text));
  while (region.children.length > KEEP) region.firstChild.remove();
}

/** Tells at once what a person has just done, without interrupting. */
export const say = (text) => put(document.getElementById("announcer"), text);

/** Interrupts: only for a question that waits for an answer. */
export const ask = (text) => put(document.getElementById("question"), text);

export class Announcer {
  /**
   * `store` is the page's, `isOwn(call)` tells whether this page made a call, `isAsked(question)` whether a question is still
   * open, `wasRead(task_id)` whether an answer was read while it came, `level()` is `none`, `ends` or `quarters`.
   */
  constructor({ store, isOwn, isAsked, wasRead, level }) {
    Object.assign(this, { store, isOwn, isAsked, wasRead, level });
    this.taskOf = (id) => store.tasks.get(id);
    this.told = new Map(); // task_id -> the last quarter that was reached
    this.stopping = new Set(); // tasks whose cancel was announced
    this.now = { turns: [], stops: [] }; // what this person did
    this.queue = emptyQueue();
    this.spoken = -GAP_MS;
    this.loud = []; // new questions
    this.interrupted = -GAP_MS;
    this.seen = new Map(); // task_id -> the attempt, state, step and try of a durable task that were heard of
  }

  turns(turns) {
    for (const turn of turns) {
      if (turn.role !== "bot" || isAck(turn)) continue;
      if (isAnswer(turn) || (!turn.task_id && this.isOwn(turn.call_id))) this.soon("turns", turn);
      else if (isOutcome(turn) && this.level() === "none") continue;
      else this.wait(() => this.queue.turns.push(turn));
    }
  }

  /** Progress: each quarter once, with the real percent. The outcome turn tells the end. */
  task(task) {
    if (!isOpen(task)) {
      const { progress, steps, news } = this.queue;
      for (const known of [this.told, this.stopping, this.seen, progress, steps, news]) known.delete(task.task_id);
      return;
    }
    if (task.cancel_requested_at && !this.stopping.has(task.task_id)) {
      this.stopping.add(task.task_id);
      this.soon("stops", task);
    }
    const quarter = quarterOf(task);
    const before = this.told.get(task.task_id) ?? 0;
    this.told.set(task.task_id, Math.max(quarter, before));
    if (quarter > before && quarter < 100 && this.level() === "quarters")
      this.wait(() => this.queue.progress.set(task.task_id, task));
    if (task.durable) this.durable(task);
  }

  /** A durable task: each new step, the first and the last wait of its tries, and that it went on or waits. */
  durable(task) {
    const step = currentStep(task);
    const before = this.seen.get(task.task_id);
    const now = {
      attempt: attemptOf(task),
      state: task.state,
      step: step && `${stepNumber(task)} ${step.name}`,
      wait: retry(step),
    };
    this.seen.set(task.task_id, now);
    if (!before || this.level() === "none") return;
    const news = (what) =>
      this.wait(() => this.queue.news.set(task.task_id, { ...this.queue.news.get(task.task_id), ...what }));
    if (now.attempt > before.attempt && before.attempt > 0) news({ wentOn: true });
    // the question itself is announced
    if (now.state !== before.state && !isHeld(task) && task.waits_for !== "answer") news({ waits: true });
    if (this.level() !== "quarters" || !isHeld(task)) return;
    if (now.step && now.step !== before.step) this.wait(() => this.queue.steps.set(task.task_id, task.task_id));
    if (now.wait && now.wait !== before.wait) news({ tries: true });
  }

  /** New questions. They interrupt, because a task waits; those that the page opened with do not. */
  questions(task, questions, interrupts) {
    const asked = questions.map((question) => ({ task, question }));
    if (!asked.length) return;
    if (!interrupts) return this.wait(() => this.queue.questions.push(...asked));
    this.loud.push(...asked);
    const since = performance.now() - this.interrupted;
    this.interrupting ??= setTimeout(() => this.interrupt(), Math.max(TOGETHER_MS, GAP_MS - since));
  }

  interrupt() {
    const words = this.questionWords(this.loud);
    this.interrupting = null;
    this.loud = [];
    if (!words.length) return;
    this.interrupted = performance.now();
    ask(joined(words));
  }

  /** Questions that are still open, as they are now. */
  questionWords(asked) {
    return questionNews(
      asked.filter(({ question }) => this.isAsked(question)),
      serverNow(),
    );
  }

  soon(kind, what) {
    this.now[kind].push(what);
    this.telling ??= setTimeout(() => {
      const { turns, stops } = this.now;
      this.telling = null;
      this.now = { turns: [], stops: [] };
      speak([this.turnWords(turns), stopWords(stops)]);
    }, TOGETHER_MS);
  }

  /** Puts something into the queue, and sets its time to speak. */
  wait(add) {
    add();
    const since = performance.now() - this.spoken;
    this.timer ??= setTimeout(() => this.flush(), Math.max(TOGETHER_MS, GAP_MS - since));
  }

  flush() {
    const { turns, progress, steps, news, questions } = this.queue;
    this.timer = null;
    this.queue = emptyQueue();
    const ended = turns.filter(isOutcome);
    const other = turns.filter((turn) => !isOutcome(turn));
    const at = [...steps.keys()].filter((id) => !news.has(id));
    const words = [
      this.questionWords(questions),
      this.turnWords(other),
      this.endWords(ended),
      this.newsWords([...news]),
      progressWords([...progress.values()]),
      this.stepWords(at),
    ];
    if (speak(words)) this.spoken = performance.now();
  }

  one(turn, label = turnLabel) {
    if (isAnswer(turn) && !isFailure(turn) && turn.result?.status === "success") return this.answerWords(turn);
    // a call of the assistant: its answer tells the rest
    const isTool = !turn.task_id && this.store.asked.get(turn.call_id)?.assistant;
    if (isTool && turn.function)
      return isFailure(turn)
        ? `${humanise(turn.function)} failed: ${shortened(plainWords(turn.text), TEXT)}`
        : `${humanise(turn.function)}: done`;
    return `${label(turn, this.taskOf(turn.task_id))}: ${shortened(plainWords(turn.text), TEXT)}`;
  }

  /** `Answer, 120 words: .. 2 actions done.` */
  answerWords(turn) {
    const text = plainWords(turn.text);
    const words = count(turn.text.split(/\s+/).filter(Boolean).length, "word");
    const done = callsOf(turn, this.store).filter((call) => {
      const reply = this.store.answered.get(call.call_id);
      return reply && !isFailure(reply);
    }).length;
    const actions = done ? `${count(done, "action")} done.` : "";
    if (this.wasRead(turn.task_id)) return [`End of the answer, ${words}.`, actions].filter(Boolean).join(" ");
    const begin = shortened(text, TEXT);
    const stop = /[.!?…]$/.test(begin) ? "" : ".";
    return [`Answer, ${words}: ${begin}${stop}`, actions].filter(Boolean).join(" ");
  }

  turnWords(turns) {
    if (turns.length <= EACH) return turns.map((turn) => this.one(turn));
    const errors = turns.filter(isFailure);
    const rest = count(turns.length, "new turn");
    return errors.length
      ? `${rest}, ${count(errors.length, "error")}. The latest: ${this.one(errors.at(-1))}`
      : `${rest}. The latest: ${this.one(turns.at(-1))}`;
  }

  /** Steps that tasks have come to, as they are now. */
  stepWords(ids) {
    const tasks = ids.map(this.taskOf).filter((task) => task && isHeld(task) && currentStep(task));
    if (tasks.length > EACH) return `${count(tasks.length, "task")} went on to another step`;
    return tasks.map((task) => `${humanise(task.name)}: ${currentStep(task).name}, ${stepNumber(task)}`);
  }

  /** The news of durable tasks, in words, by their present state. */
  newsWords(news) {
    const known = news.map(([id, what]) => [this.taskOf(id), what]).filter(([task]) => task && isOpen(task));
    if (known.length <= EACH) return known.flatMap(([task, what]) => newsOf(task, what));
    const parts = [
      ["went on", known.filter(([task, { wentOn }]) => wentOn && isHeld(task))],
      ["try a step again", known.filter(([task, { wentOn, tries: again }]) => again && !wentOn && isHeld(task))],
      ["wait", known.filter(([task]) => !isHeld(task))],
    ];
    const some = parts.filter(([, those]) => those.length > 0);
    return some
      .map(([words, those], index) => `${index ? those.length : count(those.length, "task")} ${words}`)
      .join(", ");
  }

  /** `9 tasks succeeded, 1 failed: ..`. */
  endWords(turns) {
    if (turns.length <= EACH) return turns.map((turn) => this.one(turn, endNews));
    const verbs = turns.map((turn) => endVerb(endState(turn, this.taskOf(turn.task_id)), turn.result.error_code));
    const words = [...new Set(["succeeded", ...verbs])]
      .map((verb) => [verb, verbs.filter((one) => one === verb).length])
      .filter(([, n]) => n > 0)
      .map(([verb, n], index) => `${index ? n : count(n, "task")} ${verb}`);
    const failed = turns.filter(isFailure).at(-1);
    return `${words.join(", ")}${failed ? `. The latest that failed: ${this.one(failed)}` : ""}`;
  }
}

const emptyQueue = () => ({ turns: [], progress: new Map(), steps: new Map(), news: new Map(), questions: [] });

/** The key of a wait before another try that is announced: after the first try, and before the last one. */
const retry = (step) =>
  step?.next_at && (step.attempt === 1 || step.attempt + 1 === step.of_attempts)
    ? `${step.name} ${step.attempt}`
    : null;

const quarterOf = (task) => Math.floor((task.percent ?? 0) / QUARTER) * QUARTER;

/** The news of one durable task: it waits, or it went on, with its step, or a step is tried again. */
function newsOf(task, { wentOn, tries: again }) {
  const name = humanise(task.name);
  const step = currentStep(task);
  if (!isHeld(task)) {
    const { word, text } = waitWords(task, serverNow());
    return [`${name}: ${word.toLowerCase()}. ${text}`];
  }
  const kept = task.steps?.kept ?? 0;
  const words = [];
  if (wentOn)
    words.push(
      task.waited
        ? `${name} goes on after its wait`
        : kept
          ? `${name} went on after a restart, ${count(kept, "step")} kept`
          : `${name} began again after a restart`,
    );
  const wait = step?.next_at ? Date.parse(step.next_at) - serverNow() : 0;
  if (again && wait > 0)
    words.push(`${name} tries again in ${durationWords(wait)}: ${step.name}, after ${tries(step)}`);
  return words;
}

function progressWords(tasks) {
  if (tasks.length <= EACH)
    return tasks.map(
      (task) =>
        `${humanise(task.name)}: ${Math.round(task.percent)} percent${task.message ? `, ${plainWords(task.message)}` : ""}`,
    );
  const reached = new Map();
  for (const task of tasks) reached.set(quarterOf(task), (reached.get(quarterOf(task)) ?? 0) + 1);
  return [...reached]
    .sort(([a], [b]) => b - a)
    .map(([quarter, n]) => `${count(n, "task")} reached ${quarter} percent`)
    .join(", ");
}

const stopWords = (tasks) =>
  tasks.length <= EACH
    ? tasks.map((task) => `${humanise(task.name)}: asked to stop`)
    : `${count(tasks.length, "task")} asked to stop`;

/** Sentences one after the other. */
const joined = (words) => words.reduce((all, one) => `${all}${/[.!?…]$/.test(all) ? "" : "."} ${one}`);

/** One utterance from parts; false if there is nothing to say. */
function speak(parts) {
  const words = parts.flat().filter(Boolean);
  if (words.length) say(joined(words));
  return words.length > 0;
}
