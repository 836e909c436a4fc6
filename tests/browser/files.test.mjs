// Files: choosing, dropping and pasting them in a form, their uploads and what can go wrong, and how answers draw them. What
// strangers name or put into a file harms nobody.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./deadline.mjs";
import { png, wav } from "./media.mjs";
import { open, opened, stub, withStub } from "./setup.mjs";

withStub();

const PNG = png(64, 40);
const CHART = { name: "chart.png", mimeType: "image/png", buffer: PNG };
const ROWS = { name: "rows.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") };
const BIG = { name: "big.csv", mimeType: "text/csv", buffer: Buffer.alloc(20_000_000, 65) };
const RLO = "\u202e";
const answer = (data, over = {}) => ({ status: "success", summary: "Here it is.", data, ...over });

/** Opens the form of the function that takes files. */
async function form(options) {
  stub.takesFiles = true;
  const page = await opened(options);
  await open.choose("File report");
  return page;
}

const field = (page, label) => page.locator(".field", { has: page.getByLabel(label) });
const rowOf = (page, name) => page.locator(".file-row", { hasText: name });
const params = () => stub.turns.find((turn) => turn.role === "user")?.params;
const idOf = (name) => [...stub.files.all.values()].find(({ info }) => info.name === name)?.info.file_id;
const held = (page) =>
  page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id);

/** Holds every upload until the result is called. */
function hold() {
  let go;
  stub.files.hold = new Promise((done) => (go = done));
  return go;
}

/** Drops or pastes files onto an element, as a browser does. */
const give = (locator, kind, files) =>
  locator.evaluate(
    (el, [kind, files]) => {
      const data = new DataTransfer();
      for (const [name, type, text] of files) data.items.add(new File([text], name, { type }));
      const init = { bubbles: true, cancelable: true };
      const events = kind === "drop" ? ["dragover", "drop"] : ["paste"];
      let last;
      for (const name of events) {
        last =
          kind === "drop"
            ? new DragEvent(name, { ...init, dataTransfer: data })
            : new ClipboardEvent(name, { ...init, clipboardData: data });
        el.dispatchEvent(last);
      }
      return last.defaultPrevented;
    },
    [kind, files],
  );

