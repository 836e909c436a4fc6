// Drafts of forms in the browser: what a person has written and not sent survives a reload, and a draft that another call's
// parameters replaced can be put back. Drafts belong to one user of one tab, and hold no secrets (secrets.js).

import { parse, write } from "./exact-json.js";
import { kept } from "./secrets.js";

const WAIT_MS = 300; // after the last change
const MOST_ASIDE = 5;

export class Drafts {
  /** `name` is the form's, `schema` its parameters, `read()` returns what the form has now. */
  constructor({ owner, name, schema, read }) {
    Object.assign(this, { schema, read });
    // a draft belongs to its user: another user who signs in with the same tab must not find it
    this.key = `draft:${owner}:${name}`;
    this.aside = load(`${this.key}:aside`) ?? []; // drafts that were replaced, the latest last
    addEventListener("pagehide", () => this.keepNow());
  }

  /** The stored draft. */
  stored() {
    return load(this.key);
  }

  keepSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), WAIT_MS);
  }

  keep() {
    clearTimeout(this.timer);
    this.timer = null;
    save(this.key, kept(this.read(), this.schema));
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

function load(key) {
  try {
    const text = sessionStorage.getItem(key);
    return text ? parse(text, true) : undefined;
  } catch {
    return undefined; // storage is blocked or holds an older format: start empty
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
