// Waiting with a deadline, for what the test tool itself does not wait for: requests to the stub, processes, streams.

const MOST_MS = 20_000;

/** Resolves as the promise does, or fails with `what` was waited for. */
export function within(what, promise, ms = MOST_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again and again until the answer is true. */
export async function until(what, ask, ms = MOST_MS) {
  const end = Date.now() + ms;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms until ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