describe("a file in a form", () => {
  test("is uploaded with its progress and sent as its id", async () => {
    const go = hold();
    const page = await form();
    await page.getByLabel("Photo").setInputFiles(CHART);
    await page.getByLabel("More").setInputFiles([BIG, ROWS]);
    const bar = rowOf(page, "big.csv").getByRole("progressbar", { name: "Upload of big.csv" });
    await until("a part of it is sent", async () => Number(await bar.getAttribute("value")) > 0);
    await rowOf(page, "big.csv")
      .getByText(/^\d+ % of 19 MiB$/)
      .waitFor();
    await open.accessible("uploads");
    await page.getByLabel("Data").setInputFiles(ROWS);
    await open.run();
    await field(page, "Photo").getByText("“chart.png” is not uploaded yet.").waitFor();
    assert.equal(params(), undefined, "nothing is sent before its files");
    go();
    await rowOf(page, "chart.png")
      .getByText(/^PNG image · /)
      .waitFor();
    await rowOf(page, "big.csv").getByText("CSV · 19 MiB").waitFor();
    await field(page, "Data").locator(".file-row").getByText("CSV · 8 bytes").waitFor();
    assert.equal(await field(page, "Photo").locator(":scope > .field-error").isVisible(), false);
    assert.ok((await open.said()).includes("big.csv is uploaded."));
    await open.accessible("files that are uploaded");
    await open.run();
    await open.turns(".bot").waitFor();
    const {
      data,
      more: [, more],
    } = params();
    assert.notEqual(data, more);
    assert.deepEqual(params(), { photo: idOf("chart.png"), data, more: [idOf("big.csv"), more] });
    assert.equal(await page.locator(".file-row").count(), 0, "the form is empty again");
    await page.locator(".bubble").getByRole("link", { name: "chart.png" }).waitFor();
  });

  test("is cancelled, removed and replaced by keys alone", async () => {
    const page = await form();
    await page.getByLabel("Photo").focus();
    const chooser = page.waitForEvent("filechooser");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    // another one in its place, whose upload is cancelled: the first one is back
    const go = hold();
    await page.getByLabel("Photo").setInputFiles({ ...CHART, name: "other.png" });
    await page.getByRole("button", { name: "Cancel the upload of other.png" }).waitFor();
    await page.getByLabel("Photo").focus();
    await page.keyboard.press("Shift+Tab");
    assert.equal(await held(page), "Cancel the upload of other.png");
    assert.equal(await page.locator(".field > .field-error:visible").count(), 0, "an upload that goes on is no error");
    await page.keyboard.press("Enter");
    await rowOf(page, "chart.png").waitFor();
    await until("the focus on the row", async () => (await held(page)) === "Remove chart.png");
    await until("the announcement", async () => (await open.said()).includes("other.png: upload cancelled."));
    await page.keyboard.press("Space");
    assert.equal(await page.locator(".file-row").count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.type), "file", "the focus is where a file is chosen");
    go();
    stub.files.hold = null;
    await page.getByLabel("Photo").setInputFiles({ ...CHART, name: "last.png" });
    await rowOf(page, "last.png")
      .getByText(/^PNG image/)
      .waitFor();
    await page.keyboard.press("Control+Enter");
    await open.turns(".bot").waitFor();
    assert.deepEqual(params(), { photo: idOf("last.png") });
  });

  test("is dropped on its field, dropped or pasted anywhere in the form, and never replaces the page", async () => {
    const page = await form();
    await give(page.locator(".file-zone").nth(1), "drop", [["one.csv", "text/csv", "a"]]);
    await field(page, "Data").locator(".file-row", { hasText: "one.csv" }).waitFor();
    await give(page.locator(".form-head"), "drop", [["two.png", "image/png", "b"]]);
    await field(page, "Photo").locator(".file-row", { hasText: "two.png" }).waitFor();
    await give(page.locator(".lead"), "paste", [["three.txt", "text/plain", "c"]]);
    await field(page, "More").locator(".file-row", { hasText: "three.txt" }).waitFor();
    assert.ok(
      await give(page.locator("#chat"), "drop", [["four.png", "image/png", "d"]]),
      "the browser does not open it",
    );
    assert.deepEqual(stub.files.uploads, ["one.csv", "two.png", "three.txt"]);
  });

  test("that was uploaded is in the draft, by its id", async () => {
    const page = await form();
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    const id = idOf("chart.png");
    await page.waitForFunction((id) => Object.values(sessionStorage).some((text) => text.includes(id)), id);
    await page.reload();
    await open.state("live");
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    stub.files.all.delete(id);
    await page.reload();
    await open.state("live");
    await page.getByText("This file was deleted, or its time is over. Remove it, or choose another one.").waitFor();
    await open.accessible("a draft whose file is gone");
    await open.run();
    await field(page, "Photo")
      .getByText(/is gone\. Remove it, or choose another file\.$/)
      .waitFor();
    assert.equal(params(), undefined);
    await page.getByLabel("Photo").setInputFiles({ ...CHART, name: "new.png" });
    await rowOf(page, "new.png")
      .getByText(/^PNG image/)
      .waitFor();
    await open.run();
    await open.turns(".bot").waitFor();
    assert.deepEqual(params(), { photo: idOf("new.png") });
  });

  test("of an earlier call is in the form again, by its name", async () => {
    stub.takesFiles = true;
    const photo = stub.files.add("harbour.png", "image/png", PNG).file_id;
    stub.asked("file_report", { photo, more: [photo] }, answer({}));
    const page = await opened();
    await page.locator(".bubble").getByRole("link", { name: "harbour.png" }).first().waitFor();
    await page.getByRole("button", { name: "Edit and run File report" }).click();
    await rowOf(page, "harbour.png").nth(1).waitFor();
    await open.run();
    await open.turns().nth(3).waitFor();
    assert.deepEqual(stub.turns.at(-2).params, { photo, more: [photo] });
  });

  test("answers a question, for the extension of its task", async () => {
    const task = stub.task(stub.asked("ping", {}, answer({})), "order", { durable: true, app_id: "shop" });
    const question = stub.ask(task, { schema: { type: "string", format: "file-id" } });
    const page = await opened();
    await page.locator(".question input[type=file]").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    await open.accessible("a question for a file");
    await page.locator(".question-form [type=submit]").click();
    await page.getByText(/^You answered: a file, /).waitFor();
    assert.equal(question.answer, idOf("chart.png"));
    assert.equal(stub.files.app, "shop");
  });

  test("of a call that the platform refuses is told at its field", async () => {
    const page = await form();
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    stub.refuse = { status: 404, code: "NOT_FOUND", message: "There is no such file.", field: "photo" };
    await open.run();
    await field(page, "Photo").getByText("There is no such file.").waitFor();
    assert.equal(await page.getByLabel("Photo").getAttribute("aria-invalid"), "true");
    await open.accessible("a file that was refused");
  });

  test("is not lost when the form is shown as JSON while it is uploaded", async () => {
    const go = hold();
    const page = await form();
    await page.getByLabel("Photo").setInputFiles(CHART);
    await page.getByRole("button", { name: "Edit as JSON" }).click();
    await field(page, "Photo").getByText("“chart.png” is not uploaded yet.").waitFor();
    go();
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    await page.getByRole("button", { name: "Edit as JSON" }).click();
    assert.deepEqual(JSON.parse(await page.getByLabel("Parameters").inputValue()), { photo: idOf("chart.png") });
  });
});

