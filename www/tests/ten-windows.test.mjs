// @ts-check
// Ten visible windows of one browser, which opens six connections to a server at most.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, ENDLESS, PATIENCE_MS, Server, inState, resultsSent } from "./support.mjs";

const WINDOWS = 10;

/** Axes of a job that is done at once. */
const FEW = ["--initial", "1", "--factor", "2", "--times", "0..10"];

/** Ten windows at full speed are more than two cores, and what drives the browser sees every frame. */
const lendLittle = () => localStorage.setItem("tequio-allowance", JSON.stringify({ share: 25 }));

/** Opens windows of one browser's profile, all of which are seen.
 * @param {Browser} browser @param {Server} server @param {() => void} [prepare] */
async function openAll(browser, server, prepare = () => {}) {
  const context = await browser.browser.newContext({ viewport: { width: 700, height: 400 } });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(lendLittle);
  await context.addInitScript(prepare);
  /** @type {import("playwright-core").Page[]} */
  const pages = [];
  for (let nth = 0; nth < WINDOWS; nth += 1) {
    const page = await context.newPage();
    page.on("pageerror", (error) => browser.errors.push(String(error)));
    await page.goto(server.page);
    pages.push(page);
  }
  return pages;
}

/** Every window computes, shows what happens while it happens, and has buttons that work.
 * @param {Server} server @param {import("playwright-core").Page[]} pages */
async function allWork(server, pages) {
  for (const page of pages) {
    assert.equal(await page.evaluate(() => document.visibilityState), "visible");
    await inState(page, "connected");
    await resultsSent(page, 1);
  }
  // From now on there is a job to press buttons of, and nothing to compute: it waits for inputs.
  await server.run("cancel", "1");
  const open = `${server.page}api/jobs?op=repeat_multiply&more=true`;
  const body = '{"initial":1,"factor":2,"times":3}';
  assert.equal((await fetch(open, { method: "POST", body })).status, 201);
  for (const [nth, page] of pages.entries()) {
    // Each window pauses the job, or lets it go on, and all windows are told of it.
    await page.locator('#jobs [data-job="2"] .job-turn').click();
    const state = nth % 2 === 0 ? "paused" : "running";
    for (const other of pages) {
      await other.locator(`#jobs [data-job="2"][data-state="${state}"]`).waitFor();
    }
  }
}

test("ten windows compute, are live, and have buttons that work, also when windows close", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  const pages = await openAll(browser, server);
  await allWork(server, pages);
  // The one that reads for all is the one that has been open longest: without it the others go on.
  for (let closed = 0; closed < 2; closed += 1) {
    await pages.shift()?.close();
    await server.run("submit", "repeat_multiply", ...FEW, "--name", `after ${closed}`);
    for (const page of pages) {
      await page.locator("#jobs").getByText(`after ${closed}`).waitFor();
    }
  }
  await browser.close();
});

test("ten windows that cannot talk to each other compute, are live, and have buttons too", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  const pages = await openAll(browser, server, () => {
    Reflect.deleteProperty(globalThis, "BroadcastChannel");
  });
  await allWork(server, pages);
  await browser.close();
});

test("windows by another name of the server do not wait for each other", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  const context = await browser.browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(lendLittle);
  const pages = [];
  for (const host of ["127.0.0.1", "localhost", "127.0.0.1", "localhost"]) {
    const page = await context.newPage();
    await page.goto(`http://${host}:${server.port}/`);
    await inState(page, "connected");
    pages.push(page);
  }
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "sweep");
  for (const page of pages) {
    await page.locator("#jobs").getByText("sweep").waitFor();
    await resultsSent(page, 1);
  }
  await browser.close();
});
