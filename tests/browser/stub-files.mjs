// The stub's files: uploads, what is known of them, their bytes in one range, deletes. Owns the headers of a file as the gateway
// sends them, and refusals on demand.

import { createHash, randomUUID } from "node:crypto";

const IMAGES = {
  "image/png": /^\x89PNG\r\n\x1a\n/,
  "image/jpeg": /^\xff\xd8\xff/,
  "image/gif": /^GIF8/,
  "image/webp": /^RIFF....WEBP/s,
};
const PLAYED = { "audio/wav": /^RIFF....WAVE/s, "video/mp4": /^....ftyp/s, "video/webm": /^\x1a\x45\xdf\xa3/ };
const SANDBOX = "sandbox; default-src 'none'";

export class StubFiles {
  constructor() {
    this.all = new Map(); // file_id -> {info, bytes}
    this.limit = 100 * 1024 * 1024;
    this.refuse = null; // {status, code, message, headers} for the next upload
    this.hold = null; // uploads are not read before it resolves
    this.holdBytes = null; // files are not sent before it resolves
    this.cutNext = 0; // uploads whose connection is lost
    this.uploads = []; // names, in the order in which they came
    this.app = null; // of the latest upload
  }

  /** A stored file, as a result has it. */
  add(name, type, bytes, over = {}) {
    const ref = {
      file_id: randomUUID(),
      name,
      content_type: type,
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      ...over,
    };
    const created_at = new Date().toISOString();
    this.all.set(ref.file_id, { info: { ...ref, app_id: "studio", created_at, state: "stored" }, bytes });
    return ref;
  }

  /** Handles a request below /v1/files; false if it is none. */
  async handle({ request, response, path, query, send, fail }) {
    if (path === "/v1/files" && request.method === "POST") return this.upload(request, response, query, send, fail);
    if (path === "/v1/files") return send(200, { files: [...this.all.values()].reverse().map(({ info }) => info) });
    const file = this.all.get(path.slice("/v1/files/".length));
    if (!file)
      return fail(404, "NOT_FOUND", "There is no such file. It was deleted or has expired, or is another user's.");
    if (query.has("info")) return send(200, file.info);
    if (request.method === "DELETE") return send(200, { deleted: this.all.delete(file.info.file_id) });
    await this.holdBytes;
    return serve(file, request, response, query);
  }

  async upload(request, response, query, send, fail) {
    this.uploads.push(query.get("name"));
    this.app = query.get("app");
    await this.hold;
    if (this.cutNext > 0) {
      this.cutNext -= 1;
      return request.destroy();
    }
    const parts = [];
    try {
      for await (const part of request) parts.push(part);
    } catch {
      return; // the page has cancelled it
    }
    if (this.refuse) {
      const { status, code, message, headers = {} } = this.refuse;
      this.refuse = null;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      return fail(status, code, message);
    }
    const bytes = Buffer.concat(parts);
    if (bytes.length > this.limit)
      return fail(413, "FILE_TOO_LARGE", `The file has ${bytes.length} bytes; at most ${this.limit} are taken.`);
    const ref = this.add(query.get("name"), request.headers["content-type"], bytes);
    this.all.get(ref.file_id).info.state = "pending";
    return send(201, ref);
  }
}

function serve({ info, bytes }, request, response, query) {
  const start = bytes.subarray(0, 16).toString("latin1");
  const isDrawn = { ...IMAGES, ...PLAYED }[info.content_type]?.test(start) ?? false;
  const inline = isDrawn && !query.has("download");
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const last = Math.min(bytes.length - 1, to ? Number(to) : Infinity);
  const part = from === undefined ? bytes : bytes.subarray(Number(from), last + 1);
  response.writeHead(from === undefined ? 200 : 206, {
    "content-type":
      isDrawn || /^(text\/plain|application\/)/.test(info.content_type)
        ? info.content_type
        : "application/octet-stream",
    "content-length": part.length,
    "content-disposition": `${inline ? "inline" : "attachment"}; filename*=UTF-8''${encodeURIComponent(info.name)}`,
    "content-security-policy": SANDBOX,
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "accept-ranges": "bytes",
    etag: `"${info.sha256}"`,
    "cache-control": "private, max-age=31536000, immutable",
    ...(from === undefined ? {} : { "content-range": `bytes ${from}-${last}/${bytes.length}` }),
  });
  response.end(request.method === "HEAD" ? undefined : part);
}