describe("a file that is refused", () => {
  test("by its type, its size or its number leaves before it is sent, with the reason", async () => {
    stub.sessionLimit = 1024 * 1024;
    const page = await form();
    const refusal = (label) => field(page, label).locator(".file-picker > .field-error");
    await page.getByLabel("Photo").setInputFiles(ROWS);
    assert.equal(await refusal("Photo").textContent(), "“rows.csv” is of the type CSV. This takes any image.");
    await open.accessible("a file of a wrong type");
    await page.getByLabel("Data").setInputFiles(BIG);
    const size = "“big.csv” has 19 MiB. A file may have 1 MiB at most: choose a smaller one.";
    assert.equal(await refusal("Data").textContent(), size);
    await page.getByLabel("More").setInputFiles([1, 2, 3, 4].map((n) => ({ ...ROWS, name: `${n}.csv` })));
    assert.match(await refusal("More").textContent(), /^This takes at most 3 files\./);
    await give(page.locator(".file-zone").first(), "drop", [
      ["a.png", "image/png", "a"],
      ["b.png", "image/png", "b"],
    ]);
    assert.equal(await refusal("Photo").textContent(), "This takes one file. These are 2.");
    assert.deepEqual(stub.files.uploads, []);
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    assert.equal(await refusal("Photo").isVisible(), false, "the next choice takes the error away");
  });

  for (const [what, status, code, message] of [
    ["the quota", 409, "FILES_EXCEEDED", "Your files in this extension would have 1.1 GiB; 1 GiB is the most."],
    ["its size", 413, "FILE_TOO_LARGE", "The file is larger than 100 MiB. Choose a smaller one."],
    ["a full disk", 503, "UNAVAILABLE", "The node cannot store files now. Try again in a minute."],
  ])
    test(`by the platform, for ${what}, stays with its reason and a second try`, async () => {
      const page = await form();
      stub.files.refuse = { status, code, message };
      await page.getByLabel("Photo").setInputFiles(CHART);
      await rowOf(page, "chart.png").getByRole("alert").getByText(message).waitFor();
      await open.accessible("an upload that failed");
      await open.run();
      await field(page, "Photo").getByText("“chart.png” was not uploaded. Try again, or remove it.").waitFor();
      await rowOf(page, "chart.png").getByRole("button", { name: "Try again" }).click();
      await rowOf(page, "chart.png")
        .getByText(/^PNG image/)
        .waitFor();
      assert.equal(await rowOf(page, "chart.png").getByRole("alert").isVisible(), false);
    });

  test("for too many uploads at once goes on by itself", async () => {
    const page = await form();
    const message = "16 files are being uploaded. Try again in a second.";
    stub.files.refuse = { status: 429, code: "RATE_LIMITED", message, headers: { "retry-after": "1" } };
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
    assert.deepEqual(stub.files.uploads, ["chart.png", "chart.png"]);
  });

  test("by a connection that breaks off again and again says that it may be too large", async () => {
    stub.files.cutNext = 99;
    const page = await form();
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png")
      .getByText(/^The upload broke off 3 times\./)
      .waitFor();
    assert.ok(stub.files.uploads.length >= 3, "the browser itself repeats some");
    stub.files.cutNext = 0;
    await rowOf(page, "chart.png").getByRole("button", { name: "Try again" }).click();
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
  });

  test("by a missing connection is uploaded when it is back", async () => {
    const page = await form();
    await open.context.setOffline(true);
    await page.getByLabel("Photo").setInputFiles(CHART);
    await rowOf(page, "chart.png").getByText("You are offline. It goes on by itself.").waitFor();
    await open.context.setOffline(false);
    await rowOf(page, "chart.png")
      .getByText(/^PNG image/)
      .waitFor();
  });
});

