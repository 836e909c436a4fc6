// The chat: which turns are in the document, and the scroll position. Owns the window over the turns (a long history costs
// no more than a short one), loading earlier turns, staying at the end, and the places of task cards and of "working"
// signs under a call. A turn itself is turns.js.

import { isLost } from "./action-error.js";
import { onceReachable } from "./api.js";
import { callsOf, isAnswering } from "./assistant-turns.js";
import { h, icon, refill } from "./dom.js";
import { Folds } from "./folds.js";
import { findTask } from "./follow-up.js";
import { reconcile } from "./reconcile.js";
import { TaskCard } from "./task-card.js";
import { liveText } from "./live-text.js";
import { isOpen } from "./task-words.js";
import { callLink, turnElement } from "./turns.js";
import { workingSign } from "./working-sign.js";
import { count, dayKey, dayName, humanise } from "./format.js";

const WINDOW = 150; // turns in the document, at most one STEP more
const STEP = 20;
const AT_END_PX = 60;
const OVER_GAP_PX = 20; // around what lies over the chat

export class Chat {
  /** `over` is what lies over the beginning of the chat during an outage. */
  constructor({ store, scroller, over, list, edges, newer, acts, empty, missing }) {
    Object.assign(this, { store, scroller, list, newer, empty, missing });
    this.acts = {
      ...acts,
      task: (id) => store.tasks.get(id),
      reveal: (callId) => this.revealCall(callId),
      revealReply: (callId) => this.revealReply(callId),
      ranAgain: (turn) => store.ranAgain(turn),
    };
    this.first = 0; // the turns [first, last) of the store are in the document
    this.last = 0;
    this.stuck = true;
    this.scrollTop = 0;
    this.unseen = 0;
    this.elements = new Map(); // number of a turn -> its element, for those in the document
    this.cards = new Map(); // task_id -> its card
    this.signs = new Map(); // call_id -> its "working" sign
    this.live = new Map(); // draft_id -> its place
    this.folds = new Folds(store);
    this.edges = edges;
    store.on("turns", (turns, live) => this.added(turns, live));
    store.on("older", (n) => ((this.first += n), (this.last += n)));
    store.on("task", (task) => this.taskChanged(task));
    store.on("text", (draft) => this.textChanged(draft));
    store.on("questions", (task) => this.cards.get(task.task_id)?.updateQuestions());
    newer.addEventListener("click", () => this.toEnd());
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.sentinels = new IntersectionObserver(
      (seen) => seen.forEach((entry) => entry.isIntersecting && this.edge(entry.target)),
      { root: scroller, rootMargin: "800px 0px" },
    );
    new ResizeObserver(() => this.stuck && this.jump()).observe(list);
    new ResizeObserver(() => this.stuck && this.jump()).observe(scroller);
    new ResizeObserver(() => this.makeRoom(over.offsetHeight)).observe(over);
  }

  get atTail() {
    return this.last === this.store.turns.length;
  }

  added(turns, live) {
    const tail = this.last === this.store.turns.length - turns.length;
    if (!live) {
      this.last = this.store.turns.length;
      this.first = Math.max(0, this.last - WINDOW);
      this.renderAll();
      return this.jump();
    }
    if (tail) {
      const from = this.last;
      this.append(this.store.turns.length);
      if (turns.length <= 3)
        for (const turn of this.store.turns.slice(from)) this.element(turn)?.classList.add("fresh");
      if (this.stuck) this.trimTop();
    }
    for (const turn of turns) if (turn.call_id) this.settle(turn.call_id);
    this.fold();
    if (turns.some((turn) => turn.role === "user"))
      this.list.querySelectorAll(".way-out").forEach((el) => el.dispatchEvent(new Event("asked")));
    if (this.stuck && tail) this.jump();
    else {
      this.unseen += turns.filter((turn) => turn.role === "bot").length;
      this.showNewer();
    }
  }

  renderAll() {
    const before = this.elements;
    this.elements = new Map();
    const wanted = [];
    for (let index = this.first; index < this.last; index += 1) wanted.push(this.make(index, before));
    reconcile(this.list, wanted);
    this.fold();
    this.showEmpty();
    this.watchEdges();
  }

  /** Equal runs of schedules and calls of one MCP client become one line, without moving what is on the screen. */
  fold() {
    const apply = () =>
      this.folds.apply(
        () => this.store.turns.slice(this.first, this.last),
        (turn) => this.element(turn),
      );
    if (this.stuck) apply();
    else this.keepPlace(apply);
  }

