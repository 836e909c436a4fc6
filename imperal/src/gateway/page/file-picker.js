// The input of a file parameter: files are chosen, dropped or pasted, uploaded at once, and sent as their ids. Owns which files a
// field has, and which it refuses before anything is sent. A row is file-row.js, an upload file-upload.js.
//
// The control is the browser's own file input, stretched over the place where files are dropped: the keyboard, screen readers and
// dropping work as the browser does them.

import { say } from "./announcer.js";
import { h, icon, refill, setText } from "./dom.js";
import { InvalidInput } from "./field-inputs.js";
import { FileRow } from "./file-row.js";
import { fileLimit, Upload } from "./file-upload.js";
import { isFileId, isTaken, shortName, sizeWords, takenTypes, takenWords, typeWords } from "./file-words.js";

const GIVE = "files-given"; // the event by which a form hands files to a field

export const FILE_INPUTS = {
  file: (self, field) => new FilePicker(self, field, 1).input,
  files: (self, field) => new FilePicker(self, field, field.schema.maxItems ?? Infinity).input,
};

class FilePicker {
  constructor(self, { kind, schema, required, types }, most) {
    Object.assign(this, { isList: kind === "files", schema, required, most, types });
    this.rows = [];
    this.native = h("input", {
      type: "file",
      id: self.id,
      accept: types.join(",") || null,
      multiple: most > 1,
      oninput: (event) => event.stopPropagation(), // nothing is chosen before it is uploaded
      onchange: (event) => {
        event.stopPropagation();
        const files = [...this.native.files];
        this.native.value = ""; // the same file can be chosen again
        this.take(files);
      },
    });
    this.words = h("span", null);
    this.about = h("span", { class: "hidden", id: `${self.id}-chosen` });
    this.refusal = h("p", { class: "field-error", role: "alert", hidden: true });
    this.list = h("ul", { class: "file-rows" });
    this.zone = h(
      "div",
      { class: "file-zone" },
      this.native,
      h("span", { class: "file-zone-words", "aria-hidden": "true" }, icon("upload"), this.words),
    );
    this.el = h("div", { class: "file-picker" }, this.list, this.zone, this.about, this.refusal);
    this.listen();
    this.draw();
    this.input = {
      el: this.el,
      target: this.native,
      about: this.about.id,
      hint: [this.bounds(), types.length > 0 && takenWords(types)].filter(Boolean).join(" · "),
      missing: "Choose a file.",
      first: () => this.native,
      busy: () => this.rows.some(({ upload }) => upload?.isOpen),
      shows: (value) => (this.isList ? Array.isArray(value) && value.every(isFileId) : isFileId(value)),
      read: () => this.read(),
      write: (value) => this.write(value),
    };
  }

  bounds() {
    const { minItems: least = 0 } = this.schema;
    if (!this.isList) return "";
    const parts = [least > 0 && `at least ${least}`, this.most < Infinity && `at most ${this.most}`];
    return parts.filter(Boolean).join(", ");
  }

