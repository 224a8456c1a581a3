// @ts-check
// Jobs of every op, whatever it takes and gives: submitted with the form, computed in a tab, and shown
// with what they are of and what came of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LANGUAGES } from "../js/strings.js";
import { areFineOnEveryScreen } from "./every-screen.mjs";
import { Browser, Server, overflows, shows, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../js/protocol.js").OpView} OpView */

const { en, es } = LANGUAGES;
const MARKUP = "<img src=x onerror=alert(1)>";
const MAX = Number.MAX_SAFE_INTEGER;

/** @param {Page} page @param {string} selector */
const isFocused = (page, selector) =>
  until(`${selector} has the focus`, () =>
    page.evaluate((selector) => document.activeElement?.matches(selector), selector),
  );

/** The fields of axes, by their labels. @param {Page} page */
const fields = (page) => page.locator("#new-job-axes label").allTextContents();

/** The table of results. @param {Page} page */
const cells = (page) => page.locator("#values-rows td").allTextContents();

/** The form of an op. @param {Page} page @param {string} op */
async function openForm(page, op) {
  await page.locator("#axis-times").waitFor({ state: "attached" });
  await page.locator("#new-op").selectOption(op);
}

test("a job of another op is submitted with the form, computed here, and shown with its axes", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, { locale: "en-US" });
  await page.getByText("1,000,000 tasks").waitFor();
  assert.deepEqual(await fields(page), ["initial", "factor", "times"]);
  assert.equal(await page.getByLabel("Operation").inputValue(), "repeat_multiply");
  await page.locator("#axis-initial").fill("7");

  await page.locator("#new-op").focus();
  await page.keyboard.press("ArrowDown");
  await until("it is the other op", async () => (await page.locator("#new-op").inputValue()) === "collatz");
  await isFocused(page, "#new-op");
  assert.deepEqual(await fields(page), ["n"]);
  await shows(page, "new-job-what", en.newJob.what);
  const n = page.getByLabel("n", { exact: true });
  assert.deepEqual([await n.inputValue(), await n.getAttribute("placeholder")], ["", "27"]);
  await shows(page, "axis-n-note", en.newJob.integers(1, MAX));
  await shows(page, "axis-n-error", "");
  assert.equal(await page.locator("#new-job-total").textContent(), "");
  await page.keyboard.press("Enter");
  await n.press("Enter");
  await shows(page, "axis-n-error", en.newJob.errors.missing);
  await isFocused(page, "#axis-n[aria-invalid=true]");
  await page.keyboard.type("0..5");
  await shows(page, "axis-n-error", "Whole numbers from 1 to 9,007,199,254,740,991.");
  await page.locator("#language").getByText("Español").click();
  await shows(page, "axis-n-error", es.newJob.integers(1, MAX));
  await shows(page, "new-job-what", es.newJob.what);
  assert.deepEqual(await fields(page), ["n"], "names are not translated");
  await page.locator("#language").getByText("English").click();

  // What was typed of each op is there again.
  await page.locator("#new-op").selectOption("repeat_multiply");
  await shows(page, "new-job-what", /^Each task raises a factor to a power\. Every/);
  assert.equal(await page.locator("#axis-initial").inputValue(), "7");
  await page.locator("#new-op").selectOption("collatz");
  assert.equal(await n.inputValue(), "0..5");
  await n.fill("1..=100");
  await shows(page, "axis-n-note", en.newJob.values(100, 100));
  await shows(page, "new-job-total", "100 tasks");
  const [request] = await Promise.all([
    page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/api/jobs")),
    n.press("Enter"),
  ]);
  const sent = { op: "collatz", axes: { n: "1..=100" }, name: "", priority: 0 };
  assert.deepEqual(request.postDataJSON(), sent);

  await page.locator('.job[data-job="1"][data-state="done"]').waitFor();
  assert.equal((await server.job()).op, "collatz");
  await shows(page, "values-said", "All 100 results");
  await shows(page, "values-about", "collatz · n = 1..=100");
  await page.locator("#values-plot canvas").waitFor();
  await page.locator("#values-data summary").click();
  await until("the table is filled", async () => (await cells(page)).length === 200);
  assert.deepEqual((await cells(page)).slice(52, 54), ["26", "111"]);
  await browser.close();
});

