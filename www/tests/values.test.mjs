// @ts-check
// The panel of results: what is asked of the server and when, how numbers become pictures, and that
// these are the job's own, to the bit.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BINS,
  around,
  axisText,
  countOf,
  digitsOf,
  finiteOf,
  histogram,
  isForLog,
  layOut,
  markOf,
  multiples,
  sizeText,
  sizes,
  textOf,
} from "../js/distribution.js";
import { cut } from "../js/dom.js";
import { ANSWER_MS_MAX, ASK_AGAIN_MS, ASK_INTERVAL_MS, Sampler } from "../js/sample.js";
import { BUSY_MS_MAX, measureMainThread } from "./main-thread.mjs";
import { Browser, ENDLESS, Server, shows, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../js/protocol.js").JobView} JobView */
/** @typedef {import("../js/sample.js").Sample} Sample */
/** @typedef {import("../js/distribution.js").Point} Point */

/** What the server draws at most. */
const POINTS_MAX = 1000;
const GRID = ["--initial", "1,2", "--factor", "1.5,0.25", "--times", "0..20"];

// ---- What is asked ------------------------------------------------------------------------------

/** A server of which each answer is given by hand, and a job that it knows. */
function exchange() {
  /** @type {{ job: number, signal: AbortSignal, answer: (sample: Partial<Sample>) => Promise<void>,
   *   fail: (error: Error) => Promise<void> }[]} */
  const asked = [];
  let changes = 0;
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const sampler = new Sampler(
    () => (changes += 1),
    (job, signal) =>
      new Promise((resolve, reject) => {
        const answer = async (/** @type {Partial<Sample>} */ sample) => {
          resolve({ job, total: 9, wanted: 9, points: [], errors: 0, complete: true, ...sample });
          await turn();
        };
        const fail = async (/** @type {Error} */ error) => {
          reject(error);
          await turn();
        };
        asked.push({ job, signal, answer, fail });
      }),
  );
  return { sampler, asked, changes: () => changes };
}

/** @param {number} id @param {number} done @param {JobView["state"]} [state] */
function jobOf(id, done, state = "running") {
  return /** @type {JobView} */ ({ id, done, failed: 0, state });
}

test("a job is asked about once, and again only when there is more to know", async () => {
  const { sampler, asked } = exchange();
  let now = 0;
  const follow = (/** @type {JobView | null} */ job, /** @type {number} */ ms) => {
    now += ms;
    sampler.follow(job, now);
    return asked.length;
  };
  assert.equal(follow(null, 0), 0);
  assert.equal(follow(jobOf(1, 5), 0), 1, "at once");
  assert.equal(follow(jobOf(1, 6), ASK_INTERVAL_MS), 1, "one question at a time");
  await asked[0].answer({ complete: true });
  assert.equal(follow(jobOf(1, 6), 0), 2, "more was recorded since");
  await asked[1].answer({ complete: true });
  assert.equal(follow(jobOf(1, 7), ASK_INTERVAL_MS - 1), 2, "not so soon");
  assert.equal(follow(jobOf(1, 7), 1), 3);
  await asked[2].answer({ complete: false });
  assert.equal(follow(jobOf(1, 7), ASK_AGAIN_MS - 1), 3);
  assert.equal(follow(jobOf(1, 7), 1), 4, "the server has not read all of it");
  await asked[3].answer({ complete: true });
  assert.equal(follow(jobOf(1, 9, "done"), ASK_INTERVAL_MS), 5);
  await asked[4].answer({ complete: true });
  assert.equal(follow(jobOf(1, 9, "done"), 1e6), 5, "all is known");
});

test("an answer about another job, or one too late, is never taken", async () => {
  const { sampler, asked, changes } = exchange();
  const known = () => [sampler.sample, sampler.failure];
  sampler.follow(jobOf(1, 5), 0);
  await asked[0].answer({ points: [[0, 1]] });
  assert.deepEqual(sampler.sample?.points, [[0, 1]]);
  sampler.follow(jobOf(1, 6), ASK_INTERVAL_MS);
  sampler.follow(jobOf(2, 1), ASK_INTERVAL_MS);
  assert.deepEqual(known(), [null, null], "the former job's is forgotten at once");
  assert.ok(asked[1].signal.aborted);
  sampler.follow(jobOf(1, 6), ASK_INTERVAL_MS);
  assert.deepEqual(asked.map(({ job }) => job), [1, 1, 2, 1]);
  const before = changes();
  await asked[1].answer({ points: [[0, 2]] });
  await asked[2].fail(new Error("aborted"));
  assert.deepEqual([...known(), changes()], [null, null, before]);
  await asked[3].answer({ points: [[0, 3]] });
  assert.deepEqual(sampler.sample?.points, [[0, 3]]);
});

test("what could not be read is said, and asked for again; what is known stays", async () => {
  const { sampler, asked } = exchange();
  const job = jobOf(1, 9, "done");
  sampler.follow(job, 0);
  await asked[0].answer({ points: [[0, 1]], complete: false });
  sampler.follow(job, ASK_AGAIN_MS);
  await asked[1].fail(new Error("The disk is full."));
  assert.deepEqual([sampler.failure, sampler.sample?.points], ["The disk is full.", [[0, 1]]]);
  sampler.follow(job, 2 * ASK_AGAIN_MS);
  assert.equal(asked.length, 2, "not in a hurry");
  sampler.follow(job, ASK_AGAIN_MS + ASK_INTERVAL_MS);
  await asked[2].fail(new TypeError("Failed to fetch"));
  assert.equal(sampler.failure, "", "what browsers say of this helps nobody");
  sampler.follow(job, ASK_AGAIN_MS + 2 * ASK_INTERVAL_MS);
  await asked[3].answer({ complete: true });
  assert.equal(sampler.failure, null);
});

test("what is not answered in time is given up, said, and asked for again", async () => {
  const { sampler, asked, changes } = exchange();
  const job = jobOf(1, 9, "done");
  sampler.follow(job, 0);
  sampler.follow(job, ANSWER_MS_MAX - 1);
  assert.deepEqual([asked.length, asked[0].signal.aborted, sampler.failure], [1, false, null]);
  sampler.follow(job, ANSWER_MS_MAX);
  assert.deepEqual([asked.length, asked[0].signal.aborted, sampler.failure], [2, true, ""]);
  assert.equal(changes(), 1);
  await asked[0].fail(new Error("aborted"));
  assert.equal(sampler.failure, "");
  await asked[1].answer({ points: [[0, 1]] });
  assert.deepEqual([sampler.failure, sampler.sample?.points], [null, [[0, 1]]]);
});

test("what is forgotten is asked for anew, and its answer is not taken", async () => {
  const { sampler, asked } = exchange();
  const job = jobOf(1, 9, "done");
  sampler.follow(job, 0);
  await asked[0].answer({ points: [[0, 1]], complete: false });
  sampler.follow(job, ASK_AGAIN_MS);
  const known = () => sampler.sample?.points;
  sampler.forget();
  assert.equal(known(), undefined);
  sampler.follow(job, ASK_AGAIN_MS);
  await asked[1].answer({ points: [[0, 2]] });
  assert.equal(known(), undefined);
  await asked[2].answer({ points: [[0, 3]] });
  assert.deepEqual(known(), [[0, 3]]);
});

// ---- How numbers become pictures ----------------------------------------------------------------

test("every number is in one bin, at the ends of what doubles hold too", () => {
  const MAX = Number.MAX_VALUE;
  const TINY = Number.MIN_VALUE;
  for (const [values, bins] of /** @type {[number[], number][]} */ ([
    [[5], 3],
    [[0, 0, 0], 3],
    [[-MAX, 0, MAX], BINS],
    [[TINY, 3 * TINY, 1e-300], BINS],
    [[0.1, 0.2, 0.3, 0.4], BINS],
    [[1, 1 + Number.EPSILON], 3],
    [[MAX], 3],
    [[1, 1 + 1e-9], BINS],
    [Array.from({ length: 1000 }, (_, at) => Math.sin(at) * 1e17), BINS],
  ])) {
    for (const isLog of [false, values.every((value) => value > 0)]) {
      const { placeOf } = layOut(values, isLog);
      const places = values.map(placeOf);
      assert.ok(places.every(Number.isFinite), `${values}`);
      const { edges, counts } = histogram(places);
      assert.equal(counts.reduce((sum, count) => sum + count, 0), values.length, `${values}`);
      assert.equal(edges.length, counts.length + 1);
      assert.ok(places.every((place) => place >= edges[0]), `${values}`);
      assert.ok(counts.length <= BINS && counts.length >= Math.min(bins, 3));
    }
  }
  assert.deepEqual(histogram([5]).counts, [0, 1, 0]);
});

test("an axis has room for its marks, however near the numbers are to each other", () => {
  const decimal = (/** @type {number} */ value, /** @type {number} */ digits) => value.toFixed(digits);
  const factor = 1 + Number.EPSILON;
  for (const value of [0, 5e-324, 1e-323, 1e-300, 1e-4, 1, 300, 5_000_000, 9_999_999, 1e300, 1.797e308]) {
    for (const values of [
      [value, value * factor, value * factor ** 3],
      [value, value * (1 + 2 ** -41)],
      [-value * factor, -value],
      [-value, value],
    ]) {
      const layout = layOut(values, false);
      const places = values.map(layout.placeOf);
      const { edges, counts } = histogram(places);
      assert.equal(counts.reduce((sum, count) => sum + count, 0), values.length);
      assert.ok(edges.map(layout.valueAt).every(Number.isFinite), `${values}`);
      const [low, high] = [Math.min(...places), Math.max(...places)];
      for (const [min, max] of [around(low, high, 0.05), [edges[0], edges[edges.length - 1]]]) {
        // As many marks as the widest of screens has room for.
        const step = (max - min) / 100;
        assert.ok(min < low + step && max > high - step, `${values}`);
        const marks = multiples(min, max, step);
        assert.ok(marks.length >= 99 && marks.length <= 101, `${values}: ${marks.length}`);
        assert.equal(new Set(marks).size, marks.length, `${values}`);
        assert.ok(marks.every((mark) => !markOf(layout, mark, step, decimal).includes("NaN")));
      }
    }
  }
  assert.deepEqual(multiples(-0.1, 0.3, 0.1), [-0.1, 0, 0.1, 0.2, 0.3]);
  // What uPlot takes for 1, and 100,000 steps away from it.
  assert.equal(multiples(1.0000000999995, 1.0000001000025, 1e-12).length, 3);
});

test("a logarithmic axis is for what is positive and of very different sizes", () => {
  assert.equal(isForLog([1, 1000]), true);
  assert.equal(isForLog([1, 999]), false);
  assert.equal(isForLog([0, 1000]), false);
  assert.equal(isForLog([-1, 1e9]), false);
});

test("what is no finite number is counted, not drawn", () => {
  /** @type {Point[]} */
  const points = [[0, 1], [1, "Infinity"], [2, "NaN"], [3, "-Infinity"], [4, -0.5]];
  // What is no number at all, also what JavaScript would take for one.
  const others = [null, true, "", "1", "nan", [], ["NaN"], [1], { valueOf: 1 }, "<b>"];
  points.push(...others.map((value, at) => /** @type {Point} */ ([5 + at, value])));
  assert.deepEqual(finiteOf(points), [1, -0.5]);
  assert.deepEqual(finiteOf([[0, JSON.parse("1e999")]]), [], "beyond what doubles hold");
  assert.equal(countOf(points, (number) => Math.abs(number ?? 0) === Infinity), 2);
  assert.equal(countOf(points, Number.isNaN), 1);
  assert.equal(countOf(points, (number) => number === null), others.length);
  assert.deepEqual(sizes([3, 1, 2, 9]), [1, 2, 9]);
});

test("a result is read as a number, or as what it is", () => {
  for (const [value, text] of /** @type {[unknown, string][]} */ ([
    [0.1, "0.1"],
    ["NaN", "NaN"],
    ["-Infinity", "-Infinity"],
    ["1", '"1"'],
    ["a\n\u202e", '"a\\n\u202e"'],
    [null, "null"],
    [[1, "x"], '[1,"x"]'],
    [{ a: { b: [] } }, '{"a":{"b":[]}}'],
  ])) {
    assert.equal(textOf(value), text);
  }
});

test("an axis is written as people write it", () => {
  for (const [axis, text] of /** @type {[unknown, string][]} */ ([
    [3, "3"],
    [-0.5, "-0.5"],
    [[1, 2, 5], "1,2,5"],
    [{ from: 0, step: 1, count: 100 }, "0..=99"],
    [{ from: 0, step: 0.25, count: 5 }, "0..=1:0.25"],
    [{ from: 0.99999, step: 0.000005, count: 5 }, "0.99999..=1.00001:0.000005"],
    [{ from: 0, step: 1, count: 9_007_199_254_740_991 }, "0..=9007199254740990"],
  ])) {
    assert.equal(axisText(axis), text);
  }
});

test("a text that is too long is cut, and no character of it in two", () => {
  assert.equal(cut("abc", 3), "abc");
  assert.equal(cut("abcd", 3), "abc…");
  assert.equal(cut("ab😀d", 3), "ab…");
  assert.equal(cut("a😀cd", 3), "a😀…");
});

test("numbers are written with as many digits as tell them apart", () => {
  const decimal = (/** @type {number} */ value, /** @type {number} */ digits) => value.toFixed(digits);
  const marks = (/** @type {number[]} */ values, /** @type {boolean} */ isLog, /** @type {number} */ step) => {
    const layout = layOut(values, isLog);
    return values.map((value) => markOf(layout, layout.placeOf(value), step, decimal));
  };
  assert.deepEqual(marks([0, 0.1, 0.2], false, 0.1), ["0", "0.1", "0.2"]);
  assert.deepEqual(marks([0, 50, 100], false, 50), ["0", "50", "100"]);
  assert.deepEqual(marks([0, 1.5e9, 3e9], false, 0.5), ["0", "1.5×10⁹", "3.0×10⁹"]);
  assert.deepEqual(marks([0.001, 1, 1e5, 1e300], true, 1), ["0.001", "1", "100000", "10³⁰⁰"]);
  const significant = (/** @type {number} */ value, /** @type {number} */ digits) =>
    String(Number(value.toPrecision(digits)));
  assert.equal(sizeText(1234.5678, 4, significant), "1235");
  assert.equal(sizeText(-1.5e300, 4, significant), "-1.5×10³⁰⁰");
  assert.equal(sizeText(5e-324, 2, significant), "4.9×10⁻³²⁴");
  assert.equal(digitsOf([1, 2]), 4);
  assert.equal(digitsOf([1_000_000, 1_000_001]), 10);
  assert.equal(digitsOf([7, 7]), 4);
});

// ---- The panel ----------------------------------------------------------------------------------

/** @param {Page} page @param {number} job */
async function choose(page, job) {
  await page.locator(`.job[data-job="${job}"] .job-choose`).press("Enter");
}

/** What is drawn. @param {Page} page */
function drawn(page) {
  return page.evaluate(() => {
    const { job, points, scale } = document.getElementById("values")?.dataset ?? {};
    const counts = document.getElementById("values-bins")?.dataset.counts ?? "";
    const charts = document.querySelectorAll("#values canvas").length;
    const bars = counts === "" ? [] : counts.split(",").map(Number);
    return { job: Number(job), points: Number(points), scale, bars, charts };
  });
}

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

test("a small job's table is its results, to the bit, and its picture all of them", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  await page.locator("#values-empty").getByText("are drawn here").waitFor();
  await server.run("submit", "repeat_multiply", ...GRID, "--name", "<b>small</b>", "--wait");
  await shows(page, "values-said", "All 80 results");
  await shows(page, "values-name", "Job 1 “<b>small</b>”");
  const { bars, ...rest } = await drawn(page);
  assert.deepEqual(rest, { job: 1, points: 80, scale: "log", charts: 2 });
  assert.equal(sum(bars), 80);

  const table = page.locator("#values-data");
  assert.equal(await page.locator("#values-rows tr").count(), 0, "it is filled when it is opened");
  await table.locator("summary").press("Enter");
  await until("it is filled", async () => (await page.locator("#values-rows tr").count()) === 80);
  const cells = await page.locator("#values-rows td").allTextContents();
  const lines = (await server.run("results", "1")).trimEnd().split("\n");
  lines.forEach((line, at) => {
    const { index, result } = JSON.parse(line);
    assert.equal(cells[2 * at], String(index));
    assert.ok(Object.is(Number(cells[2 * at + 1]), result), `${cells[2 * at + 1]} is to be ${result}`);
  });

  await page.locator("#values-scale").getByText("Linear").press("Enter");
  const linear = await drawn(page);
  assert.equal(linear.scale, "linear");
  assert.equal(sum(linear.bars), 80);
  assert.notDeepEqual(linear.bars, bars);
  await page.locator("#language").getByText("Español").click();
  await shows(page, "values-said", "Los 80 resultados");
  assert.equal((await drawn(page)).scale, "linear", "what was chosen stays");

  // The exact value of what is under the pointer.
  await page.locator("#values-plot .u-over").hover({ position: { x: 1, y: 100 } });
  const tip = page.locator("#values-plot .tip");
  assert.equal(await tip.textContent(), `Tarea 0\n${JSON.parse(lines[0]).result}`);
  await page.mouse.move(0, 0);
  await tip.waitFor({ state: "hidden" });
  await browser.close();
});

