// Forced colours (contrast themes), which the browser emulates: what the page says by a background is said otherwise. And text at
// 200 and 400 percent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busyChat } from "./busy-chat.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const look = (locator, ...names) =>
  locator.evaluate((el, all) => all.map((name) => getComputedStyle(el).getPropertyValue(name)), names);

for (const colorScheme of ["light", "dark"])
  test(`forced colours show what is chosen, done, pressable and apart: ${colorScheme}`, async () => {
    const id = busyChat(stub);
    const page = await opened({ forcedColors: "active", colorScheme });
    // a system colour as the browser resolves it here
    const system = (name) =>
      page.evaluate((color) => {
        const el = document.createElement("i");
        el.style.setProperty("forced-color-adjust", "none");
        el.style.color = color;
        document.body.append(el);
        const value = getComputedStyle(el).color;
        el.remove();
        return value;
      }, name);
    const [highlight, link, canvas] = [await system("Highlight"), await system("LinkText"), await system("Canvas")];

    const bar = page.locator(".task .bar");
    stub.progress(id, 30, "Generating");
    await page.getByText("30 %").waitFor();
    const [width, style] = await look(bar, "border-top-width", "border-top-style");
    assert.deepEqual([width, style], ["1px", "solid"], "the track has an edge");
    assert.deepEqual(await look(bar.locator(".bar-fill"), "background-color"), [highlight]);

    for (const name of ["Edit and run", "See the call"]) {
      const [color, line] = await look(page.getByRole("button", { name }).first(), "color", "text-decoration-line");
      assert.deepEqual([color, line], [link, "underline"], name);
    }
    for (const part of [".bubble", ".chip", ".tile", ".badge"])
      assert.deepEqual(await look(page.locator(part).first(), "border-top-style"), ["solid"], part);

    await page.locator("#open-tasks").click();
    const chosen = await look(page.getByRole("tab", { name: "Tasks" }), "background-color");
    const other = await look(page.getByRole("tab", { name: "Audit" }), "background-color");
    assert.deepEqual(chosen, [highlight], "the chosen tab");
    assert.notDeepEqual(other, chosen, "the other tab");
    const pressed = page.getByRole("button", { name: "All 2" });
    assert.deepEqual(await look(pressed, "background-color"), [highlight], "the pressed filter");
    assert.notDeepEqual(await look(page.getByRole("button", { name: "Running 1" }), "background-color"), [highlight]);

    // and as pixels: the two tabs, and the part of the bar that is done and the rest
    const pixel = async (locator, x, y) => {
      const { data, width: w } = await pixels(page, await locator.screenshot());
      const at = (Math.round(y * (data.length / 4 / w - 1)) * w + Math.round(x * (w - 1))) * 4;
      return `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
    };
    assert.notEqual(await pixel(page.getByRole("tab", { name: "Tasks" }), 0.03, 0.15), canvas);
    assert.equal(await pixel(page.getByRole("tab", { name: "Audit" }), 0.03, 0.15), canvas);
    const shown = page.getByRole("dialog").locator(".task .bar");
    assert.notEqual(await pixel(shown, 0.15, 0.5), canvas);
    assert.equal(await pixel(shown, 0.85, 0.5), canvas);
    await page.keyboard.press("Escape");
    await open.accessible("forced colours");
  });

/** The pixels of a screenshot, decoded by the browser. */
const pixels = (page, png) =>
  page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    return { width: image.width, data: [...context.getImageData(0, 0, image.width, image.height).data] };
  }, png.toString("base64"));

for (const [name, viewport] of [
  ["200 percent", { width: 640, height: 430 }],
  ["400 percent", { width: 320, height: 256 }],
])
  test(`everything fits at ${name}, and the question before a destructive call can be answered`, async () => {
    busyChat(stub);
    const page = await opened({ viewport });
    await open.fits("the chat");
    await page.locator("#open-tasks").click();
    await open.fits("the tasks");
    await page.keyboard.press("Escape");
    await page.locator("#open-side").click();
    await open.choose("Delete draft");
    await page.getByLabel("Id").fill("3");
    await open.fits("a form");
    await open.run();
    const question = page.getByRole("alertdialog");
    for (const button of ["Keep it", "Delete draft"]) {
      const one = question.getByRole("button", { name: button });
      await one.scrollIntoViewIfNeeded();
      const box = await one.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= viewport.width, `${button} is on the screen`);
    }
    await question.getByRole("button", { name: "Keep it" }).click();
  });