test("a task that ends with an error is counted, and shown by whoever has computed it", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, { locale: "en-US" });
  await openForm(page, "collatz");
  await page.locator("#axis-n").fill("12327829503");
  await page.locator("#axis-n").press("Enter");
  await page.locator('.job[data-job="1"][data-state="done"]').waitFor();
  await shows(page, "values-said", "1 task failed");
  await shows(page, "values-empty", en.values.noneFinite);
  const row = page.locator("#results tbody tr").first();
  await row.getByText("1/0", { exact: true }).waitFor();
  const [, result, , input] = await row.locator("td").allTextContents();
  assert.match(result, /^error: a value on its way does not fit into 64 bits$/);
  assert.equal(input, "n = 12327829503");
  await browser.close();
});

test("what a tab has computed is shown as text, and a long one only in part", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
  await page.locator("#no-results").getByText(en.noResults).waitFor();
  await page.evaluate(async (markup) => {
    const path = new URL("js/view.js", document.baseURI).href;
    const view = await import(path);
    const about = { task: "1/0", text: "x = 1", duration_ms: 1 };
    view.addResult({ ...about, result: JSON.stringify({ deep: [markup] }) });
    view.addResult({ ...about, result: JSON.stringify("x".repeat(1e6)) });
    view.addLogLine("y".repeat(1e6));
  }, MARKUP);
  const results = page.locator("#results tbody td:nth-child(2)");
  await until("they are shown", async () => (await results.count()) === 2);
  const [long, object] = await results.allTextContents();
  assert.equal(object, `{"deep":["${MARKUP}"]}`);
  assert.match(long, /^"x{199}…$/);
  assert.match((await page.locator("#log li").first().textContent()) ?? "", /y{1000}…$/);
  assert.equal(await page.locator("#did img").count(), 0);
  await browser.close();
});

/** An op as a server may have it that is newer than this page. @type {OpView} */
const WIDE = {
  name: "wide",
  params: ["name", "priority", "op_", "job", "x1", "x2", "a_long_name_of_a_parameter_that_says_what_it_is_good_for", "z"].map((name, at) =>
    at % 2 ? { name, kind: "float", example: 0.5 } : { name, kind: "integer", min: -3, max: 1234, example: at },
  ),
};