test("infinite results are counted, and the rest is drawn", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  const grid = ["--initial", "1,-1", "--factor", "10", "--times", "300..320"];
  await server.run("submit", "repeat_multiply", ...grid, "--wait");
  // 10^309 and more, of both signs.
  await shows(page, "values-said", "All 40 results · 22 of them are infinite");
  const { bars, points, scale } = await drawn(page);
  assert.deepEqual([points, sum(bars), scale], [40, 18, "linear"]);
  assert.equal(await page.locator("#values-scale").isVisible(), false);
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "10", "--times", "400", "--wait");
  await choose(page, 2);
  await shows(page, "values-empty", "There is no number to draw.");
  await shows(page, "values-said", "The one result · 1 of them is infinite");
  assert.equal((await drawn(page)).charts, 0);
  await browser.close();
});

test("a huge job that is partly done draws a thousand points at most, and keeps the page quick", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "huge");
  await shows(page, "values-said", /^[\d,]+ of [\d,]+ results, evenly drawn$/);
  const stop = await measureMainThread(page);
  const first = await drawn(page);
  await until("there is more", async () => (await drawn(page)).points > first.points);
  const { points, bars } = await drawn(page);
  assert.ok(points <= POINTS_MAX);
  assert.equal(sum(bars), points);
  await page.locator("#values-data summary").click();
  await until("it is filled", async () => (await page.locator("#values-rows tr").count()) > 0);
  assert.ok((await page.locator("#values-rows tr").count()) <= 100);
  const { longestMs, tasks } = await stop();
  t.diagnostic(`${tasks} tasks of the main thread, the longest of ${longestMs} ms`);
  assert.ok(longestMs <= BUSY_MS_MAX, `the page was busy for ${longestMs} ms`);
  await browser.close();
});

