// Reads the questions of tasks from the server. Owns the requests: a few at a time, at most one for each task, and a failed one
// again after a growing pause, until it succeeds or the task ends. questions.js decides what the page does with them.

import { isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";

const AT_ONCE = 4; // requests
const FIRST_MS = 1000; // pause after the first failure of the server
const MOST_MS = 60_000;

export class QuestionReader {
  /** `wanted(id)` tells whether a task is open, `read(id, questions)` takes what was read, `lost(id)` what could not be. */
  constructor({ wanted, read, lost }) {
    Object.assign(this, { wanted, taken: read, lost });
    this.jobs = new Map(); // task_id -> {state: "queued" | "running" | "pausing", again, failures, stop}
    this.running = 0;
  }

  /** Whether the questions of a task are read, or will be. */
  reads(taskId) {
    return this.jobs.has(taskId);
  }

  /** The tasks whose questions are not read yet. */
  waiting() {
    return [...this.jobs.keys()];
  }

  /** Reads the questions of a task; a change during the request reads them again. */
  read(taskId) {
    const job = this.jobs.get(taskId);
    if (job?.state === "running") job.again = true;
    else if (!job) this.jobs.set(taskId, { state: "queued", again: false, failures: 0, stop: null });
    // its pause is kept, so that news of a task does not ask a server that fails more often; its end does not wait
    else if (job.state === "pausing" && !this.wanted(taskId)) this.queue(job);
    this.next();
  }

  queue(job) {
    job.stop?.();
    Object.assign(job, { state: "queued", stop: null });
  }

  next() {
    for (const [taskId, job] of this.jobs) {
      if (this.running >= AT_ONCE) return;
      if (job.state === "queued") this.run(taskId, job);
    }
  }

  async run(taskId, job) {
    Object.assign(job, { state: "running", again: false });
    this.running += 1;
    try {
      const { questions } = await get(`v1/tasks/${encodeURIComponent(taskId)}/questions`);
      job.failures = 0;
      if (job.again) this.queue(job);
      else this.jobs.delete(taskId);
      this.taken(taskId, questions);
    } catch (error) {
      this.failed(taskId, job, error);
    } finally {
      this.running -= 1;
    }
    this.next();
  }

  failed(taskId, job, error) {
    const passes = isLost(error) || error.status >= 500 || error.status === 429;
    const isOpen = this.wanted(taskId);
    if (!passes || !isOpen) {
      this.jobs.delete(taskId);
      if (!isOpen && error.status !== 401) this.lost(taskId); // a session that has ended says nothing of the task
      return;
    }
    job.state = "pausing";
    const again = () => {
      this.queue(job);
      this.next();
    };
    if (isLost(error)) return (job.stop = onceReachable(again));
    const most = Math.min(MOST_MS, FIRST_MS * 2 ** job.failures);
    job.failures += 1;
    // not all at the same time
    const timer = setTimeout(again, most / 2 + (Math.random() * most) / 2);
    job.stop = () => clearTimeout(timer);
  }
}