test("the form asks for whatever the server's ops take", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  let ops = [WIDE];
  let isAway = false;
  /** @type {string[]} */
  const asked = [];
  /** @type {unknown[]} */
  const sent = [];
  // The policy of the page forbids foreign scripts, axe's included.
  const page = await browser.open("about:blank", { locale: "en-US", bypassCSP: true }, async (page) => {
    await page.route("**/api/ops", (route) => (isAway ? route.abort() : route.fulfill({ json: ops })));
    await page.route("**/api/kernels", (route) => route.fulfill({ json: [] }));
    await page.route("**/api/grid?*", (route) => {
      const query = new URL(route.request().url()).searchParams;
      asked.push(String(query));
      const error = { code: "not_an_integer", message: "0.5 is no integer from -3 to 1234" };
      const other = { code: "of_the_future", message: `It is ${MARKUP}.` };
      const missing = { code: "missing", message: "nothing is given" };
      const name = { "0.5": error, "": missing }[query.get("name") ?? ""];
      const errors = name ? { name, z: other } : {};
      route.fulfill({ json: { total: name ? null : 42, errors, axes: {} } });
    });
    await page.route("**/api/jobs", (route) => {
      sent.push(route.request().postDataJSON());
      route.fulfill({ status: 400, json: { error: { code: "unknown_op", message: "?" } } });
    });
  });
  isAway = true;
  await page.goto(`${server.page}?auto=0`);
  await page.locator("#new-job-trouble").getByText(en.operator.refused.no_answer).waitFor();
  assert.deepEqual(await fields(page), []);
  isAway = false;
  await page.locator("#new-job-submit").click();
  await until("there are fields", async () => (await fields(page)).length === 8);
  assert.deepEqual(await fields(page), WIDE.params.map(({ name }) => name));
  assert.equal(await page.locator("#new-op").isVisible(), false, "there is no choice of one");
  const ids = await page.locator("#new-job [id]").evaluateAll((all) => all.map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length);
  await shows(page, "axis-name-error", en.newJob.errors.missing);
  await isFocused(page, "#axis-name");

  await page.locator("#axis-name").fill("0.5");
  await shows(page, "axis-name-error", "Whole numbers from -3 to 1,234.");
  await shows(page, "axis-z-error", `It is ${MARKUP}.`);
  await areFineOnEveryScreen(page, ["new-job"]);
  await page.locator("#language").getByText("English").click();
  await page.locator("#axis-name").press("Enter");
  await isFocused(page, "#axis-name");
  await page.locator("#axis-name").fill("-1");
  await shows(page, "new-job-total", "42 tasks");
  await page.locator("#axis-z").fill("0..=1:0.5");
  await page.locator("#axis-z").press("Enter");
  await until("it is sent", () => sent.length === 1);
  const axes = Object.fromEntries(WIDE.params.map(({ name }) => [name, ""]));
  await shows(page, "new-job-trouble", en.operator.refused.unknown_op);
  assert.deepEqual(sent[0], { op: "wide", axes: { ...axes, name: "-1", z: "0..=1:0.5" }, name: "", priority: 0 });
  assert.ok(asked.at(-1)?.startsWith("op=wide&name=-1&"), asked.at(-1));

  // The next server knows another op beside it: what was typed stays, and there is a choice.
  ops = [{ name: "narrow", params: [{ name: "z", kind: "float", example: 1 }] }, WIDE];
  const { port } = server;
  await server.kill();
  await Server.start(t, { port });
  await page.locator("#new-op").waitFor();
  assert.equal(await page.locator("#new-op").inputValue(), "wide");
  assert.equal(await page.locator("#axis-name").inputValue(), "-1");
  await page.locator("#new-op").selectOption("narrow");
  assert.deepEqual(await fields(page), ["z"]);
  await browser.close(/Failed to load resource|net::ERR_|WebSocket connection to .* failed/);
});

// ---- Results that are no numbers ----------------------------------------------------------------

/** A page that is told these results of a job, one of ten tasks. @param {import("node:test").TestContext} t */
async function pageOfResults(t) {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  /** @type {[number, unknown][]} */
  let points = [];
  const page = await browser.open(server.page, { locale: "en-US", bypassCSP: true }, (page) =>
    page.route("**/api/jobs/*/sample", (route) => {
      const job = Number(/jobs\/(\d+)/.exec(route.request().url())?.[1]);
      route.fulfill({ json: { job, total: 10, wanted: 10, points, errors: 0, complete: true } });
    }),
  );
  /** @param {unknown[]} results */
  const job = async (...results) => {
    points = results.map((result, index) => [index, result]);
    await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "2", "--times", "0..10", "--wait");
  };
  return { browser, page, job };
}

