// One file in a form: one that is being uploaded, was uploaded, or was chosen before and is known by its id alone. Owns the row that
// shows it and what the row says; which files a field has is file-picker.js.

import { explain } from "./action-error.js";
import { say } from "./announcer.js";
import { onceReachable } from "./api.js";
import { h, icon, refill, setText, visible } from "./dom.js";
import { infoOf } from "./file-info.js";
import { drawnAs, factsOf, fileAddress, shortName, sizeWords } from "./file-words.js";
import { line } from "./prose.js";

const GONE = "This file was deleted, or its time is over. Remove it, or choose another one.";

export class FileRow {
  /** `upload` or `id`; `changed()` tells that its value may be another one, `drop()` takes the row away. */
  constructor({ upload = null, id = null, changed, drop }) {
    Object.assign(this, { upload, id, changed, drop });
    this.info = null; // FileRef, once it is known
    this.isGone = false;
    this.picture = h("span", { class: "file-picture" }, icon("file"));
    this.title = h("span", { class: "file-name", dir: "auto" });
    this.facts = h("span", { class: "file-facts" });
    this.bar = h("progress", { max: 100, value: 0, hidden: true });
    this.problem = h("p", { class: "field-error", role: "alert", hidden: true });
    this.retry = h(
      "button",
      { type: "button", class: "link", onclick: () => this.again() },
      icon("again"),
      "Try again",
    );
    this.end = h("button", { type: "button", class: "icon-button", onclick: () => this.drop() }, icon("close"));
    this.el = h(
      "li",
      { class: "file-row" },
      this.picture,
      h("div", { class: "file-about" }, this.title, this.facts, this.bar, this.problem, this.retry),
      this.end,
    );
    if (!upload) this.find();
    this.draw();
  }

  get name() {
    return this.upload?.name ?? this.info?.name ?? "Chosen file";
  }

  /** The id of the file, or undefined while there is none. */
  get value() {
    return this.id ?? undefined;
  }

  /** Why the form cannot be sent with this file; null if it can. */
  get hindrance() {
    const name = `“${shortName(this.name)}”`;
    if (this.isGone) return `${name} is gone. Remove it, or choose another file.`;
    if (!this.upload || this.id) return null;
    return this.upload.isOpen
      ? `${name} is not uploaded yet. Run again when it is, or remove it.`
      : `${name} was not uploaded. Try again, or remove it.`;
  }

  /** What an upload has become. */
  update() {
    const { state, stored } = this.upload;
    if (state === "done") {
      Object.assign(this, { id: stored.file_id, info: stored });
      say(`${shortName(this.name)} is uploaded.`);
    }
    this.draw();
    if (state === "done" || state === "failed") this.changed();
  }

  again() {
    this.end.focus(); // the button that was pressed goes
    this.upload.again();
  }

  /** Asks what the file is, which a draft or an earlier call knows by its id alone. */
  async find() {
    try {
      this.info = await infoOf(this.id);
      this.isGone = this.info === null;
    } catch {
      onceReachable(() => this.find()); // its name is missing, no more
    }
    this.draw();
  }

  draw() {
    const { upload, info } = this;
    const isOpen = Boolean(upload?.isOpen);
    setText(this.title, shortName(this.name));
    this.title.title = shortName(this.name) === this.name ? "" : visible(this.name);
    setText(
      this.facts,
      isOpen ? uploadWords(upload) : info ? factsOf(info) : upload ? sizeWords(upload.file.size) : "",
    );
    this.bar.hidden = !isOpen;
    this.bar.value = isOpen ? Math.floor(upload.sent * 100) : 0;
    const short = visible(shortName(this.name));
    if (isOpen) this.bar.setAttribute("aria-label", `Upload of ${short}`);
    const word = isOpen ? `Cancel the upload of ${short}` : `Remove ${short}`;
    for (const name of ["aria-label", "title"]) this.end.setAttribute(name, word);
    const failed = upload?.state === "failed" ? line(explain(upload.error, "")) : this.isGone ? GONE : null;
    this.showProblem(failed);
    this.retry.hidden = upload?.state !== "failed";
    if (info && !this.isGone && drawnAs(info.content_type) === "image") this.showPicture(info);
  }

  showProblem(content) {
    if (this.problem.hidden !== !content) refill(this.problem, content && [icon("alert"), h("span", null, content)]);
    this.problem.hidden = !content;
    this.el.classList.toggle("bad", Boolean(content));
  }

  showPicture({ file_id: id }) {
    if (this.shown === id) return;
    this.shown = id;
    const img = h("img", { src: fileAddress(id), alt: "", loading: "lazy", decoding: "async" });
    img.addEventListener("error", () => refill(this.picture, icon("file")));
    refill(this.picture, img);
  }
}

function uploadWords({ state, sent, file }) {
  const size = sizeWords(file.size);
  if (state === "queued") return `${size} · waits for the other uploads`;
  if (state === "waiting")
    return navigator.onLine
      ? "The server does not answer. It goes on by itself."
      : "You are offline. It goes on by itself.";
  return sent >= 1 ? `${size} · being stored` : `${Math.floor(sent * 100)} % of ${size}`;
}