  /** How many turns more than the window are in the document. Folded ones cost nothing. */
  get surplus() {
    return this.last - this.first - this.folds.folded - WINDOW;
  }

  append(to) {
    const part = document.createDocumentFragment();
    for (; this.last < to; this.last += 1) part.append(this.make(this.last));
    this.list.append(part);
    this.showEmpty();
  }

  make(index, known = this.elements) {
    const turn = this.store.turns[index];
    const el = known.get(turn.seq) ?? this.safely(turn);
    this.elements.set(turn.seq, el);
    this.markDay(el, index);
    this.markCall(el, index);
    queueMicrotask(() => turn.call_id && this.settle(turn.call_id));
    return el;
  }

  /** A turn that cannot be drawn is shown as its text, so that the chat goes on. */
  safely(turn) {
    try {
      return turnElement(turn, this.acts);
    } catch (error) {
      console.error(error);
      return h(
        "li",
        { class: "turn bot", "data-seq": turn.seq, tabindex: "-1" },
        h("article", { class: "card" }, String(turn.text)),
        h("div", { class: "slot" }),
      );
    }
  }

  /** The day above the first turn of each day. Stays right when older turns arrive. */
  markDay(el, index) {
    const [before, turn] = [this.store.turns[index - 1], this.store.turns[index]];
    const wanted = !before || dayKey(before.at) !== dayKey(turn.at);
    const has = el.firstChild.classList.contains("day");
    if (wanted && !has) el.prepend(h("div", { class: "day" }, h("span", null, dayName(turn.at))));
    if (!wanted && has) el.firstChild.remove();
  }

  /** The way to its call in a reply that does not stand directly under it. */
  markCall(el, index) {
    const [before, turn] = [this.store.turns[index - 1], this.store.turns[index]];
    const has = el.querySelector(":scope > article .to-call:not(.kicker *)");
    const link = before?.call_id !== turn.call_id && callLink(turn, this.acts);
    if (link && !has) el.querySelector(":scope > article .under")?.prepend(link);
    if (!link) has?.remove();
  }

  showEmpty() {
    const none = this.store.turns.length === 0;
    if (none && !this.empty.isConnected) this.list.before(this.empty);
    if (!none) this.empty.remove();
  }

  element(turn) {
    return turn && this.elements.get(turn.seq);
  }

  /** Below a call: its running tasks, or the "working" sign. Below its reply if that is in the document. */
  settle(callId) {
    const [asked, reply] = [this.store.asked.get(callId), this.store.answered.get(callId)];
    const [askedEl, replyEl] = [this.element(asked), this.element(reply)];
    const slot = (replyEl ?? askedEl)?.querySelector(":scope > .slot");
    if (!slot) return;
    // The answer of the assistant says that its task has ended.
    const shown = this.store.tasksOf(callId).filter((task) => isOpen(task) || !isAnswering(task));
    const cards = shown.map((task) => this.card(task).el);
    const waiting = !reply && asked && !cards.length;
    const sign = this.signs.get(callId) ?? (waiting ? workingSign(asked) : null);
    if (waiting) this.signs.set(callId, sign);
    else if (sign) this.signs.delete(callId, sign.stop());
    refill(slot, waiting && sign.el, cards, this.textsOf(callId));
    // after the cards have moved to the reply: a card that is taken out would lose the focus
    if (replyEl && askedEl) refill(askedEl.querySelector(":scope > .slot"));
  }

  /** The call below which a text is drawn: its own, or for the assistant's the last one that it has made, so that it is read last. */
  placeOf(draft) {
    const task = this.store.tasks.get(draft.task_id);
    const last = task && isAnswering(task) ? callsOf(task, this.store).at(-1) : null;
    return last?.call_id ?? draft.call_id ?? task?.call_id;
  }

  /** The texts that are drawn below a call: those that it and its tasks are writing, or the assistant's. */
  textsOf(callId) {
    const { texts, tasks, asked } = this.store;
    const wanted = asked.get(callId)?.assistant;
    const works = [{ call_id: callId }, ...this.store.tasksOf(callId), ...(wanted ? [wanted] : [])];
    const drafts = works.flatMap((of) => texts.of(of)).filter((draft) => this.placeOf(draft) === callId);
    return drafts.map((draft) => {
      const known = this.live.get(draft.draft_id);
      const name = tasks.get(draft.task_id)?.name ?? asked.get(callId)?.function ?? "Answer";
      const place = known ?? liveText(humanise(name));
      this.live.set(draft.draft_id, place);
      place.update(draft);
      return place.el;
    });
  }

