// What every test file is set up with: one browser for the file, and for each test a fresh platform
// and the page under test, which must be without faults when it is closed. Owns starting and ending
// these; what is seen on the page is the tests' business. `node --test` runs each file in a process
// of its own, so that there is one stage.

import { after, afterEach, before, beforeEach } from "node:test";

import { launch } from "./chromium.mjs";
import { Opened } from "./opened.mjs";
import { Refine } from "./refine.mjs";
import { Stub } from "./stub.mjs";

export let browser = null;
/** The page under test. */
export let open = null;
/** The stand-in, where withStub() was called. */
export let stub = null;
/** The real binary, where withRefine() was called. */
export let refine = null;

/** Each test has a stand-in for the gateway. */
export function withStub() {
  withPlatform(
    async () => (stub = await new Stub().start()),
    () => stub.stop(),
  );
}

/** Each test has a process of the example, and a data folder. */
export function withRefine() {
  withPlatform(
    () => restart((fresh) => fresh.start()),
    () => refine?.stop(),
  );
}

/** Another process instead of the one there is: `start` starts it in another way, or elsewhere. */
export async function restart(start) {
  await refine?.stop();
  refine = null; // one that does not start is not stopped
  refine = await start(new Refine());
}

/** Opens the page under test, another one than before if there was one. */
export async function openAt(url, options) {
  open = await Opened.at(browser, url, options);
  return open.page;
}

/** Opens the page of the platform that there is, and waits until it is live. */
export async function opened(options) {
  await openAt(stub?.url ?? refine.link, options);
  await open.state("live");
  return open.page;
}

function withPlatform(start, stop) {
  before(async () => (browser = await launch()));
  after(() => browser?.close());
  beforeEach(start);
  afterEach(async () => {
    try {
      await open?.close();
    } finally {
      open = null;
      await stop();
      refine = null;
    }
  });
}
