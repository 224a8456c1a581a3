// @ts-check
// How long a page's main thread is busy at a stretch. What counts is the processor's time, not that
// of a clock on the wall: the machine that runs tests has other things to do as well.
//
// Nor does a machine's speed count. The requirement is in milliseconds, which one machine has done
// with sooner than another, and the same machine sooner alone than beside others that share its cores
// and caches. So the page's main thread also does a reference job, before what is measured and after
// it, and all times are told in milliseconds of a machine that takes `REFERENCE_MS` for that.

import assert from "node:assert/strict";
import { once } from "node:events";

/** The most that a page may keep its person waiting, in milliseconds of the processor's time. */
export const BUSY_MS_MAX = 50;

/** What the reference job takes of a core as laptops have it, with nothing else to do: the median on
 * the machine, idle, on which the page was made to keep the limit. */
const REFERENCE_MS = 15;
/** How often it is done, before and after: half of them may be disturbed. */
const REFERENCE_RUNS = 7;
/** Of what it consists: rows of a table. */
const REFERENCE_ROWS = 5000;
/** The mark by which its task is known among the page's. */
const REFERENCE_MARK = "reference-job";

/** What the browser says when it traces, and what it calls the thread that pages live on. */
const CATEGORIES = ["disabled-by-default-devtools.timeline", "blink.user_timing", "__metadata"];
const MAIN_THREAD = "CrRendererMain";

/** @typedef {{ name: string, pid: number, tid: number, ts: number, dur?: number, tdur?: number,
 *   args?: any }} Traced */

/** What was run in one go: the processor's time for it, in milliseconds of the machine that takes
 * `REFERENCE_MS`, and how many times as slow the one was that it ran on; 1 where that was faster.
 * @typedef {{ longestMs: number, tasks: number, totalMs: number, slowness: number }} Busy */

/** Measures a page's main thread until the function that it gives is called.
 * @param {import("playwright-core").Page} page
 * @returns {Promise<() => Promise<Busy>>} */
export async function measureMainThread(page) {
  const session = await page.context().newCDPSession(page);
  /** @type {Traced[]} */
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    events.push(.../** @type {Traced[]} */ (/** @type {unknown} */ (value)));
  });
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: CATEGORIES, excludedCategories: ["*"] },
  });
  await doReference(page);
  return async () => {
    await doReference(page);
    const complete = once(/** @type {any} */ (session), "Tracing.tracingComplete");
    await session.send("Tracing.end");
    await complete;
    await session.detach();
    return busy(events, page.url());
  };
}

/** Has the page do what pages do, nothing of which is seen: text is made, read, sorted and put into
 * a table. @param {import("playwright-core").Page} page */
async function doReference(page) {
  for (let run = 0; run < REFERENCE_RUNS; run += 1) {
    await page.evaluate(
      ([mark, length]) => {
        performance.mark(mark);
        const rows = Array.from({ length }, (_, at) => ({ name: `worker ${at}`, rate: Math.sqrt(at) }));
        /** @type {typeof rows} */
        const read = JSON.parse(JSON.stringify(rows));
        read.sort((a, b) => b.name.localeCompare(a.name));
        const table = document.createElement("table");
        for (const { name, rate } of read) {
          const row = table.insertRow();
          row.insertCell().textContent = name;
          row.insertCell().textContent = rate.toFixed(1);
        }
        performance.clearMarks(mark);
      },
      /** @type {const} */ ([REFERENCE_MARK, REFERENCE_ROWS]),
    );
  }
  // A task that has answered is not over yet; once it is, the next one answers, and it is traced.
  await page.evaluate(() => {});
}

/** @param {Traced[]} events @param {string} url @returns {Busy} */
function busy(events, url) {
  const started = events.find(({ name }) => name === "TracingStartedInBrowser");
  const frames = /** @type {{ url: string, processId: number }[]} */ (started?.args.data.frames);
  const frame = frames.find((frame) => frame.url === url);
  const thread = events.find(({ name, pid, args }) => {
    return name === "thread_name" && pid === frame?.processId && args.name === MAIN_THREAD;
  });
  const own = events.filter(({ pid, tid }) => pid === thread?.pid && tid === thread.tid);
  const marks = own.filter(({ name }) => name === REFERENCE_MARK);
  const isReference = (/** @type {Traced} */ { ts, dur = 0 }) =>
    marks.some((mark) => mark.ts >= ts && mark.ts <= ts + dur);
  const tasks = own.filter(({ name, tdur }) => name === "RunTask" && tdur !== undefined);
  const references = tasks.filter(isReference).map(milliseconds);
  assert.equal(references.length, 2 * REFERENCE_RUNS, "each run of the reference job was traced");
  const slowness = Math.max(1, median(references) / REFERENCE_MS);
  const all = tasks.filter((task) => !isReference(task)).map((task) => milliseconds(task) / slowness);
  assert.ok(all.length > 0, "what the main thread has run was traced");
  const totalMs = all.reduce((sum, ms) => sum + ms, 0);
  return { longestMs: Math.max(...all), tasks: all.length, totalMs, slowness };
}

/** @param {Traced} task */
function milliseconds({ tdur = 0 }) {
  return tdur / 1000;
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
