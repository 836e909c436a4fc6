// Files in words: what a reference to a file looks like, sizes, types and names for people, and which files a field takes. Pure
// functions; draws nothing and sends nothing.
//
// A name is a stranger's text. It is shown as text, shortened in the middle so that its end stays, and never used as an address:
// that is the id alone.

import { beginning } from "./cut-text.js";
import { relaxed } from "./exact-json.js";

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NAME_BYTES = 255; // longest name that the platform takes
const SHOWN = 60; // characters of a name in a line
const ENDING = /\.[\p{L}\p{N}]{1,10}$/u;

/** Whether a text can be the id of a file. */
export const isFileId = (value) => typeof value === "string" && ID.test(value);

/** Whether a value in an answer is a file. */
export const isFileRef = (value) =>
  value !== null &&
  typeof value === "object" &&
  isFileId(value.file_id) &&
  [value.name, value.content_type, value.sha256].every((part) => typeof part === "string") &&
  typeof relaxed(value.size) === "number";

/** The address of a file's bytes; relative, because the page may be served under a path. */
export const fileAddress = (id) => `v1/files/${encodeURIComponent(id)}`;

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** `1 byte`, `20 KiB`, `1.4 MiB`: in the units in which limits are set. */
export function sizeWords(bytes) {
  const n = Math.max(0, Number(relaxed(bytes)) || 0);
  if (n < 1024) return n === 1 ? "1 byte" : `${n} bytes`;
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(n) / 10));
  const size = n / 1024 ** power;
  return `${(size < 9.95 ? size.toFixed(1) : size.toFixed(0)).replace(/\.0$/, "")} ${UNITS[power]}`;
}

const TYPES = {
  "application/gzip": "Gzip archive",
  "application/json": "JSON",
  "application/octet-stream": "File",
  "application/pdf": "PDF",
  "application/zip": "ZIP archive",
  "audio/mpeg": "MP3 audio",
  "audio/ogg": "Ogg audio",
  "audio/wav": "WAV audio",
  "image/gif": "GIF image",
  "image/jpeg": "JPEG image",
  "image/png": "PNG image",
  "image/svg+xml": "SVG image",
  "image/webp": "WebP image",
  "text/csv": "CSV",
  "text/html": "HTML page",
  "text/markdown": "Markdown",
  "text/plain": "Text",
  "video/mp4": "MP4 video",
  "video/webm": "WebM video",
};
const ANY = { "image/*": "any image", "audio/*": "any audio", "video/*": "any video", "text/*": "any text" };

/** A media type without its parameters. */
export const essenceOf = (type) => String(type).split(";")[0].trim().toLowerCase();

/** A media type as people call it; the type itself if it has no such name. */
export function typeWords(type) {
  const essence = essenceOf(type);
  if (Object.hasOwn(TYPES, essence)) return TYPES[essence];
  return essence ? beginning(essence, SHOWN) : TYPES["application/octet-stream"];
}

// What a browser draws without harm, and what the gateway serves to be drawn. SVG and HTML can run code and are never drawn.
const DRAWN = {
  image: ["image/png", "image/jpeg", "image/gif", "image/webp"],
  audio: ["audio/mpeg", "audio/ogg", "audio/wav", "audio/x-wav", "audio/wave", "audio/webm"],
  video: ["video/mp4", "video/webm"],
};

/** How the page draws a file of this type: `image`, `audio`, `video`, or null for a download. */
export function drawnAs(type) {
  const essence = essenceOf(type);
  return Object.keys(DRAWN).find((kind) => DRAWN[kind].includes(essence)) ?? null;
}

/** `PNG image · 20 KiB`. */
export const factsOf = ({ content_type: type, size }) => `${typeWords(type)} · ${sizeWords(size)}`;

/** A name for one line: its beginning and its ending, which says what the file is. */
export function shortName(name) {
  if (name.length <= SHOWN) return name || "unnamed file";
  const [ending] = ENDING.exec(name) ?? [""];
  return `${beginning(name, SHOWN - ending.length).trimEnd()}…${ending}`;
}

const bytesOf = (text) => new TextEncoder().encode(text).length;

/** A name as the platform takes it: without folders and control characters, and not too long; the ending stays. */
export function safeName(name) {
  const plain = name.replace(/[\p{Cc}\p{Surrogate}/\\]/gu, "_").trim();
  const named = /^\.{0,2}$/.test(plain) ? "file" : plain;
  if (bytesOf(named) <= NAME_BYTES) return named;
  const [ending] = ENDING.exec(named) ?? [""];
  let stem = beginning(named.slice(0, named.length - ending.length), NAME_BYTES);
  while (bytesOf(stem + ending) > NAME_BYTES) stem = beginning(stem, stem.length - 1);
  return stem + ending;
}

/** The media types that a field takes; empty for any. */
export const takenTypes = ({ contentMediaType: types }) =>
  typeof types === "string"
    ? types
        .split(",")
        .map(essenceOf)
        .filter((type) => type && type !== "*/*")
    : [];

/** Whether a field of these types takes a file. A file whose type the browser does not know is left to the platform. */
export function isTaken(type, types) {
  const essence = essenceOf(type);
  if (!types.length || !essence) return true;
  return types.some((one) => (one.endsWith("/*") ? essence.startsWith(one.slice(0, -1)) : one === essence));
}

/** `PNG image or JPEG image`. */
export const takenWords = (types) => types.map((type) => ANY[type] ?? typeWords(type)).join(" or ");
