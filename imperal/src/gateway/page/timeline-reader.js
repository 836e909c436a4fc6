// Reads the timeline of one task. Owns its pages. A page is read once if nothing on it can change any more: no question on it is open,
// and the task is so far ahead that no row of it can still come. Draws nothing.

import { get } from "./api.js";

const PAGE = 500;
// steps that run at once may be stored in any order: so far behind the latest row one may still come
const WINDOW = 64;

export class TimelineReader {
  constructor(taskId) {
    this.taskId = taskId;
    this.known = new Map(); // after -> {entries, next, complete}
    this.entries = [];
    this.traceUrl = undefined; // where the task's traces are looked up
    this.latest = 0; // the highest ordinal that was read
    this.reading = null;
    this.again = false;
  }

  /** Reads the new entries, and resolves after that. A call during a read makes it read once more. */
  read() {
    if (this.reading) this.again = true;
    this.reading ??= this.readAll().finally(() => (this.reading = null));
    return this.reading;
  }

  async readAll() {
    do {
      this.again = false;
      await this.readPages();
    } while (this.again);
  }

  async readPages() {
    const pages = new Map();
    for (let after = 0; after !== undefined; after = pages.get(after).next) {
      const known = this.known.get(after);
      const page = known?.complete ? known : await this.readPage(after);
      this.known.set(after, page);
      pages.set(after, page);
    }
    this.known = pages; // a row that came late has moved where pages begin
    this.entries = [...pages.values()].flatMap((page) => page.entries);
    this.latest = Math.max(0, ...this.entries.map((entry) => entry.ordinal ?? 0));
  }

  async readPage(after) {
    const path = `v1/tasks/${encodeURIComponent(this.taskId)}/timeline?after=${after}&limit=${PAGE}`;
    const { entries, next, trace_url: traceUrl } = await get(path);
    this.traceUrl = traceUrl;
    const asks = entries.some((entry) => entry.kind === "question" && entry.state === "open");
    // how far the task is at least, while this page was read
    return { entries, next, complete: !asks && next !== undefined && next + WINDOW <= this.latest };
  }
}
