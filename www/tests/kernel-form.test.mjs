// @ts-check
// Kernels in the form of a new job: a module from a file, what is said of it, a task that is tried in this tab, and a
// job of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LANGUAGES } from "../js/strings.js";
import { KERNEL_WORDS } from "../js/kernel-words.js";
import { areFineOnEveryScreen } from "./every-screen.mjs";
import { CLOCK, DIGITS, ECHO, ENDLESS_LOOP, GIVEN, squares } from "./modules.mjs";
import { Browser, Server, shows, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

const { en, es } = KERNEL_WORDS;
const WORDS = LANGUAGES.en.newJob;

/** What the browser logs of a refusal. */
const REFUSED = /status of (400|409|413)/;

/** The form, and the server's kernels in it. @param {import("node:test").TestContext} t */
async function opened(t, options = {}) {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, { locale: "en-US", ...options });
  await page.locator("#axis-times").waitFor();
  return { server, browser, page };
}

/** @param {Page} page @param {string} name @param {Buffer} buffer */
const give = (page, name, buffer, field = "kernel-file") =>
  page.locator(`#${field}`).setInputFiles({ name, mimeType: "application/wasm", buffer });

/** Drags files over the form, and lets them go there. @param {Page} page @param {[name: string, bytes: number[]][]} files */
async function drop(page, files) {
  const dragged = await page.evaluateHandle((files) => {
    const dragged = new DataTransfer();
    for (const [name, bytes] of files) {
      dragged.items.add(new File([Uint8Array.from(bytes)], name));
    }
    return dragged;
  }, files);
  const form = page.locator("#new-job");
  await form.dispatchEvent("dragover", { dataTransfer: dragged });
  await shows(page, "kernel-drop", en.dropNow);
  await form.dispatchEvent("drop", { dataTransfer: dragged });
  await shows(page, "kernel-drop", en.drop);
}

/** @param {Page} page @param {string} name */
const chosen = (page, name) =>
  until(`${name} is chosen`, async () =>
    (await page.locator("#new-op option:checked").textContent()) === name);

/** @param {Page} page @param {string} kind */
async function tried(page, kind) {
  await page.locator(`#tried[data-kind="${kind}"]`).waitFor();
  return page.locator("#tried").textContent();
}

/** The job's results, once it is done. @param {Server} server @param {number} id */
async function results(server, id) {
  await until("the job is done", async () => (await server.job(id)).state === "done");
  const text = await (await fetch(`${server.page}api/jobs/${id}/results`)).text();
  return text.trim().split("\n").map((line) => JSON.parse(line).result);
}

