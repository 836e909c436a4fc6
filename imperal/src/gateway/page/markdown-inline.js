// Parses the marks inside one paragraph of Markdown, in time linear in its text: code, bold, italic, struck-out text, links,
// bare addresses. Creates no elements: prose.js draws the parts. Blocks are markdown.js.
//
// Linear means: each delimiter is compared with the nearest fitting opener only, brackets and backticks are paired in one
// pass before, and each address has a longest length.

const DEPTH = 6; // marks inside one another
const MARKS = 3000; // of one text; the rest stays as typed
const ADDRESS = /https?:\/\/[^\s<>"'`|]{2,2000}/iy;
const TARGET = /^<?(https?:\/\/[^\s<>]+?)>?(?:[ \t]+"[^"\n]*")?$/i;
const LONGEST = 2000; // characters of an address with its title
const AUTO = /<(https?:\/\/[^\s<>]{1,2000})>/iy;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const ESCAPED = /[*_~`[\]#|<>]/; // not a second backslash: `\\server\share` stays as typed
const SPECIAL = /[\\`*_~[!<hH]/g;
const WORD = /[\p{L}\p{N}]/u;
const KINDS = { "*1": "em", "*2": "strong", _1: "em", "~2": "del" };
const SIZES = { "*": { 1: [1], 2: [2], 3: [2, 1] }, _: { 1: [1] }, "~": { 2: [2] } };

/**
 * The parts of a text: strings, {kind: "code", text}, {kind: "em" | "strong" | "del", parts}, {kind: "link", url, parts},
 * {kind: "address", url}.
 */
export const inline = (text) => new Inline(text, false).parse();

class Inline {
  constructor(text, inLink) {
    Object.assign(this, { text, inLink });
    this.parts = [];
    this.openers = []; // {key, text, at: its index in parts, deep: nesting of the marks after it}
    this.latest = new Map(); // key of an opener -> its indexes in openers
    this.marks = 0;
  }

  parse() {
    const { text } = this;
    let from = 0;
    for (let at = 0; at < text.length;) {
      SPECIAL.lastIndex = at;
      const found = SPECIAL.exec(text);
      if (!found || this.marks >= MARKS) break;
      const read = this.read(found.index);
      if (!read) {
        at = found.index + 1;
        continue;
      }
      if (from < found.index) this.parts.push(text.slice(from, found.index));
      if (read.sizes) this.delimit(read);
      else this.parts.push(read.part);
      this.marks += 1;
      from = at = read.to;
    }
    if (from < text.length) this.parts.push(text.slice(from));
    return joined(this.parts);
  }

  /** What begins at a place: {to, part}, or {to, sizes, ..} for delimiters; null for text. */
  read(at) {
    const [c, next] = [this.text[at], this.text[at + 1]];
    if (c === "\\") return ESCAPED.test(next ?? "") ? { to: at + 2, part: next } : null;
    if (c === "`") return this.code(at);
    if (c in SIZES) return this.delimiters(at);
    if (this.inLink) return null;
    if (c === "[" || (c === "!" && next === "[")) return this.link(c === "[" ? at : at + 1); // a picture becomes a link
    if (c === "<") return this.address(AUTO, at);
    return WORD.test(this.text[at - 1] ?? "") ? null : this.address(ADDRESS, at);
  }

  code(at) {
    const size = runAt(this.text, at);
    this.ticks ??= ticks(this.text);
    const starts = this.ticks.get(size) ?? [];
    while (starts.length && starts.at(-1) <= at) starts.pop(); // sorted downwards: the last one is the nearest
    if (!starts.length) return { to: at + size, part: "`".repeat(size) };
    const end = starts.at(-1);
    const inner = this.text.slice(at + size, end).replaceAll("\n", " ");
    const padded = inner.length > 2 && inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() !== "";
    return { to: end + size, part: { kind: "code", text: padded ? inner.slice(1, -1) : inner } };
  }

  link(at) {
    this.pairs ??= pairs(this.text);
    const close = this.pairs.get(at);
    const end = close !== undefined && this.text[close + 1] === "(" ? this.pairs.get(close + 1) : undefined;
    if (end === undefined || end - close > LONGEST) return null;
    const target = TARGET.exec(this.text.slice(close + 2, end));
    if (!target || !URL.canParse(target[1])) return null;
    const label = this.text.slice(at + 1, close);
    const parts = label.trim() ? new Inline(label, true).parse() : [target[1]];
    return { to: end + 1, part: { kind: "link", url: target[1], parts } };
  }

  address(pattern, at) {
    pattern.lastIndex = at;
    const found = pattern.exec(this.text);
    if (!found) return null;
    const url = pattern === AUTO ? found[1] : withoutEnd(found[0]);
    if (!URL.canParse(url)) return null;
    return { to: at + (pattern === AUTO ? found[0].length : url.length), part: { kind: "address", url } };
  }

  /** A run of `*`, `_` or `~` that may open or close; null if it can do neither. */
  delimiters(at) {
    const { text } = this;
    const mark = text[at];
    const to = at + runAt(text, at);
    const [before, after] = [text[at - 1] ?? " ", text[to] ?? " "];
    const sizes = SIZES[mark][to - at];
    // `2*3*4` and `snake_case_name` are no marks
    const inWord = WORD.test(before) && WORD.test(after) && (mark === "_" || to - at === 1);
    const opens = !/\s/.test(after) && (!PUNCTUATION.test(after) || !WORD.test(before));
    const closes = !/\s/.test(before) && (!PUNCTUATION.test(before) || !WORD.test(after));
    if (!sizes || inWord || !(opens || closes)) return { to, part: text.slice(at, to) };
    return { to, mark, sizes, opens, closes };
  }

  delimit({ mark, sizes, opens, closes }) {
    let left = [...sizes];
    while (closes && left.length) {
      const openers = left.map((size) => ({ size, index: this.latest.get(mark + size)?.at(-1) ?? -1 }));
      const nearest = openers.reduce((one, other) => (other.index > one.index ? other : one));
      if (nearest.index < 0 || !this.wrap(nearest.index)) break;
      left = left.filter((size) => size !== nearest.size);
    }
    for (const size of left) {
      if (opens) this.open(mark + size, mark.repeat(size));
      else this.parts.push(mark.repeat(size));
    }
  }

  open(key, text) {
    if (!this.latest.has(key)) this.latest.set(key, []);
    this.latest.get(key).push(this.openers.length);
    this.openers.push({ key, at: this.parts.length, deep: 0 });
    this.parts.push(text);
  }

  /** Wraps what follows an opener; openers after it stay text. False if there is nothing, or if it is too deep. */
  wrap(index) {
    const { key, at } = this.openers[index];
    if (at === this.parts.length - 1) return false;
    const deep = 1 + this.openers.slice(index).reduce((most, one) => Math.max(most, one.deep), 0);
    for (const indexes of this.latest.values()) while (indexes.at(-1) >= index) indexes.pop();
    this.openers.length = index;
    const outer = this.openers.at(-1);
    if (outer) outer.deep = Math.max(outer.deep, deep);
    if (deep > DEPTH) return false;
    this.parts.push({ kind: KINDS[key], parts: joined(this.parts.splice(at).slice(1)) });
    return true;
  }
}

/** Length of the run of one character at a place. */
function runAt(text, at) {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

/** Runs of backticks: length -> starts, downwards. */
function ticks(text) {
  const found = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!found.has(run.length)) found.set(run.length, []);
    found.get(run.length).push(index);
  }
  for (const starts of found.values()) starts.reverse();
  return found;
}

const CLOSES = { "]": "[", ")": "(" };

/** Brackets and parentheses: the place of each that opens -> the place where it closes. */
function pairs(text) {
  const found = new Map();
  const open = { "[": [], "(": [] };
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === "\\") at += 1;
    else if (c === "[" || c === "(") open[c].push(at);
    else if ((c === "]" || c === ")") && open[CLOSES[c]].length) found.set(open[CLOSES[c]].pop(), at);
  }
  return found;
}

/** An address without the punctuation of the sentence around it. */
function withoutEnd(url) {
  let end = url.length;
  while (/[.,;:!?)\]}*_~]/.test(url[end - 1])) end -= 1;
  return url.slice(0, end);
}

function joined(parts) {
  const found = [];
  for (const part of parts) {
    if (typeof part === "string" && typeof found.at(-1) === "string") found[found.length - 1] += part;
    else found.push(part);
  }
  return found;
}