test("another job's results are never seen under a job's name, however slow the server", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  await server.run("submit", "repeat_multiply", ...GRID, "--name", "first", "--wait");
  await shows(page, "values-said", "All 80 results");
  /** @type {(() => void)[]} */
  const held = [];
  await page.route("**/api/jobs/2/sample", async (route) => {
    await new Promise((resolve) => held.push(() => resolve(undefined)));
    await route.continue().catch(() => {});
  });
  await server.run("submit", "repeat_multiply", "--initial", "7", "--factor", "1", "--times", "3", "--name", "second");
  await choose(page, 2);
  await shows(page, "values-name", "Job 2 “second”");
  const { job, points, charts, bars } = await drawn(page);
  assert.deepEqual({ job, points, charts, bars }, { job: 0, points: 0, charts: 0, bars: [] });
  await shows(page, "values-said", "");
  await until("it is asked about", () => held.length > 0);
  held.forEach((answer) => answer());
  await until("it is drawn", async () => (await drawn(page)).job === 2);
  assert.equal((await drawn(page)).points, 1);
  await page.unroute("**/api/jobs/2/sample");
  await browser.close();
});

test("nearly equal results are drawn at once", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  await page.locator("#values-empty").getByText("are drawn here").waitFor();
  const stop = await measureMainThread(page);
  const values = ["300", "5000000", "1e300", "0", "5e-324", "1e-300", "1.797e308", "-1.797e308"];
  for (const [at, initial] of values.entries()) {
    const grid = [`--initial=${initial}`, "--factor", "1.0000000000000002", "--times", "0..3"];
    await server.run("submit", "repeat_multiply", ...grid, "--wait");
    await choose(page, at + 1);
    await until(`${initial} is drawn`, async () => {
      const { job, points } = await drawn(page);
      return job === at + 1 && points === 3;
    });
    assert.deepEqual((await drawn(page)).bars, [0, 3, 0], initial);
  }
  const { longestMs } = await stop();
  assert.ok(longestMs <= BUSY_MS_MAX, `the page was busy for ${longestMs} ms`);
  await browser.close();
});