test("a module from a file becomes a job, whose axes are checked as they are typed", async (t) => {
  const { server, browser, page } = await opened(t);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator("#kernel-pick").click()]);
  await chooser.setFiles({ name: "my digits!.wasm", mimeType: "application/wasm", buffer: DIGITS });
  await chosen(page, "my-digits-");
  await shows(page, "kernel-said", en.added("my digits!.wasm", "my-digits-"));
  const [kernel] = (await (await fetch(`${server.page}api/kernels`)).json()).slice(-1);
  await shows(page, "kernel-about", en.about(en.forms.numbers, en.sized(kernel.bytes)));
  await shows(page, "kernel-confined", en.confined);
  await shows(page, "axis-p1-help", en.kinds.i64);

  // A wrong axis is told at once.
  await page.locator("#axis-p1").fill("0..=1:0.5");
  await shows(page, "axis-p1-error", /^Whole numbers from/);
  await page.locator("#axis-p1").fill("1..=1000");
  await shows(page, "new-job-total", "1,000 tasks");
  await page.getByLabel(en.nameOf("p1")).fill("1x");
  await shows(page, "axis-p1-error", en.names.bad_axis_name);
  assert.equal(await page.locator("#new-job-total").textContent(), "");
  await page.locator("#new-job-submit").click();
  await until("the name has the focus", () => page.evaluate(() => document.activeElement?.id === "axis-p1-name"));
  await page.locator("#axis-p1-name").fill("n");
  await shows(page, "axis-p1-error", "");

  // The choice survives another language, and another one.
  await page.locator("#language").getByText("Español").click();
  await shows(page, "kernel-confined", es.confined);
  await page.locator("#language").getByText("English").click();
  await page.locator("#new-op").selectOption("collatz");
  assert.equal(await page.locator("#kernel").isVisible(), false);
  await page.locator("#new-op").selectOption({ label: "my-digits-" });
  assert.equal(await page.locator("#axis-p1").inputValue(), "1..=1000");
  assert.equal(await page.locator("#axis-p1-name").inputValue(), "n");

  await page.locator("#try").click();
  assert.match((await tried(page, "result")) ?? "", /^n = 1 → 1 \(/);
  await page.locator("#kernel-more summary").click();
  await page.locator("#new-block").fill("48");
  await shows(page, "new-block-error", en.badBlock(32_768));
  await page.locator("#kernel-more summary").click();
  await page.locator("#new-job-submit").click();
  await until("the block has the focus", () => page.evaluate(() => document.activeElement?.id === "new-block"));
  await page.locator("#new-block").fill("64");
  await shows(page, "new-block-error", "");
  await page.locator("#new-job-submit").click();
  const expected = Array.from({ length: 1000 }, (_, at) => squares(at + 1));
  assert.deepEqual(await results(server, 1), expected);
  const job = await server.job(1);
  assert.deepEqual([job.kernel, job.block, job.name], [kernel.sha256, 64, "my-digits-"]);
  assert.deepEqual(Object.keys(job.axes ?? {}), ["n"]);
  await browser.close();
});

test("a module is dropped onto the form, and the same one is found again", async (t) => {
  const { server, browser, page } = await opened(t);
  await drop(page, [["a.wasm", [...DIGITS]]]);
  await chosen(page, "a");
  await page.locator("#axis-p1").fill("5");
  await drop(page, [["b.wasm", [...DIGITS]]]);
  await shows(page, "kernel-said", en.added("b.wasm", "a"));
  await chosen(page, "a");
  assert.equal(await page.locator("#axis-p1").inputValue(), "5");
  // Another one of the same name gets another.
  await drop(page, [["a.wasm", [...ECHO]]]);
  await chosen(page, await until("it has a name", async () => {
    const all = await (await fetch(`${server.page}api/kernels`)).json();
    return all.find((/** @type {{ form: string, name: string }} */ one) => one.form === "json" && one.name.startsWith("kernel-"))?.name;
  }));
  await drop(page, [["a.wasm", []], ["b.wasm", []]]);
  await shows(page, "kernel-trouble", en.several);
  await browser.close(REFUSED);
});

