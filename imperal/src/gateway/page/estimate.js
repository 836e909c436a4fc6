// Estimates how long a task still takes, from its latest reports of progress. An estimate is a promise that people plan by:
// there is none before the task has run for a while, nor when its reports stopped or went backwards.

const REPORTS = 6; // the latest ones: a task that slows down is noticed
const MIN_PERCENT = 5;
const MIN_MS = 10_000;
const STALE = 3; // times the usual gap between reports, and at least a minute, without one
const STALE_MS = 60_000;

export class Estimate {
  /**
   * `start` is when the task began, or went on, in milliseconds; `percent` is how much was done by then, null if that is not
   * known.
   */
  constructor(start, percent = 0) {
    this.reports = percent === null ? [] : [{ at: start, percent }];
    this.start = start;
  }

  /** A report of progress. */
  report(percent, now) {
    const last = this.reports.at(-1);
    if (typeof percent !== "number" || percent === last?.percent) return;
    if (percent < last?.percent) this.reports = []; // it began anew
    this.reports.push({ at: now, percent });
    if (this.reports.length > REPORTS) this.reports.shift();
  }

  /** Milliseconds that are left, or null if that cannot be said. */
  left(now) {
    const [first, last] = [this.reports[0], this.reports.at(-1)];
    if (this.reports.length < 2 || last.percent < MIN_PERCENT || last.percent >= 100) return null;
    if (now - this.start < MIN_MS) return null;
    const gap = (last.at - first.at) / (this.reports.length - 1);
    if (now - last.at > Math.max(STALE_MS, STALE * gap)) return null;
    const rate = (last.percent - first.percent) / Math.max(1, last.at - first.at);
    return Math.max(0, (100 - last.percent) / rate - (now - last.at));
  }
}

/** `about 1:25 left`, rounded so that it does not tremble. */
export function roughly(ms) {
  const seconds = ms / 1000;
  const step = seconds < 60 ? 5 : seconds < 600 ? 15 : 60;
  return Math.max(step, Math.round(seconds / step) * step) * 1000;
}
