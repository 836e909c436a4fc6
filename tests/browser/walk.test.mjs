// The keyboard alone, through every state of the page: Tab reaches every control and comes around, and what has the focus is on
// the screen, uncovered and marked.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busyStates, emptyStates, SCREENS } from "./page-states.mjs";
import { open, withStub } from "./setup.mjs";

withStub();

const MOST = 250; // presses; a state has fewer controls

/** What has the focus: its name, and what is wrong with how it is shown. */
const look = () => {
  const el = document.activeElement;
  if (!el || el === document.body) return null;
  window.walked ??= new Set();
  const seen = window.walked.has(el) && window.walkedLast !== el; // the parts of a date are one element
  window.walkedLast = el;
  window.walked.add(el);
  const faults = [];
  const box = (el.closest("label")?.querySelector("input") === el ? el.closest("label") : el).getBoundingClientRect();
  const [left, right] = [Math.max(0, box.left), Math.min(innerWidth, box.right)];
  const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
  if (right - left < 1 || bottom - top < 1) faults.push("is not on the screen");
  else {
    // WCAG 2.4.11: at least a part of it is not covered
    const nine = Array.from({ length: 9 }, (_, n) => 0.02 + n * 0.12);
    const places = nine.flatMap((x) => nine.map((y) => [x, y]));
    const free = places.some(([x, y]) => {
      const found = document.elementFromPoint(left + (right - left) * x, top + (bottom - top) * y);
      return found && (el.contains(found) || found.contains(el) || el.closest("label")?.contains(found));
    });
    if (!free) faults.push("is covered");
  }
  const marked = (one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return (outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
  };
  if (![el, el.parentElement, el.closest("label"), el.closest(".search")].some((one) => one && marked(one)))
    faults.push("has no mark of the focus");
  const name = el.getAttribute("aria-label") ?? el.textContent.trim().replace(/\s+/g, " ").slice(0, 50);
  return { seen, name: `${el.tagName.toLowerCase()}.${el.className} ${name || el.id}`, faults };
};

/** All that Tab has to reach. */
const controls = () => {
  const within = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body; // one may lie over another
  const all = within.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  const reached = (el) =>
    window.walked.has(el) || (el.type === "radio" && [...window.walked].some((one) => one.name === el.name));
  return [...all]
    .filter((el) => el.checkVisibility({ visibilityProperty: true }) && !el.disabled && !el.closest("[inert]"))
    .filter((el) => el.id !== "newer") // it is there as long as the end is not on the screen
    .filter((el) => el.tabIndex >= 0 && !el.closest("[role=tablist]") && !reached(el))
    .map((el) => `${el.tagName.toLowerCase()}.${el.className} ${el.textContent.trim().slice(0, 40)}`);
};

async function walk(what) {
  const { page } = open;
  const held = await page.evaluateHandle(() => {
    window.walked = new Set();
    return document.activeElement;
  });
  const faults = [];
  for (let n = 0; n < MOST; n += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(look);
    if (!stop) continue; // the browser's own controls
    if (stop.seen) break;
    for (const fault of stop.faults) faults.push(`${stop.name} ${fault}`);
    assert.ok(n < MOST - 1, `Tab comes around in ${what}`);
  }
  assert.deepEqual(faults, [], `the focus in ${what}`);
  assert.deepEqual(await page.evaluate(controls), [], `Tab reaches everything in ${what}`);
  await held.evaluate((el) => el.focus?.({ preventScroll: true }));
}

for (const [name, options] of SCREENS.filter(([one]) => !["dark", "a dark phone"].includes(one))) {
  test(`Tab goes through a busy chat: ${name}`, () => busyStates(options, walk));
  test(`Tab goes through an empty chat: ${name}`, () => emptyStates(options, walk));
}