test("of mixed results the numbers are drawn, and how many are none is said", async (t) => {
  const { browser, page, job } = await pageOfResults(t);
  await job(1, "two", 3, { four: [4] }, "Infinity", null, "NaN", 8, MARKUP, "");
  await shows(page, "values-said", "All 10 results · 1 of them is infinite · 1 of them is no number (NaN) · 5 of them are no numbers: the table has them");
  await shows(page, "values-sizes", "Smallest 1 · middle 3 · largest 8");
  const counts = await page.locator("#values-bins").getAttribute("data-counts");
  assert.equal(counts?.split(",").reduce((sum, count) => sum + Number(count), 0), 3);
  assert.equal(await page.locator("#values canvas").count(), 2);
  assert.equal(await page.locator("#values-data").getAttribute("open"), null);
  await page.locator("#values-data summary").click();
  await until("the table is filled", async () => (await cells(page)).length === 20);
  const shown = (await cells(page)).filter((_, at) => at % 2);
  assert.deepEqual(shown, ["1", '"two"', "3", '{"four":[4]}', "Infinity", "null", "NaN", "8", `"${MARKUP}"`, '""']);
  assert.equal(await page.locator("#values img").count(), 0);
  await browser.close();
});

test("where there is no number the results are read, and none is longer than the screen", async (t) => {
  const { browser, page, job } = await pageOfResults(t);
  await job(MARKUP, "x".repeat(100_000), { text: "y ".repeat(50_000) }, ["a", 1], true, null, "1", "é😀", {}, []);
  await shows(page, "values-said", "All 10 results · 10 of them are no numbers: the table has them");
  await shows(page, "values-empty", en.values.noneFinite);
  await until("the table is open and filled", async () => (await cells(page)).length === 20);
  const shown = (await cells(page)).filter((_, at) => at % 2);
  assert.deepEqual(shown.slice(3), ['["a",1]', "true", "null", '"1"', '"é😀"', "{}", "[]"]);
  assert.match(shown[1], /^"x{199}…$/);
  assert.match(shown[2], /^\{"text":"(y ?)+…$/);
  await page.locator("#values-data[open]").waitFor();
  await areFineOnEveryScreen(page, ["values"]);
  // Whoever closes it has closed it; a job of numbers has its picture instead.
  await page.locator("#values-data summary").click();
  await page.locator("#values-data:not([open])").waitFor();
  await page.locator("#language").getByText("English").click();
  await shows(page, "values-empty", en.values.noneFinite);
  assert.equal(await page.locator("#values-data").getAttribute("open"), null);
  await job(1, 2, 3);
  await page.locator('.job[data-job="2"] .job-choose').press("Enter");
  await shows(page, "values-said", "3 of 10 results so far");
  assert.equal(await page.locator("#values-data").getAttribute("open"), null);
  await browser.close();
});

test("a job says what it is of, in blocks where it has some", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const list = Array.from({ length: 1024 }, (_, at) => at).join();
  await server.run("submit", "repeat_multiply", "--initial", list, "--factor", "0.5..=1:0.25", "--times", "3", "--name", MARKUP);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" }, (page) =>
    page.addInitScript(() => {
      const { parse } = JSON;
      // As a server tells of jobs of blocks, which no op here has.
      JSON.parse = (text) => parse(text, (_, value) => (value?.submitted_at ? { ...value, block: 4096 } : value));
    }),
  );
  await shows(page, "values-about", /^repeat_multiply · initial = 0,1,2,[\d,]+… · factor = 0\.5\.\.=1:0\.25 · times = 3 · blocks of 4,096 tasks$/);
  assert.ok(((await page.locator("#values-about").textContent()) ?? "").length < 200);
  await page.locator("#language").getByText("Español").click();
  await shows(page, "values-about", /times = 3 · bloques de 4,096 tareas$/);
  // One of inputs has no axes.
  const body = '{"n":27}\n'.repeat(3);
  const answer = await fetch(`${server.page}api/jobs?op=collatz`, { method: "POST", body });
  assert.equal(answer.status, 201);
  await page.locator('.job[data-job="2"] .job-choose').press("Enter");
  await shows(page, "values-about", "collatz · bloques de 4,096 tareas");
  for (const width of [280, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    assert.equal(await overflows(page), false, `${width} px`);
  }
  await browser.close();
});
