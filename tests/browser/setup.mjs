// Setup and teardown of a test file: one browser for the file, and for each test a fresh platform and the page under
// test, which must be without faults when it is closed. `node --test` runs each file in its own process, so this
// module's state belongs to one file.

import { after, afterEach, before, beforeEach } from "node:test";

import * as chromium from "./chromium.mjs";
import * as firefox from "./firefox.mjs";
import { Opened } from "./test-page.mjs";
import { Refine } from "./refine.mjs";
import { Stub } from "./stub.mjs";

export let browser = null;
/** The page under test. */
export let open = null;
/** The gateway stub, if withStub() was called. */
export let stub = null;
/** The real binary, if withRefine() was called. */
export let refine = null;

/** `TEST_BROWSER=firefox` runs any file in Firefox. */
const usual = () => (process.env.TEST_BROWSER === "firefox" ? firefox : chromium).launch();

/** Each test gets a gateway stub. `launch` starts another browser than the usual one. */
export function withStub(launch = usual) {
  withPlatform(
    launch,
    async () => (stub = await new Stub().start()),
    () => stub.stop(),
  );
}

/** Each test gets a process of the example, with its own data folder. */
export function withRefine() {
  withPlatform(
    usual,
    () => restart((fresh) => fresh.start()),
    () => refine?.stop(),
  );
}

/** Replaces the process; `start` starts the new one. */
export async function restart(start) {
  await refine?.stop();
  refine = null; // a process that did not start needs no stop
  refine = await start(new Refine());
}

/** Opens the page under test, in place of an earlier one. */
export async function openAt(url, options) {
  open = await Opened.at(browser, url, options);
  return open.page;
}

/** Opens the page of the current platform and waits until it is live. */
export async function opened(options) {
  await openAt(stub?.url ?? refine.link, options);
  await open.state("live");
  return open.page;
}

function withPlatform(launch, start, stop) {
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
