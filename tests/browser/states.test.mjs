// Every state of the page under axe, in light, dark and forced colours, on a desk, on a phone and enlarged, without sideways
// scrolling.

import { test } from "node:test";

import { busyStates, emptyStates, SCREENS } from "./page-states.mjs";
import { open, withStub } from "./setup.mjs";

withStub();

for (const [name, options] of SCREENS) {
  const visit = async (what) => {
    await open.accessible(what);
    await open.fits(what);
  };
  test(`no accessibility violation and no sideways scrolling: ${name}`, () => busyStates(options, visit));
  test(`no accessibility violation in an empty chat: ${name}`, () => emptyStates(options, visit));
}
