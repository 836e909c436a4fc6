// What the platform says of a file: name, type, size, or that it is gone. Each file is asked for once, as long as the answer may
// still be true; a file that this page uploaded needs no question.

import { get } from "./api.js";
import { fileAddress } from "./file-words.js";

const MOST = 500; // files that are remembered
const known = new Map(); // file_id -> what is known, or the request for it

/** Remembers a file that this page has uploaded. */
export function remember(file) {
  known.delete(file.file_id);
  known.set(file.file_id, file);
  if (known.size > MOST) known.delete(known.keys().next().value);
  return file;
}

/** The file, or null if it was deleted, has expired or is another user's. Rejects with an ApiError if nothing is known. */
export async function infoOf(id) {
  if (!known.has(id)) known.set(id, askFor(id));
  return known.get(id);
}

/** The same from the platform, now. */
export function freshInfoOf(id) {
  known.delete(id);
  return infoOf(id);
}

async function askFor(id) {
  try {
    return remember(await get(`${fileAddress(id)}?info`));
  } catch (error) {
    known.delete(id);
    if (error.status === 404) return null;
    throw error;
  }
}
