// Starts Firefox, as Debian ships it, for the tests that run in it. Owns finding it, its preferences, and what it cannot do that
// the test tool takes for granted.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { firefox } from "playwright-core";

const NAMES = ["firefox-esr", "firefox"];

function executable() {
  const inPath = (process.env.PATH ?? "").split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name)));
  const found = [process.env.FIREFOX, ...inPath].filter(Boolean).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found)
    throw new Error("Firefox was not found. Install it (Debian: apt install firefox-esr), or set FIREFOX to its path.");
  return found;
}

/** A browser of the tool's own kind. `prefs` are preferences of Firefox: it has no emulation of themes and of motion. */
export async function launch(prefs = {}) {
  const browser = await firefox.launch({
    channel: "moz-firefox",
    executablePath: executable(),
    firefoxUserPrefs: prefs,
  });
  tolerate(browser, "emulation.setMediaFeaturesOverride");
  return browser;
}

/** The tool sends this command for every context; the long-term release of Firefox does not know it yet. */
function tolerate(browser, command) {
  const session = browser._connection.toImpl(browser)._browserSession;
  const send = session.send.bind(session);
  session.send = async (method, params) => {
    try {
      return await send(method, params);
    } catch (error) {
      if (method === command && /unknown command/.test(error.message)) return {};
      throw error;
    }
  };
}