test("what is no kernel is refused in the server's words, and nothing else changes", async (t) => {
  const { browser, page } = await opened(t);
  await give(page, "words.wasm", Buffer.from("hello, this is no module"));
  await shows(page, "kernel-trouble", /^words\.wasm was not added\. .*no WebAssembly module.*"hello/);
  await give(page, "half.wasm", DIGITS.subarray(0, 60));
  await shows(page, "kernel-trouble", /^half\.wasm was not added\. /);
  // (module (import "env" "now" (func)))
  const foreign = Buffer.from("0061736d01000000010401600000020b0103656e76036e6f770000", "hex");
  await give(page, "foreign.wasm", foreign);
  await shows(page, "kernel-trouble", /^foreign\.wasm was not added\. .*now/);
  await give(page, "large.wasm", Buffer.alloc(4 * 1024 * 1024 + 1));
  await shows(page, "kernel-trouble", en.refused("large.wasm", en.tooLarge(4_194_305, 4_194_304)));
  await page.locator("#language").getByText("Español").click();
  await shows(page, "kernel-trouble", es.refused("large.wasm", es.tooLarge(4_194_305, 4_194_304)));
  assert.equal(await page.locator("#new-op").inputValue(), "repeat_multiply");
  await browser.close(REFUSED);
});

test("a task that does not end is ended, by a person or after some time", async (t) => {
  const { browser, page } = await opened(t);
  await give(page, "endless.wasm", ENDLESS_LOOP);
  await chosen(page, "endless");
  await page.locator("#try").click();
  await page.locator("#axis-p1[aria-invalid=true]").waitFor();
  await until("what is missing has the focus", () => page.evaluate(() => document.activeElement?.id === "axis-p1"));
  await page.locator("#axis-p1").fill("1..=3");
  await page.locator("#try").click();
  await page.locator('#tried[data-kind="trying"]').waitFor();
  await page.getByRole("button", { name: en.stop, exact: true }).click();
  assert.equal(await tried(page, "stopped"), en.stopped);
  // It was no harm: what is tried next is.
  await page.locator("#new-op").selectOption({ label: "mandelbrot" });
  await shows(page, "tried", "");
  await shows(page, "new-job-total", "72,541 tasks");
  await page.locator("#try").click();
  assert.match((await tried(page, "result")) ?? "", /^re = -2, im = -1\.2 → 1 \(/);
  await page.locator("#new-op").selectOption({ label: "endless" });
  await page.locator("#try").click();
  assert.equal(await tried(page, "late"), en.late("p1 = 1", 10));
  await browser.close();
});

test("a JSON kernel takes axes of any names, and data", async (t) => {
  const { server, browser, page } = await opened(t);
  await give(page, "given.wasm", GIVEN);
  await chosen(page, "given");
  await page.getByRole("button", { name: en.addAxis }).click();
  await page.locator("#axis-p1-name").fill("a");
  await page.locator("#axis-p2-name").fill("a");
  await page.locator("#axis-p1").fill("1..=4");
  await page.locator("#axis-p2").fill("7");
  await shows(page, "axis-p2-error", en.names.name_twice);
  await page.locator("#axis-p2-name").fill("b");
  await shows(page, "new-job-total", "4 tasks");
  await shows(page, "data-said", en.dataWhat);
  await page.locator("#try").click();
  assert.match((await tried(page, "result")) ?? "", /^a = 1, b = 7 → null/);
  await give(page, "words.txt", Buffer.from('"data of the job"'), "data-file");
  await shows(page, "data-said", en.dataIs("words.txt", 17));
  await shows(page, "tried", "");
  await page.locator("#try").click();
  assert.match((await tried(page, "result")) ?? "", /^a = 1, b = 7 → "data of the job"/);
  await page.locator("#new-job-submit").click();
  assert.deepEqual(await results(server, 1), Array(4).fill("data of the job"));
  assert.deepEqual(Object.keys((await server.job(1)).axes ?? {}), ["a", "b"]);
  // Without it again.
  await page.locator("#new-job-open").click();
  await page.getByRole("button", { name: en.dataNone }).click();
  await shows(page, "data-said", en.dataWhat);
  await page.getByRole("button", { name: en.removeAxis }).click();
  await shows(page, "new-job-total", "4 tasks");
  await page.locator("#new-job-submit").click();
  assert.deepEqual(await results(server, 2), Array(4).fill(null));
  await browser.close();
});

test("a command says what it is not given, and is tried", async (t) => {
  const { browser, page } = await opened(t);
  await give(page, "clock.wasm", CLOCK);
  await chosen(page, "clock");
  await shows(page, "kernel-about", /a command: takes a line and gives a line\.$/);
  await shows(page, "kernel-notes", /clock/);
  await page.locator("#axis-p1").fill("1");
  await page.locator("#try").click();
  assert.match((await tried(page, "result")) ?? "", /^p1 = 1 → 42 \(/);
  await page.locator("#new-op").selectOption({ label: "mandelbrot" });
  assert.equal(await page.locator("#kernel-notes").isVisible(), false);
  await browser.close();
});

test("a guest loads nothing of the form", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome", "--operator-token", "a-token"] });
  const browser = await Browser.start(t);
  /** @type {string[]} */
  const asked = [];
  const page = await browser.open("about:blank", { locale: "en-US" }, async (page) => {
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  });
  await page.goto(server.page);
  await page.locator("#operator-ask").waitFor();
  const isOfForm = (/** @type {string} */ path) => /^\/js\/(new-job(?!-door)|kernel|strings\/kernels)/.test(path);
  assert.deepEqual(asked.filter(isOfForm), []);
  await page.locator("#operator-ask").click();
  await page.locator("#operator-token").fill("a-token");
  await page.keyboard.press("Enter");
  await page.locator("#axis-times").waitFor();
  assert.ok(asked.filter(isOfForm).length > 3, asked.join(" "));
  await browser.close();
});

test("a form that could not be loaded is loaded when it is opened again", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  let isAway = true;
  const page = await browser.open("about:blank", { locale: "en-US" }, (page) =>
    page.route("**/js/new-job.js", (route) => (isAway ? route.abort() : route.continue())),
  );
  await page.goto(server.page);
  await page.locator("#new-job .broken").waitFor();
  isAway = false;
  await page.locator("#new-job-open").click();
  await page.locator("#new-job-open").click();
  await page.locator("#axis-times").waitFor();
  assert.equal(await page.locator("#new-job .broken").count(), 0);
  await browser.close(/net::ERR_FAILED|Failed to fetch dynamically imported module/);
});

test("by the keyboard alone a kernel is chosen, tried and submitted", async (t) => {
  const { server, browser, page } = await opened(t);
  await page.locator("#new-op").focus();
  await page.keyboard.type("mandel");
  await chosen(page, "mandelbrot");
  /** @param {string} id */
  const tabTo = async (id) => {
    for (let presses = 0; presses < 30; presses += 1) {
      if (await page.evaluate((id) => document.activeElement?.id === id, id)) {
        return;
      }
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not lead to ${id}`);
  };
  await tabTo("kernel-pick");
  // The browser's own window for files would take the keyboard.
  await page.evaluate(() => {
    const field = document.getElementById("kernel-file");
    field?.addEventListener("click", (event) => {
      event.preventDefault();
      field.dataset.asked = "";
    });
  });
  await page.keyboard.press("Enter");
  await page.locator("#kernel-file[data-asked]").waitFor({ state: "attached" });
  await tabTo("axis-re");
  await page.keyboard.type("-2..=1:0.5");
  await tabTo("axis-im");
  await page.keyboard.type("0");
  await shows(page, "new-job-total", "7 tasks");
  await tabTo("try");
  await page.keyboard.press("Enter");
  await tried(page, "result");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "try");
  await tabTo("new-job-submit");
  await page.keyboard.press("Enter");
  assert.deepEqual(await results(server, 1), [1000, 1000, 1000, 1000, 1000, 5, 3]);
  await browser.close();
});

test("the form of a kernel is fine on every screen", async (t) => {
  const { browser, page } = await opened(t, { bypassCSP: true });
  await give(page, "given.wasm", GIVEN);
  await chosen(page, "given");
  await page.locator("#kernel-more summary").click();
  await page.getByRole("button", { name: en.addAxis }).click();
  await page.locator("#axis-p1-name").fill("2");
  await shows(page, "axis-p1-error", en.names.bad_axis_name);
  await page.locator("#axis-p1-name").fill("");
  await page.locator("#axis-p1").fill("3");
  await page.locator("#axis-p2").fill("x");
  await shows(page, "axis-p2-error", WORDS.errors.not_a_number);
  await areFineOnEveryScreen(page, ["new-job"]);
  await browser.close();
});