describe("files in answers", () => {
  test("are drawn by their type: picture, audio, video, download", async () => {
    const files = stub.files;
    const picture = files.add("chart.png", "image/png", png(640, 400));
    const tone = files.add("tone.wav", "audio/wav", wav(1));
    const film = files.add("film.mp4", "video/mp4", Buffer.from("\0\0\0\x18ftypisom"));
    const table = files.add("rows.csv", "text/csv", ROWS.buffer);
    stub.asked("ping", {}, answer({ picture, tone, film, table }));
    let go;
    files.holdBytes = new Promise((done) => (go = done));
    const page = await opened();
    const img = page.getByRole("img", { name: "chart.png" });
    const box = await img.boundingBox();
    go();
    await page.waitForFunction(() => document.querySelector(".file-image")?.naturalWidth === 640);
    assert.equal((await img.boundingBox()).height, box.height, "its height is reserved");
    assert.equal(await img.getAttribute("loading"), "lazy");
    assert.equal(await img.getAttribute("src"), `v1/files/${picture.file_id}`);
    await page.waitForFunction(() => document.querySelector("audio")?.duration === 1);
    assert.equal(await page.locator("video, .file:has-text('film.mp4') .help").count(), 1);
    await page.locator(".file", { hasText: "rows.csv" }).getByText("CSV · 8 bytes").waitFor();
    await open.accessible("an answer with files");
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download rows.csv" }).press("Enter");
    assert.equal((await download).suggestedFilename(), "rows.csv");
  });

  test("stand in lists, tables and trees, and are copied as their names", async () => {
    const picture = stub.files.add("chart.png", "image/png", PNG);
    const table = stub.files.add("rows.csv", "text/csv", ROWS.buffer);
    const tree = { type: "Stack", props: { children: [{ type: "Image", props: { src: picture } }, table] } };
    stub.asked("ping", {}, answer({ shots: Array(30).fill(picture), mixed: [picture, table] }));
    stub.asked("ping", {}, answer({ rows: [{ name: "Spring", picture, table }] }));
    stub.asked("ping", {}, answer({}, { ui: tree }));
    const page = await opened();
    await page.locator(".files.gallery img").nth(19).waitFor({ state: "attached" });
    assert.ok((await page.locator(".files.gallery img").count()) < 30, "a long list is drawn in steps");
    await page
      .getByRole("row", { name: /Spring/ })
      .getByRole("link", { name: "rows.csv" })
      .waitFor();
    await page.locator(".ui").getByRole("img", { name: "chart.png" }).waitFor();
    await page.locator(".ui").getByRole("link", { name: "Download rows.csv" }).waitFor();
    await open.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator(".turn.bot").nth(1).getByRole("button", { name: "Copy" }).click();
    await until("it is copied", () => page.evaluate(() => navigator.clipboard.readText().then((text) => text !== "")));
    assert.equal(
      await page.evaluate(() => navigator.clipboard.readText()),
      "Name\tPicture\tTable\nSpring\tchart.png\trows.csv",
    );
    await open.accessible("lists of files");
  });

  test("that are gone say so, and keep the focus", async () => {
    const [picture, table] = [
      stub.files.add("chart.png", "image/png", PNG),
      stub.files.add("rows.csv", "text/csv", ROWS.buffer),
    ];
    stub.files.all.clear();
    stub.asked("ping", {}, answer({ picture, table }));
    const page = await opened();
    const gone = page.getByText("This file was deleted, or its time is over.");
    await gone.waitFor();
    assert.equal(await page.locator(".data img").count(), 0);
    const link = page.getByRole("link", { name: "Download rows.csv" });
    await link.press("Enter");
    await gone.nth(1).waitFor();
    assert.ok(await link.evaluate((el) => el === document.activeElement && !el.hasAttribute("href")));
    await open.accessible("files that are gone");
  });

  test("without a connection, a download says so and is not gone", async () => {
    const table = stub.files.add("rows.csv", "text/csv", ROWS.buffer);
    stub.asked("ping", {}, answer({ table }));
    const page = await opened();
    await open.context.setOffline(true);
    const link = page.getByRole("link", { name: "Download rows.csv" });
    await link.click();
    await page.locator(".file").getByText("You are offline. Try again.").waitFor();
    await open.context.setOffline(false);
    const download = page.waitForEvent("download");
    await link.click();
    await download;
    assert.equal(await page.locator(".file .field-error").isVisible(), false);
  });

  test("texts, links and data that only look like files stay as they are", async () => {
    const real = stub.files.add("chart.png", "image/png", PNG);
    const near = {
      address: { ...real, file_id: "../../v1/session" },
      text: { ...real, size: "70" },
      part: { ...real, sha256: undefined },
    };
    stub.asked("ping", {}, answer({ id: real.file_id, ...near }, { summary: `![x](v1/files/${real.file_id})` }));
    const page = await opened();
    await page.locator(".turn.bot .data").waitFor();
    assert.equal(await page.locator(".turn.bot :is(img.file-image, .file, .file-cell)").count(), 0);
    assert.ok(!stub.requests.some((request) => request.includes("/v1/files/")));
  });
});