  /** A text has more, or is over. The part that the reader looks at stays where it is. */
  textChanged(draft) {
    const change = () => {
      const place = this.live.get(draft.draft_id);
      const isOver = !this.store.texts.drafts.has(draft.draft_id);
      if (isOver) this.live.delete(draft.draft_id);
      if (place && !isOver) place.update(draft);
      else this.settle(this.placeOf(draft));
    };
    if (this.stuck) change();
    else this.keepPlace(change);
  }

  card(task) {
    const card =
      this.cards.get(task.task_id) ??
      new TaskCard(this.store, task, (id) => this.revealOutcome(id), { acts: this.acts });
    this.cards.set(task.task_id, card);
    return card;
  }

  taskChanged(task) {
    const card = this.cards.get(task.task_id);
    if (card) card.update(task);
    if (!card || isAnswering(task)) this.settle(task.call_id);
    if (task.follows) this.cards.get(task.follows.task_id)?.updateFollower();
  }

  // --- the window ---

  watchEdges() {
    this.sentinels.disconnect();
    for (const edge of Object.values(this.edges)) this.sentinels.observe(edge);
  }

  async edge(which) {
    if (this.moving || !this.store.turns.length) return;
    this.moving = true;
    try {
      await (which === this.edges.top ? this.extendUp() : this.extendDown());
    } catch (error) {
      const retry = () => (this.watchEdges(), refill(this.edges.top));
      if (isLost(error)) onceReachable(retry);
      refill(
        this.edges.top,
        "Earlier turns could not be loaded. ",
        h("button", { type: "button", class: "link", onclick: retry }, "Try again"),
      );
    } finally {
      this.moving = false;
    }
  }

  async extendUp() {
    if (this.first === 0 && this.store.hasOlder) {
      this.edges.top.textContent = "Loading earlier turns…";
      await this.store.loadOlder();
      this.edges.top.textContent = "";
    }
    if (this.first === 0) return;
    const to = Math.max(0, this.first - STEP);
    this.keepPlace(() => {
      const part = document.createDocumentFragment();
      for (let index = to; index < this.first; index += 1) part.append(this.make(index));
      const old = this.list.firstChild;
      this.list.prepend(part);
      if (old) (this.markDay(old, this.first), this.markCall(old, this.first));
      this.first = to;
      this.fold();
      if (this.surplus > 0 && !this.stuck) this.removeLast(this.surplus);
    });
    this.watchEdges();
  }

  extendDown() {
    if (this.atTail) return;
    this.keepPlace(() => {
      this.append(Math.min(this.store.turns.length, this.last + STEP));
      this.fold();
      if (this.surplus > 0) this.removeFirst(this.surplus);
    });
    this.watchEdges();
  }

  trimTop() {
    if (this.surplus < STEP) return;
    this.removeFirst(this.surplus);
    this.watchEdges();
  }

  removeFirst(n) {
    for (let i = 0; i < n; i += 1) this.drop(this.list.firstChild);
    this.first += n;
  }

  removeLast(n) {
    for (let i = 0; i < n; i += 1) this.drop(this.list.lastChild);
    this.last -= n;
  }

  drop(el) {
    this.elements.delete(Number(el.dataset.seq));
    el.remove();
  }

  /** Changes the document without moving what is on the screen. */
  keepPlace(change) {
    const top = this.scroller.getBoundingClientRect().top;
    const anchor = [...this.list.children].find((el) => el.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    this.scroller.style.overflowAnchor = "none";
    change();
    if (anchor?.isConnected) this.scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    requestAnimationFrame(() => (this.scroller.style.overflowAnchor = ""));
  }

  /** Room before the first turn, so that nothing over the chat hides it for good; what is on the screen stays in its place. */
  makeRoom(height) {
    this.keepPlace(() => this.scroller.style.setProperty("--over", `${height && height + OVER_GAP_PX}px`));
  }

  // --- the scroll position ---

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    // only scrolling up leaves the end: when a turn grows, the chat stays at the end
    const atEnd = this.atTail && scrollHeight - scrollTop - clientHeight < AT_END_PX;
    this.stuck = atEnd || (this.stuck && scrollTop >= this.scrollTop);
    this.scrollTop = scrollTop;
    if (this.stuck) this.unseen = 0;
    this.showNewer();
  }

  showNewer() {
    const away = !this.stuck && this.store.turns.length > 0;
    this.newer.hidden = !away;
    this.newer.classList.toggle("some", this.unseen > 0);
    if (away) refill(this.newer, icon("down"), this.unseen ? `${count(this.unseen, "new turn")} below` : "Latest");
  }

  jump() {
    this.scroller.scrollTop = this.store.turns.length ? this.scroller.scrollHeight : 0; // an empty chat starts at the top
  }

