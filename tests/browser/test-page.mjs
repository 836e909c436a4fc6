// A page under test. Closing it asserts that no script failed and the content security policy was not violated. Owns
// opening and the steps that all tests share.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { until, within } from "./deadline.mjs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export class Opened {
  static async at(browser, url, options = {}) {
    const self = new Opened();
    self.context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
    self.page = await self.context.newPage();
    self.faults = [];
    self.page.on("pageerror", (error) => self.faults.push(error.stack));
    self.page.on("console", (message) => {
      if (/Content Security Policy|Uncaught/.test(message.text())) self.faults.push(message.text());
    });
    self.page.setDefaultTimeout(15_000);
    await self.page.goto(url);
    await self.page.waitForURL((at) => !at.pathname.startsWith("/open/")); // the page behind a link opens it
    return self;
  }

  /** Another page of the same user: it shares the cookie. */
  async again(url) {
    const other = Object.assign(new Opened(), { context: this.context, faults: this.faults });
    other.page = await this.context.newPage();
    other.page.on("pageerror", (error) => this.faults.push(error.stack));
    other.page.setDefaultTimeout(15_000);
    await other.page.goto(url);
    return other;
  }

  state(name) {
    return this.page.locator(`#link-state[data-state="${name}"]`).waitFor();
  }

  async choose(name) {
    const back = this.page.getByRole("button", { name: "All functions" });
    if (await back.isVisible()) await back.click();
    await this.page.locator(".function", { hasText: name }).click();
  }

  run() {
    return this.page.locator(".function-form button[type=submit]").click();
  }

  turns(selector = "") {
    return this.page.locator(`#turns > .turn${selector}`);
  }

  /** Waits until a turn with exactly this text is in the chat. */
  seen(text) {
    return this.page.locator("#turns").getByText(text, { exact: true }).first().waitFor();
  }

  /** Announcements to screen readers, oldest first. */
  said() {
    return this.page.locator("#announcer p").allTextContents();
  }

  /** No violation of WCAG 2.2 A and AA, nor of axe's best practices. */
  async accessible(what) {
    // wait for animations: a fading text has no contrast to measure
    const still = () =>
      this.page.evaluate(() =>
        document
          .getAnimations()
          .every((a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity),
      );
    await until(`no animation runs in ${what}`, still);
    await this.page.evaluate(axeSource); // the content security policy does not apply to the debugger
    const check = () => window.axe.run(document, { rules: { "target-size": { enabled: true } } });
    const { violations } = await within(`axe in ${what}`, this.page.evaluate(check), 60_000);
    const found = violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((node) => node.html).join("\n  ")}`);
    assert.deepEqual(found, [], `accessibility of ${what}`);
  }

  /** Only wide tables and code scroll sideways. */
  async fits(what) {
    const wide = await this.page.evaluate(() =>
      [...document.querySelectorAll("html, body, .scroller, .side, [role=tabpanel]")]
        .filter((el) => el.scrollWidth > el.clientWidth)
        .map((el) => el.className || el.tagName),
    );
    assert.deepEqual(wide, [], `${what} fits the screen`);
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, [], "no script fails and nothing breaks the content security policy");
  }
}