describe("files of strangers", () => {
  const NAMES = [
    "../../../etc/passwd",
    "..\\..\\boot.ini",
    `invoice${RLO}gnp.exe`,
    `${"x".repeat(300)}.png`,
    '<img src=x onerror="window.harmed=1">.png',
    "[a](https://evil.example) **b**.png",
    "",
    "\u0000\u0007\n.png",
  ];

  test("have names that are only shown", async () => {
    const files = NAMES.map((name) => stub.files.add(name, "image/png", PNG));
    const others = NAMES.map((name) => stub.files.add(name, "application/x-thing\n<b>", ROWS.buffer));
    stub.asked("ping", {}, answer({ files, others, rows: files.map((file) => ({ file })) }));
    const page = await opened();
    await page.getByRole("img").nth(2).waitFor();
    await page.getByText("invoice<U+202E>gnp.exe").first().waitFor();
    const found = await page.evaluate(() => ({
      harmed: window.harmed,
      hidden: [...document.querySelectorAll(".data *")]
        .flatMap((el) => [...el.attributes].map((one) => one.value))
        .concat(document.querySelector(".data").textContent)
        .filter((text) => /[\u202e\u0000\u0007]/.test(text)),
      links: [...document.querySelectorAll(".data a")].map((a) => a.getAttribute("href")),
      sources: [...document.querySelectorAll(".data :is(img, audio, video)")].map((el) => el.getAttribute("src")),
    }));
    assert.equal(found.harmed, undefined);
    assert.deepEqual(found.hidden, []);
    for (const address of [...found.links, ...found.sources])
      assert.match(address, /^v1\/files\/[0-9a-f-]{36}(\?download)?$/);
    await open.accessible("files with hostile names");
    await open.fits("files with hostile names");
  });

  test("have names that are uploaded without folders and control characters, and not too long", async () => {
    const page = await form();
    await page.getByLabel("Data").evaluate(
      (input, names) => {
        const zone = input.closest(".field").nextElementSibling.querySelector(".file-zone");
        for (const name of names) {
          const data = new DataTransfer();
          data.items.add(new File(["x"], name, { type: "text/plain" }));
          zone.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
        }
      },
      ["../a.txt", `${"ü".repeat(300)}.txt`, ".."],
    );
    await until("all are uploaded", () => stub.files.all.size === 3);
    const names = [...stub.files.uploads].sort();
    assert.deepEqual(
      names.map((name) => name.slice(-8)),
      [".._a.txt", "file", "üüüü.txt"].map((name) => name.slice(-8)),
    );
    assert.ok(names.every((name) => Buffer.byteLength(name) <= 255 && !/[/\\]/.test(name)));
    await open.accessible("uploads with hostile names");
  });

  test("are never drawn if they are SVG or HTML, whatever their type says", async () => {
    const code = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>parent.harmed = 1</script></svg>');
    const page = Buffer.from("<!doctype html><script>parent.harmed = 1</script>");
    const files = [
      stub.files.add("logo.svg", "image/svg+xml", code),
      stub.files.add("page.html", "text/html", page),
      stub.files.add("photo.png", "image/png", code),
      stub.files.add("film.mp4", "video/mp4", page),
    ];
    stub.asked("ping", {}, answer({ files }));
    const shown = await opened();
    await shown.getByText("The browser cannot show this file. You can download it.").nth(1).waitFor();
    assert.equal(await shown.locator(".data :is(img, video, audio, iframe, object, embed, svg:not(.icon))").count(), 0);
    assert.equal(await shown.evaluate(() => window.harmed), undefined);
    for (const { file_id: id } of files.slice(0, 2))
      assert.ok(!stub.requests.includes(`GET /v1/files/${id}`), "the page does not even ask for it");
    const opening = shown.waitForEvent("download");
    await shown.getByRole("link", { name: "Download page.html" }).click();
    assert.equal((await opening).suggestedFilename(), "page.html");
  });

  test("of no byte are uploaded and shown", async () => {
    const page = await form();
    await page.getByLabel("Data").setInputFiles({ ...ROWS, buffer: Buffer.alloc(0) });
    await rowOf(page, "rows.csv").getByText("CSV · 0 bytes").waitFor();
  });
});
