// Drafts of forms in the browser: what a person has written and not sent survives a reload, and a draft that another call's
// parameters replaced can be put back. A stored draft that cannot be read is kept under another name. Drafts belong to one user
// of one tab, and hold no secrets (secrets.js).

import { parse, write } from "./exact-json.js";
import { kept } from "./secrets.js";

const WAIT_MS = 300; // after the last change
const MOST_ASIDE = 5;

const keyOf = (owner, name) => `draft:${owner}:${name}`;

/** Whether a draft is stored for a form. */
export const hasDraft = (owner, name) => Boolean(textOf(keyOf(owner, name)));

export class Drafts {
  /** `name` is the form's, `schema` its parameters, `read()` returns what the form has now. */
  constructor({ owner, name, schema, read }) {
    Object.assign(this, { schema, read });
    // a draft belongs to its user: another user who signs in with the same tab must not find it
    this.key = keyOf(owner, name);
    this.unread = []; // texts of stored drafts that could not be read; each is found once
    this.aside = this.load(`${this.key}:aside`, Array.isArray) ?? []; // drafts that were replaced, the latest last
    this.onLeave = () => this.keepNow();
    addEventListener("pagehide", this.onLeave);
  }

  /** The form of these drafts is gone. What is stored stays. */
  stop() {
    removeEventListener("pagehide", this.onLeave);
  }

  /** The stored draft. */
  stored() {
    return this.load(this.key);
  }

  load(key, fits = () => true) {
    const text = textOf(key);
    if (!text) return undefined;
    try {
      const value = parse(text, true);
      if (fits(value)) return value;
    } catch {
      // another program wrote it, or only a part of it was stored
    }
    this.unread.push(text);
    setApart(key, text);
    return undefined;
  }

  keepSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), WAIT_MS);
  }

  keep() {
    clearTimeout(this.timer);
    this.timer = null;
    save(this.key, kept(this.read(), this.schema) ?? undefined); // null is a secret as a whole
  }

  /** Keeps what has changed and is not kept yet, before the form gets other values. */
  keepNow() {
    if (this.timer) this.keep();
  }

  forget() {
    clearTimeout(this.timer);
    this.timer = null;
    save(this.key, undefined);
  }

  /** Sets a draft aside; what is stored has no secrets, the page keeps them until it is closed. */
  setAside(value) {
    this.aside = [...this.aside, value].slice(-MOST_ASIDE);
    this.saveAside();
  }

  /** The draft that was set aside last. */
  takeBack() {
    const value = this.aside.pop();
    this.saveAside();
    return value;
  }

  saveAside() {
    save(`${this.key}:aside`, this.aside.length ? this.aside.map((one) => kept(one, this.schema)) : undefined);
  }
}

function textOf(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // storage is blocked: start empty
  }
}

/** Moves a text that is no draft to a free name, where no later draft replaces it. */
function setApart(key, text) {
  try {
    let name = `${key}:unread`;
    for (let n = 2; sessionStorage.getItem(name) !== null; n += 1) name = `${key}:unread:${n}`;
    sessionStorage.setItem(name, text);
    sessionStorage.removeItem(key);
  } catch {
    // storage is blocked or full: the form shows the text
  }
}

function save(key, value) {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, write(value));
  } catch {
    // storage is blocked or full: the draft lasts as long as the page
  }
}
