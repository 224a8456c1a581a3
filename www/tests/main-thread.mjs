// @ts-check
// How long a page's main thread is busy at a stretch. What counts is the processor's time, not that
// of a clock on the wall: the machine that runs tests has other things to do as well.

import assert from "node:assert/strict";
import { once } from "node:events";

/** The most that a page may keep its person waiting, in milliseconds of the processor's time. */
export const BUSY_MS_MAX = 50;

/** What the browser says when it traces, and what it calls the thread that pages live on. */
const CATEGORIES = ["disabled-by-default-devtools.timeline", "__metadata"];
const MAIN_THREAD = "CrRendererMain";

/** @typedef {{ name: string, pid: number, tid: number, tdur?: number, args?: any }} Traced */

/** What was run in one go: the processor's time for it, in milliseconds.
 * @typedef {{ longestMs: number, tasks: number, totalMs: number }} Busy */

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
  return async () => {
    const complete = once(/** @type {any} */ (session), "Tracing.tracingComplete");
    await session.send("Tracing.end");
    await complete;
    await session.detach();
    return busy(events, page.url());
  };
}

/** @param {Traced[]} events @param {string} url @returns {Busy} */
function busy(events, url) {
  const started = events.find(({ name }) => name === "TracingStartedInBrowser");
  const frames = /** @type {{ url: string, processId: number }[]} */ (started?.args.data.frames);
  const frame = frames.find((frame) => frame.url === url);
  const thread = events.find(({ name, pid, args }) => {
    return name === "thread_name" && pid === frame?.processId && args.name === MAIN_THREAD;
  });
  const spans = events.filter(({ name, pid, tid, tdur }) => {
    return name === "RunTask" && pid === thread?.pid && tid === thread.tid && tdur !== undefined;
  });
  const all = spans.map(({ tdur = 0 }) => tdur / 1000);
  assert.ok(all.length > 0, "what the main thread has run was traced");
  const totalMs = all.reduce((sum, ms) => sum + ms, 0);
  return { longestMs: Math.max(...all), tasks: all.length, totalMs };
}