test("results of a server that is gone are never seen under a name of the next one's", async (t) => {
  const first = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(first.page);
  const grid = GRID.slice(2);
  await first.run("submit", "repeat_multiply", "--initial", "1,2", ...grid, "--name", "first", "--wait");
  await shows(page, "values-said", "All 80 results");
  const before = await page.locator("#values-sizes").textContent();
  /** @type {(() => void)[]} */
  const held = [];
  await page.route("**/api/jobs/1/sample", async (route) => {
    await new Promise((resolve) => held.push(() => resolve(undefined)));
    await route.continue().catch(() => {});
  });
  await first.kill();
  // As many results of a job with the same number.
  const second = await Server.start(t, { port: first.port });
  await second.run("submit", "repeat_multiply", "--initial", "7,8", ...grid, "--name", "second", "--wait");
  await shows(page, "values-name", "Job 1 “second”");
  await until("it is asked about", () => held.length > 0);
  const { points, charts } = await drawn(page);
  assert.deepEqual({ points, charts }, { points: 0, charts: 0 });
  held.forEach((answer) => answer());
  await page.unroute("**/api/jobs/1/sample");
  await shows(page, "values-said", "All 80 results");
  assert.notEqual(await page.locator("#values-sizes").textContent(), before);
  // What the browser logs by itself while there is no server.
  await browser.close(/net::ERR_|WebSocket connection to .* failed/);
});

test("why there are no results is said, until there are", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, (page) =>
    page.route("**/api/jobs/1/sample", (route) =>
      route.fulfill({ status: 503, json: { error: { code: "x", message: "The store is <b>away</b>." } } }),
    ),
  );
  await server.run("submit", "repeat_multiply", ...GRID, "--wait");
  await shows(page, "values-error", /\(The store is <b>away<\/b>\.\)/);
  await page.unroute("**/api/jobs/1/sample");
  await shows(page, "values-said", "All 80 results");
  await shows(page, "values-error", "");
  await browser.close(/status of 503/);
});
