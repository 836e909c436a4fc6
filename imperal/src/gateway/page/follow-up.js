// The ways on from an ended durable task, on its card: go on from its last stored step, or run it again from the start. Owns
// both buttons, the question before effects are done again, and the links between the ended task and the one that follows
// it. The new task starts in a call like any other; a request that is sent twice starts one task.

import { ErrorLine } from "./action-error.js";
import { say } from "./announcer.js";
import { get, post } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { collapsed } from "./effect-words.js";
import { count, humanise } from "./format.js";
import { readAllSteps } from "./stored-steps.js";
import { isOpen, stepNumber } from "./task-words.js";

const EFFECTS = new Set(["intent", "effect"]); // kinds of rows of an effect that was done, or may have been
const NAMED = 5; // effects that the question names

const hidden = (words) => h("span", { class: "hidden" }, words);

export class FollowUp {
  /** `acts` has confirm(question), functionOf(app_id, name) and revealCard(task_id). */
  constructor(store, task, acts) {
    Object.assign(this, { store, acts });
    this.el = h("div", { class: "follow-up" });
    this.error = new ErrorLine();
    this.update(task);
  }

  /** The task, or the one that follows it, has changed. */
  update(task = this.task) {
    this.task = task;
    const next = this.store.followerOf(task.task_id);
    const nextId = next?.task_id ?? task.followed_by; // the follower may be too old to be loaded
    const seen = nextId ? `${nextId} ${next && isOpen(next)}` : `${this.busy} ${task.steps?.done}`;
    if (seen === this.seen) return;
    this.seen = seen;
    const held = this.el.contains(document.activeElement);
    refill(this.el, nextId ? this.follower(nextId, next) : this.ways());
    if (held) (this.el.querySelector(`[data-how="${this.pressed}"]`) ?? this.el.querySelector("button"))?.focus();
  }

  ways() {
    const { task } = this;
    const done = task.steps?.done ?? 0;
    if (task.state === "succeeded") return [this.button("run-again", "Run again", "link"), this.error.el];
    return [
      h(
        "div",
        { class: "actions" },
        this.button("continue", `Go on from ${stepNumber(task)}`, "secondary small"),
        this.button("run-again", "Run again from the start", "secondary small"),
      ),
      done > 0 &&
        h("p", { class: "help" }, `${count(done, "done step")} ${done > 1 ? "are" : "is"} kept and not done again.`),
      this.error.el,
    ];
  }

  button(how, words, look) {
    const busy = this.busy === how;
    return h(
      "button",
      {
        type: "button",
        class: look,
        "data-how": how,
        "aria-disabled": this.busy ? "true" : undefined,
        onclick: () => this.press(how),
      },
      busy ? h("span", { class: "spinner", "aria-hidden": "true" }) : icon(how === "continue" ? "down" : "again"),
      busy ? "Starting…" : words,
      hidden(` of ${humanise(this.task.name)}`),
    );
  }

  /** The way to the task that follows this one; `next` is undefined if that is not loaded. */
  follower(nextId, next) {
    const goesOn = next?.follows.through !== undefined;
    const words = goesOn ? "A new task goes on from here" : "It ran again in a new task";
    return h(
      "p",
      { class: "help follower" },
      icon(goesOn ? "down" : "again"),
      h("span", null, next ? words : "It was continued as another task"),
      h(
        "button",
        { type: "button", class: "link", title: `Task ${nextId}`, onclick: () => this.acts.revealCard(nextId) },
        "See the new task",
        hidden(` ${humanise(next?.name ?? this.task.name)}`),
      ),
    );
  }

  async press(how) {
    if (this.busy) return;
    const { store, task, error } = this;
    this.pressed = how;
    error.clear();
    this.work(how);
    try {
      if (await this.isWanted(how)) {
        const next = store.keep(await post(`v1/tasks/${encodeURIComponent(task.task_id)}/${how}`, {}));
        say(startedWords(next));
        store.say("task", next);
      }
    } catch (failed) {
      error.show(failed, "Try again: it cannot start twice.");
    }
    this.work(null);
  }

  work(how) {
    this.busy = how;
    this.update();
  }

  /** Asks before a destructive function, and before effects that were done are done again. */
  async isWanted(how) {
    const { task, acts } = this;
    const again = how === "run-again";
    const names = again ? await effectsOf(task) : [];
    const danger = acts.functionOf(task.app_id, task.function)?.action_type === "destructive";
    if (!danger && !names.length) return true;
    const name = humanise(task.name);
    const more = names.length - NAMED;
    const list = names.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
    return acts.confirm({
      title: again ? `Run ${name} again from the start?` : `Go on with ${name}?`,
      about: [
        names.length > 0 &&
          h("p", null, "It will do again what was done, or may have been done: ", h("strong", null, list), "."),
        danger && h("p", { class: "muted" }, "What it removes may be lost permanently."),
      ],
      no: "Leave it",
      yes: again ? "Run it again" : "Go on",
      danger: true,
    });
  }
}

/** The names of a task's effects that were done, or may have been. */
async function effectsOf(task) {
  const rows = await readAllSteps(task.task_id);
  const last = collapsed(rows).filter((row) => EFFECTS.has(row.kind));
  return [...new Set(last.map((row) => row.name))];
}

function startedWords({ name, follows }) {
  const kept = follows?.kept ? ` ${count(follows.kept, "done step")} kept.` : "";
  return follows?.through === undefined
    ? `${humanise(name)} runs again from the start.`
    : `${humanise(name)} goes on in a new task.${kept}`;
}

/** Where a task comes from: a line with the way to the ended task; null for a task that follows none. */
export function comesFrom({ name, follows }, acts) {
  if (!follows || !acts?.revealCard) return null;
  const goesOn = follows.through !== undefined;
  const kept = follows.kept ? `, ${count(follows.kept, "step")} kept` : "";
  return h(
    "p",
    { class: "help comes-from" },
    icon(goesOn ? "down" : "again"),
    h("span", null, goesOn ? `Goes on from an earlier task${kept}` : "Runs an earlier task again"),
    h(
      "button",
      { type: "button", class: "link", onclick: () => acts.revealCard(follows.task_id) },
      "See that task",
      hidden(` of ${humanise(name)}`),
    ),
  );
}

/** A task that the page may not have, because it is an old one. */
export async function findTask(store, taskId) {
  return store.tasks.get(taskId) ?? store.keep(await get(`v1/tasks/${encodeURIComponent(taskId)}`));
}
