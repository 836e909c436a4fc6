// Uploads of files. Owns sending one file with its progress, how many are sent at once, and what happens to one whose connection
// was lost: it is sent again by itself, from its beginning. What a person sees of it is file-row.js.

import { isLost } from "./action-error.js";
import { ApiError, onceReachable, reached, refusal, sessionOver } from "./api.js";
import { safeName, sizeWords } from "./file-words.js";
import { remember } from "./file-info.js";

const AT_ONCE = 3;
const TRIES = 3; // while the page is online
const LONGEST_WAIT_S = 30;

let most = Infinity;

/** The most bytes of one file, as the session says. */
export const fileLimit = () => most;
export const setFileLimit = (bytes) => (most = bytes ?? Infinity);

const line = [];
const sending = new Set();

addEventListener("beforeunload", (event) => {
  if (sending.size || line.length) event.preventDefault(); // the browser asks whether to leave
});

function next() {
  while (sending.size < AT_ONCE && line.length) line.shift().send();
}

export class Upload {
  /**
   * Waits for enqueue(). `changed()` is called for each change of `state`: queued, sending, waiting (for the server), done (then
   * `stored` is the file), failed (then `error` is an ApiError), cancelled.
   */
  constructor(file, { appId, changed }) {
    Object.assign(this, { file, appId, changed, state: "queued", sent: 0, tries: 0, error: null, stored: null });
    this.name = safeName(file.name);
  }

  /** Whether it may still become a stored file by itself. */
  get isOpen() {
    return ["queued", "sending", "waiting"].includes(this.state);
  }

  /** Sends it now, or when an earlier one has ended. */
  enqueue() {
    line.push(this);
    this.become("queued", { sent: 0, error: null });
    next();
  }

  /** Sends it again after it has failed. */
  again() {
    this.tries = 0;
    this.enqueue();
  }

  cancel() {
    const at = line.indexOf(this);
    if (at >= 0) line.splice(at, 1);
    this.forget?.();
    this.become("cancelled");
    this.request?.abort();
  }

  become(state, parts = {}) {
    Object.assign(this, { state, ...parts });
    this.changed();
  }

  async send() {
    sending.add(this);
    this.become("sending");
    try {
      const stored = remember(await this.post());
      if (this.isOpen) this.become("done", { stored });
    } catch (error) {
      if (this.isOpen) await this.fails(error);
    } finally {
      sending.delete(this);
      next();
    }
  }

  post() {
    const since = performance.now();
    const request = (this.request = new XMLHttpRequest()); // fetch tells nothing of the progress of a request
    const query = new URLSearchParams({ app: this.appId, name: this.name });
    return new Promise((resolve, reject) => {
      const lost = () => reject(new ApiError(0, "NO_ANSWER", "The connection was lost."));
      request.open("POST", `v1/files?${query}`);
      request.setRequestHeader("content-type", this.file.type || "application/octet-stream");
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        this.sent = total ? loaded / total : 0;
        if (this.state === "sending") this.changed();
      });
      request.addEventListener("load", () => {
        const body = jsonOf(request.responseText);
        if (request.status < 300 || body.error?.code) reached(since);
        if (request.status === 201 || request.status === 200) return resolve(body);
        if (request.status === 401) sessionOver();
        reject(
          Object.assign(refusal(request.status, body), { wait: Number(request.getResponseHeader("retry-after")) }),
        );
      });
      for (const end of ["error", "abort", "timeout"]) request.addEventListener(end, lost);
      request.send(this.file);
    });
  }

  async fails(error) {
    const isBusy = error.status === 429;
    if (!isLost(error) && !isBusy) return this.become("failed", { error });
    if (isLost(error) && !(await isReadable(this.file)))
      return this.isOpen && this.become("failed", { error: new ApiError(400, "UNREADABLE", UNREADABLE) });
    if (!this.isOpen) return;
    if (navigator.onLine) this.tries += 1;
    if (this.tries >= TRIES) return this.become("failed", { error: isBusy ? error : this.brokenOff() });
    this.become("waiting", { error });
    if (isBusy) {
      const timer = setTimeout(() => this.enqueue(), 1000 * Math.min(LONGEST_WAIT_S, error.wait || 2));
      this.forget = () => clearTimeout(timer);
    } else this.forget = onceReachable(() => this.enqueue());
  }

  // A server that refuses a body before its end reaches the browser as a lost connection.
  brokenOff() {
    const size = sizeWords(this.file.size);
    const words = `The upload broke off ${TRIES} times. The file may be larger than the server takes: it has ${size}.`;
    return new ApiError(400, "BROKEN_OFF", `${words} Try again, or choose a smaller one.`);
  }
}

const UNREADABLE = "The file cannot be read. It may be a folder, or was moved or changed since. Choose it again.";

const isReadable = (file) =>
  file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    );

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy answered
  }
}
