// Draws files in answers and in the parameters of calls: pictures, audio and video in place, all others as a download with name,
// type and size. Owns what is said of a file that is gone. Which types are drawn is file-words.js.
//
// Name and type are a stranger's and are only shown. The address has nothing of them but the id, which the gateway compares with the
// user; the gateway also decides what a browser may draw.

import { explain } from "./action-error.js";
import { h, icon, newId, refill } from "./dom.js";
import { freshInfoOf, infoOf } from "./file-info.js";
import { drawnAs, factsOf, fileAddress, shortName } from "./file-words.js";
import { swap } from "./reconcile.js";
import { more } from "./show-more.js";

const GONE = "This file was deleted, or its time is over.";
const UNDRAWN = "The browser cannot show this file. You can download it.";
const PICTURE_LINES = 11; // about the height of a picture, in lines of text
const GALLERY_LINES = 3; // of a picture among others, of which three stand side by side
const NEAR = "1500px"; // around what is on the screen

/** About how many lines a file takes. */
export const linesOfFile = ({ content_type: type }) => (drawnAs(type) ? PICTURE_LINES : 2);

/** A file of an answer. */
export function fileView(file) {
  const kind = drawnAs(file.content_type);
  const { el, label, problem, gone } = fileLine(file);
  if (!kind) return h("div", { class: "file" }, el, problem);
  const media = MEDIA[kind](file, label);
  const figure = h("figure", { class: "file" }, media, h("figcaption", null, el, problem));
  const failed = async () => {
    media.remove();
    const info = await freshInfoOf(file.file_id).catch(() => undefined);
    if (info === null) gone();
    else figure.append(h("p", { class: "help" }, UNDRAWN));
  };
  // the error of a picture is at the picture, inside of its link
  media.addEventListener("error", failed, { capture: true, once: true });
  return figure;
}

const isPicture = ({ content_type: type }) => drawnAs(type) === "image";

/** Several files; pictures alone side by side. */
export function fileList(files) {
  const side = files.every(isPicture);
  const render = (shown) =>
    h(
      "ul",
      { class: side ? "files gallery" : "files" },
      shown.map((file) => h("li", null, fileView(file))),
    );
  return more(files, render, { linesOf: side ? () => GALLERY_LINES : linesOfFile });
}

/** A file in a cell of a table: its name, which downloads it. */
export function fileCell(file) {
  const { link, problem } = download(file, shortName(file.name));
  const sign = isPicture(file) ? thumbnail(file.file_id) : icon("file");
  return h("span", { class: "file-cell" }, sign, link, h("span", { class: "muted" }, factsOf(file)), problem);
}

/** A picture beside its name. */
function thumbnail(id) {
  const img = h("img", { class: "file-thumb", src: fileAddress(id), alt: "", loading: "lazy", decoding: "async" });
  img.addEventListener("error", () => swap(img, icon("file")));
  return img;
}

/** The line of a file: sign, name, what it is, and the way to get it. */
function fileLine(file) {
  const name = shortName(file.name);
  const word = [icon("download"), "Download", h("span", { class: "hidden" }, ` ${name}`)];
  const { link, problem, gone } = download(file, word);
  const label = newId("file");
  const el = h(
    "div",
    { class: "file-line" },
    icon("file"),
    h("span", { id: label, class: "file-name", dir: "auto", title: name === file.name ? null : file.name }, name),
    h("span", { class: "file-facts" }, factsOf(file)),
    link,
  );
  return { el, label, problem, gone };
}

/** A link that downloads a file, and the place that says if there is none any more. */
function download({ file_id: id }, words) {
  const problem = h("span", { class: "field-error", role: "alert", hidden: true });
  const link = h("a", { class: "link", href: `${fileAddress(id)}?download`, download: true }, words);
  const say = (text) => {
    refill(problem, icon("alert"), h("span", null, text));
    problem.hidden = false;
  };
  const gone = () => {
    say(GONE);
    link.removeAttribute("href"); // what has the focus stays, and does nothing
    link.removeAttribute("download");
    link.setAttribute("aria-disabled", "true");
    link.setAttribute("role", "link");
    link.tabIndex = 0;
  };
  let isChecked = false;
  link.addEventListener("click", async (event) => {
    if (!link.href) return;
    if (isChecked || event.ctrlKey || event.metaKey || event.shiftKey) return (isChecked = false);
    event.preventDefault(); // a download that fails says nothing
    try {
      if ((await freshInfoOf(id)) === null) return gone();
      problem.hidden = true;
      isChecked = true;
      link.click();
    } catch (error) {
      say(explain(error));
    }
  });
  return { link, problem, gone };
}

const MEDIA = {
  image: ({ file_id: id, name }) =>
    h(
      "a",
      { class: "picture-link", href: fileAddress(id), target: "_blank", rel: "noopener noreferrer" },
      h("img", {
        class: "file-image",
        src: fileAddress(id),
        alt: shortName(name),
        loading: "lazy",
        decoding: "async",
        onload: ({ target }) => target.classList.add("loaded"),
      }),
    ),
  audio: ({ file_id: id }, label) =>
    whenNear(h("audio", { controls: true, preload: "none", "aria-labelledby": label }), (el) => play(el, id)),
  video: ({ file_id: id }, label) =>
    whenNear(h("video", { controls: true, preload: "none", playsinline: true, "aria-labelledby": label }), (el) =>
      play(el, id),
    ),
};

/** Loads the length of a recording and, of a film, its first picture. */
function play(el, id) {
  el.preload = "metadata";
  el.src = fileAddress(id);
}

const near = new WeakMap(); // element -> what to do once it is about to be seen
const watcher = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      near.get(target)?.(target);
      near.delete(target);
    }
  },
  { rootMargin: NEAR, scrollMargin: NEAR },
);

function whenNear(el, act) {
  near.set(el, act);
  watcher.observe(el);
  return el;
}

/** A file that is known by its id alone, as a parameter of a call is. */
export function fileParam(id) {
  const holder = h("span", { class: "file-cell" }, icon("file"), "File");
  return whenNear(holder, async () => {
    const info = await infoOf(id).catch(() => undefined);
    if (info === undefined) return; // not known now: it stays "File"
    if (info) return swap(holder, fileCell(info));
    refill(holder, icon("file"), "File", h("span", { class: "muted" }, "deleted, or its time is over"));
  });
}