  listen() {
    const over = (on) => this.el.classList.toggle("dropping", on);
    this.el.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      over(true);
    });
    this.el.addEventListener("dragleave", (event) => this.el.contains(event.relatedTarget) || over(false));
    this.el.addEventListener("drop", (event) => {
      over(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.take(filesOf(event.dataTransfer));
    });
    this.el.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.take(filesOf(event.clipboardData));
    });
    this.el.addEventListener(GIVE, ({ detail }) => this.take(detail));
  }

  // --- its files ---

  /** Files that a person has chosen. */
  take(files) {
    this.refuse(null);
    if (!files.length) return;
    if (!this.isList && files.length > 1) return this.refuse(`This takes one file. These are ${files.length}.`);
    if (this.isList && this.rows.length + files.length > this.most)
      return this.refuse(
        `This takes at most ${this.most} files. With these there would be ${this.rows.length + files.length}.`,
      );
    const wrong = files.map((file) => problemOf(file, this.types)).filter(Boolean);
    const fit = files.filter((file) => !problemOf(file, this.types));
    if (wrong.length)
      this.refuse(wrong.length > 3 ? [...wrong.slice(0, 3), `${wrong.length - 3} more.`].join(" ") : wrong.join(" "));
    if (!fit.length) return;
    const last = this.isList ? undefined : this.rows[0];
    const before = last && (last.id && !last.isGone ? last : last.before);
    if (last) this.remove(last);
    for (const file of fit) this.start(file, before);
    say(fit.length === 1 ? `Uploading ${shortName(fit[0].name)}.` : `Uploading ${fit.length} files.`);
    this.changed("input");
  }

  /** `before` is the file whose place it takes, which comes back if the upload is cancelled. */
  start(file, before) {
    const appId = this.el.closest("[data-app]")?.dataset.app ?? "";
    const row = this.add({ upload: new Upload(file, { appId, changed: () => row.update() }) });
    row.before = before;
    row.upload.enqueue();
  }

  add(parts) {
    const row = new FileRow({
      ...parts,
      changed: () => this.changed("change"),
      drop: () => this.drop(row),
    });
    this.rows.push(row);
    this.draw();
    return row;
  }

  remove(row) {
    const at = this.rows.indexOf(row);
    if (at >= 0) this.rows.splice(at, 1);
    if (row.upload?.isOpen) row.upload.cancel();
    this.draw();
    return at;
  }

  /** A person takes a file away, or cancels its upload. */
  drop(row) {
    const wasOpen = row.upload?.isOpen;
    const wasDone = Boolean(row.id);
    const held = row.el.contains(document.activeElement);
    const at = this.remove(row);
    if (!wasDone && row.before) this.rows.push(row.before);
    this.refuse(null);
    this.draw();
    say(`${shortName(row.name)}: ${wasOpen ? "upload cancelled" : "removed"}.`);
    if (held) (this.rows[Math.min(at, this.rows.length - 1)]?.end ?? this.native).focus();
    this.changed("input");
  }

  /** Tells the form. `change` also checks the field, `input` only if an error is shown. */
  changed(kind) {
    this.draw();
    this.el.dispatchEvent(new Event(kind, { bubbles: true }));
  }

  refuse(message) {
    refill(this.refusal, message && [icon("alert"), h("span", null, message)]);
    this.refusal.hidden = !message;
  }

  draw() {
    refill(
      this.list,
      this.rows.map(({ el }) => el),
    );
    const full = this.isList && this.rows.length >= this.most;
    this.zone.hidden = full;
    this.el.classList.toggle("chosen", this.rows.length > 0);
    const verb = !this.rows.length ? "Choose" : this.isList ? "Add" : "Replace";
    const what = verb === "Replace" ? "Replace the file" : this.isList ? `${verb} files` : `${verb} a file`;
    const more = h("span", { class: "file-zone-more" }, ", drop or paste it here");
    refill(this.words, h("strong", null, what), this.rows.length === 0 && more);
    setText(this.about, chosenWords(this.rows));
  }

  // --- its value ---

  read() {
    const ids = this.rows.map((row) => row.value ?? row.before?.value).filter(Boolean);
    const value = this.isList ? ids : ids[0];
    const hindrance = this.rows.map((row) => row.hindrance).find(Boolean);
    if (hindrance) throw new InvalidInput(hindrance, value, this.input.busy());
    if (!this.isList) return value;
    if (!ids.length && !this.required) return undefined;
    const { minItems: least = 0, maxItems: most = Infinity } = this.schema;
    if (ids.length < least || ids.length > most) throw new InvalidInput(`Choose ${this.bounds()}.`, ids);
    return ids;
  }

  write(value) {
    for (const row of [...this.rows]) this.remove(row);
    for (const id of this.isList ? value : [value]) this.add({ id });
  }
}

const chosenWords = (rows) =>
  rows.length === 0
    ? "No file is chosen."
    : rows.length === 1
      ? `${shortName(rows[0].name)} is chosen.`
      : `${rows.length} files are chosen.`;

/** Why a field does not take a file, as far as the browser knows; null if it does. */
function problemOf({ name, size, type, isFolder }, types) {
  const called = `“${shortName(name)}”`;
  if (isFolder) return `${called} is a folder. Choose its files.`;
  if (!isTaken(type, types)) return `${called} is of the type ${typeWords(type)}. This takes ${takenWords(types)}.`;
  if (size > fileLimit())
    return `${called} has ${sizeWords(size)}. A file may have ${sizeWords(fileLimit())} at most: choose a smaller one.`;
  return null;
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;

/** The files of a drop or a paste; a folder is one that says so. */
function filesOf({ files, items }) {
  const entries = [...(items ?? [])].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.());
  return [...files].map((file, index) => (entries[index]?.isDirectory ? { name: file.name, isFolder: true } : file));
}

/** Lets a form of an extension take files that are dropped or pasted anywhere in it: they go to its first field with room. */
export function takeFiles(form, appId) {
  form.dataset.app = appId;
  const give = (event, data) => {
    if (event.defaultPrevented || !data?.files.length) return;
    const open = [...form.querySelectorAll(".file-picker")].filter((el) => !el.querySelector(".file-zone[hidden]"));
    const free = open.find((el) => !el.classList.contains("chosen")) ?? open[0];
    if (!free) return;
    event.preventDefault();
    free.dispatchEvent(new CustomEvent(GIVE, { detail: filesOf(data) }));
  };
  form.addEventListener("paste", (event) => {
    // a text box takes the text that is copied along with a picture
    if (event.target.closest("input:not([type=file]), textarea") && event.clipboardData?.types.includes("text/plain"))
      return;
    give(event, event.clipboardData);
  });
  form.addEventListener("dragover", (event) => {
    if (hasFiles(event) && form.querySelector(".file-picker")) event.preventDefault();
  });
  form.addEventListener("drop", (event) => give(event, event.dataTransfer));
}

/** A file that is dropped elsewhere does not replace the page. */
export function guardDrops() {
  for (const kind of ["dragover", "drop"])
    addEventListener(kind, (event) => {
      if (event.defaultPrevented || !hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
    });
}
