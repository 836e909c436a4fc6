// The texts that calls and tasks are writing. Owns applying their pieces: each byte once, whatever arrives twice, late or with
// bytes missing before it. How a text is drawn is live-text.js.

import { get } from "./api.js";

const REMEMBERED = 200; // ended texts whose late pieces are ignored

const utf8 = new TextEncoder();

/** The part of a text from this byte on, which begins a character. */
const fromByte = (text, at) => (at ? new TextDecoder().decode(utf8.encode(text).subarray(at)) : text);

export class LiveTexts {
  /** `changed(draft)` is told of a text that has more; `gone(draft)` of one that ended. */
  constructor({ changed, gone }) {
    Object.assign(this, { changed, gone });
    this.drafts = new Map(); // draft_id -> {draft_id, call_id, task_id, attempt, text, end}
    this.ended = new Set();
    this.reading = new Set();
  }

  /** Applies a piece. Offsets count bytes of UTF-8. */
  take(piece) {
    if (this.ended.has(piece.draft_id)) return;
    const known = this.drafts.get(piece.draft_id) ?? this.begin(piece);
    if (!known) return;
    if (piece.offset > known.end) {
      this.read(piece.draft_id);
      return;
    }
    const bytes = utf8.encode(piece.text).length;
    const skip = known.end - piece.offset;
    if (skip >= bytes) return;
    known.text += fromByte(piece.text, skip);
    known.end = piece.offset + bytes;
    this.changed(known);
  }

  /** A later attempt of a task begins its texts again. */
  begin({ draft_id, call_id, task_id, attempt = 0 }) {
    for (const other of task_id ? this.of({ task_id }) : []) {
      if (other.attempt > attempt) return null;
      if (other.attempt < attempt) this.remove(other);
    }
    const draft = { draft_id, call_id, task_id, attempt, text: "", end: 0 };
    this.drafts.set(draft_id, draft);
    return draft;
  }

  /** A turn takes the place of the texts that it names. */
  endBy({ drafts = [] }) {
    for (const id of drafts) {
      this.ended.add(id);
      if (this.drafts.has(id)) this.remove(this.drafts.get(id));
    }
    for (const id of [...this.ended].slice(0, Math.max(0, this.ended.size - REMEMBERED))) this.ended.delete(id);
  }

  remove(draft) {
    this.drafts.delete(draft.draft_id);
    this.gone(draft);
  }

  /** The texts of a call's handler, or of a task, in their order. */
  of({ call_id, task_id }) {
    return [...this.drafts.values()]
      .filter((draft) => (task_id ? draft.task_id === task_id : draft.call_id === call_id))
      .sort((a, b) => (a.draft_id < b.draft_id ? -1 : 1));
  }

  /** Reads all texts that are being written: at the start, and after an outage. */
  async load() {
    const { drafts } = await get("v1/drafts");
    const open = new Set(drafts.map((one) => one.draft_id));
    for (const draft of [...this.drafts.values()]) if (!open.has(draft.draft_id)) this.remove(draft);
    await Promise.all(
      drafts
        .filter((one) => one.offset > (this.drafts.get(one.draft_id)?.end ?? 0))
        .map((one) => this.read(one.draft_id)),
    );
  }

  /** Reads what is missing of a text, from the page's own end on. */
  async read(id) {
    if (this.reading.has(id)) return;
    this.reading.add(id);
    try {
      const from = this.drafts.get(id)?.end ?? 0;
      this.take(await get(`v1/drafts/${encodeURIComponent(id)}?from=${from}`));
    } catch {
      // It ended meanwhile, or the connection did: the turn, or the next look, has it.
    } finally {
      this.reading.delete(id);
    }
  }
}