  /** Shows the end of the chat. `focus`: the chat takes it. */
  toEnd(focus = true) {
    this.stuck = true;
    this.unseen = 0;
    if (!this.atTail) {
      this.last = this.store.turns.length;
      this.first = Math.max(0, this.last - WINDOW);
      this.renderAll();
    }
    this.jump();
    this.showNewer();
    if (focus) this.scroller.focus({ preventScroll: true });
  }

  // --- showing one turn ---

  /** Focuses the turn or task card before or after the one with the focus; without one, the last one on the screen. */
  async step(by) {
    const held =
      document.activeElement?.closest("#turns .slot > .task") ?? document.activeElement?.closest("#turns > .turn");
    const next = () => {
      const stops = this.stops();
      return stops[stops.indexOf(held) + by];
    };
    if (held && !next()) await (by < 0 ? this.extendUp() : this.extendDown());
    const el = held ? next() : this.lastOnScreen();
    if (!el) return;
    el.focus({ preventScroll: true });
    el.scrollIntoView({ block: el.offsetHeight > this.scroller.clientHeight ? "start" : "nearest" });
  }

  /** Turns and task cards, in their order. */
  stops() {
    return [...this.list.querySelectorAll(":scope > .turn:not(.folded, .ack), .turn:not(.folded) > .slot > .task")];
  }

  lastOnScreen() {
    const { bottom } = this.scroller.getBoundingClientRect();
    return this.stops().findLast((el) => el.getBoundingClientRect().top < bottom - AT_END_PX) ?? null;
  }

  newest() {
    this.toEnd();
    this.list.lastElementChild?.focus({ preventScroll: true });
  }

  revealOutcome(taskId) {
    return this.seek(() => this.store.ended.get(taskId));
  }

  /** The outcome of a task, or where it began if it has not ended. */
  revealTask(taskId) {
    const task = this.store.tasks.get(taskId);
    return task && isOpen(task) ? this.revealReply(task.call_id) : this.revealOutcome(taskId);
  }

  revealCall(callId) {
    return this.seek(() => callId && this.store.asked.get(callId));
  }

  /** Where a call's task began: its reply, or the call itself if it has no reply. */
  revealReply(callId) {
    return this.seek(
      () => callId && this.store.asked.get(callId) && (this.store.answered.get(callId) ?? this.store.asked.get(callId)),
    );
  }

  /** An open question, on the card of its task. False if the turn that the card is under is not loaded. */
  revealQuestion(task, questionId) {
    const { answered, asked, turns } = this.store;
    const turn = answered.get(task.call_id) ?? asked.get(task.call_id);
    if (!turns.includes(turn)) return false;
    this.reveal(turn);
    this.settle(task.call_id);
    return this.cards.get(task.task_id)?.questions?.focus(questionId) ?? false;
  }

  /** The card of a task, where the task began. */
  async revealCard(taskId) {
    const task = await findTask(this.store, taskId).catch(() => null);
    if (!task) return this.missing("That task is no longer kept.");
    await this.revealReply(task.call_id);
    this.settle(task.call_id);
    const { el } = this.card(task);
    if (!el.isConnected) return; // its turn is not in the history, and that was said
    el.tabIndex = -1;
    el.scrollIntoView({ block: "nearest" });
    el.focus({ preventScroll: true });
  }

  revealTurn(turnId) {
    return this.seek(() => this.store.turns.find((turn) => turn.turn_id === turnId));
  }

  /** Loads earlier turns until `find` returns one, and shows it. */
  async seek(find) {
    try {
      while (!find() && this.store.hasOlder) await this.store.loadOlder();
    } catch {
      return this.missing("The earlier turns could not be loaded. Try again.");
    }
    const turn = find();
    return turn ? this.reveal(turn) : this.missing("That turn is not in the history.");
  }

  /** Scrolls a turn into view and focuses it. */
  reveal(turn) {
    const index = this.store.turns.indexOf(turn);
    if (index < 0) return;
    if (index < this.first || index >= this.last) {
      this.first = Math.max(0, index - STEP);
      this.last = Math.min(this.store.turns.length, this.first + WINDOW);
      this.renderAll();
    }
    const el = this.element(turn);
    if (el.classList.contains("folded")) this.folds.unfold(turn);
    this.stuck = false;
    el.scrollIntoView({ block: "center" });
    el.focus({ preventScroll: true });
    el.classList.remove("flash");
    void el.offsetWidth; // restarts the animation when the same turn is shown twice
    el.classList.add("flash");
    this.scrolled();
  }
}
