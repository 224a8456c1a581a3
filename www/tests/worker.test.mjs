// @ts-check
// A tab as a good worker, in a browser as a person has it: every core that is lent and no more,
// hidden or frozen, paused or closed, and several tabs that share.

import assert from "node:assert/strict";
import { copyFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OwnBrowser } from "./own-browser.mjs";
import { Server, folder, numberIn, staticServer, until, variable } from "./support.mjs";

/** A job that no test sees the end of. */
const ENDLESS = ["--initial", "1", "--factor", "1.00000043", "--times", "0..=9007199254740000"];

/** Rounds of a measurement on a machine where others work as well: one that succeeds shows that a
 * thing can be, and what is slowed down for good never does. */
const ROUNDS = 8;

/** @param {number} ms */
const passes = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {Server} server @param {string[]} grid */
const submit = (server, ...grid) => server.run("submit", "repeat_multiply", ...grid);

/** Tasks of the first job that are done in so many milliseconds.
 * @param {Server} server @param {number} ms */
async function doneIn(server, ms) {
  const before = await server.job();
  await passes(ms);
  return (await server.job()).done - before.done;
}

/** @param {Server} server */
const slots = async (server) => (await server.workers()).map((worker) => worker.slots);

/** A server that keeps what an endless job leaves on disk, not in memory, until the test ends.
 * @param {import("node:test").TestContext} t */
async function startServer(t) {
  const data = folder(t);
  const server = await Server.start(t, { args: ["--data", data] });
  return { server, data };
}

test("slots are as many as cores are lent, at once, and are remembered", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(server.page, { cores: 8 });
  await until("all cores but one are lent", async () => (await slots(server))[0] === 7);
  await submit(server, ...ENDLESS);
  const atWork = () =>
    tab.evaluate(() => document.querySelectorAll('#slots [data-state="computing"]').length);
  await until("seven slots compute", async () => (await atWork()) === 7);
  // The coordinator, and a worker for each slot.
  await until("there are as many workers", async () => (await browser.workers()) === 8);
  for (const count of [2, 5, 1]) {
    await tab.slide("cores", count);
    await until(`${count} slots are lent`, async () => (await slots(server))[0] === count);
    await until(`${count} slots compute`, async () => (await atWork()) === count);
    await until("the others are ended", async () => (await browser.workers()) === 1 + count);
  }
  await tab.ask("Page.reload");
  await until("it is as it was", async () => (await tab.text("cores-text")) === "1 of 8 cores");
  await until("as many are lent again", async () => (await slots(server)).join() === "1");
});

test("a page asks for the wasm once, for as many slots as there may be", async (t) => {
  const { server } = await startServer(t);
  const page = await staticServer(t, variable("TEQUIO_PAGE"));
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(`${page.url}?server=${server.page}`, { cores: 6 });
  await submit(server, ...ENDLESS);
  /** @param {number} count */
  const computing = (count) =>
    until(`${count} slots compute`, async () => {
      const busy = await tab.evaluate(
        () => document.querySelectorAll('#slots [data-state="computing"]').length,
      );
      return busy === count && (await browser.workers()) === 1 + count;
    });
  await computing(5);
  // Those that are ended and started anew ask no more than the first did.
  await tab.slide("cores", 1);
  await computing(1);
  await tab.slide("cores", 5);
  await computing(5);
  assert.equal(page.timesAsked("/worker_bg.wasm"), 1);
  assert.ok(page.timesAsked("/js/slot.js") >= 9, "the script of each is asked for");
  await tab.inState("connected");
  assert.equal((await server.workers())[0].refused, 0);
});

test("a slot that finds another build at the server than the coordinator's runs that", async (t) => {
  const { server } = await startServer(t);
  const files = folder(t);
  cpSync(variable("TEQUIO_PAGE"), files, { recursive: true });
  const page = await staticServer(t, files);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(`${page.url}?server=${server.page}`, { cores: 3 });
  await tab.slide("cores", 1);
  await until("one slot is lent", async () => (await slots(server))[0] === 1);
  await until("the other is ended", async () => (await browser.workers()) <= 2);
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  assert.equal(page.timesAsked("/worker_bg.wasm"), 1);
  for (const name of ["worker.js", "worker_bg.wasm"]) {
    copyFileSync(join(variable("TEQUIO_TEST_OPS_PAGE"), name), join(files, name));
  }
  await tab.slide("cores", 3);
  await until("three slots compute", async () => {
    const busy = await tab.evaluate(
      () => document.querySelectorAll('#slots [data-busy]:not([data-busy="0"])').length,
    );
    return busy === 3;
  });
  assert.ok(page.timesAsked("/worker_bg.wasm") >= 3);
  const [{ id, refused }] = await server.workers();
  assert.deepEqual([id, refused, (await server.job()).failed], [1, 0, 0]);
});

test("a pause stops the computing, and a smaller share lowers it", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(server.page, { cores: 2 });
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  /** Cores' worth of CPU that the tab uses for a while. */
  const used = async () => {
    const [cpu, began] = [await browser.cpuSeconds(), performance.now()];
    await passes(3000);
    return ((await browser.cpuSeconds()) - cpu) / ((performance.now() - began) / 1000);
  };
  /** @type {number[][]} */
  const measured = [];
  const isLess = () => measured.some(([whole, quarter]) => quarter < 0.5 * whole);
  for (let round = 0; round < ROUNDS && !isLess(); round += 1) {
    await tab.slide("share", 100);
    await passes(500);
    const whole = await used();
    await tab.slide("share", 25);
    await passes(500);
    measured.push([whole, await used()]);
  }
  const text = measured.map((pair) => pair.map((cores) => cores.toFixed(2)).join(" → ")).join(", ");
  t.diagnostic(`cores used at a share of 100 % and of 25 %: ${text}`);
  assert.ok(isLess(), text);

  await tab.slide("share", 100);
  await tab.click("pause");
  await tab.inState("paused");
  await until("nobody is connected", async () => (await slots(server)).length === 0);
  // Out of sight: what others do is drawn for whoever looks, and that is no computing.
  await browser.open("about:blank");
  assert.equal(await tab.evaluate(() => document.visibilityState), "hidden");
  const paused = await used();
  t.diagnostic(`cores used while paused: ${paused.toFixed(3)}`);
  assert.ok(paused < 0.05 * measured[0][0], `${paused} cores while paused`);
  assert.equal(await browser.workers(), 1, "nothing is left that could compute");
  assert.equal(await doneIn(server, 500), 0);
  assert.equal((await server.job()).leased, 0, "nothing is held");

  await tab.bringToFront();
  await tab.click("start");
  await tab.inState("connected");
  await until("it computes again", async () => (await doneIn(server, 200)) > 0);
});

test("who finishes computes what it holds, and then stops", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(server.page);
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  await tab.click("finish");
  await tab.inState("paused");
  await until("nobody is connected", async () => (await slots(server)).length === 0);
  assert.equal((await server.job()).leased, 0);
  const sent = numberIn(await tab.text("result-count"));
  // What was sent last is still being recorded. The welcome task is no job's.
  await until("all that was computed is recorded, and nothing was given back", async () => {
    return (await server.job()).done === sent - 1;
  });
});

test("a slot whose program cannot be loaded is tried again, and no task is blamed", async (t) => {
  const { server } = await startServer(t);
  const page = await staticServer(t, variable("TEQUIO_PAGE"));
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(`${page.url}?server=${server.page}`, { cores: 8 });
  await tab.slide("cores", 1);
  await until("one slot is lent", async () => (await slots(server))[0] === 1);
  await until("the others are ended", async () => (await browser.workers()) <= 2);
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  page.goAway();
  await tab.slide("cores", 2);
  await until("two slots are lent", async () => (await slots(server))[0] === 2);
  assert.ok((await doneIn(server, 3000)) > 0, "the first slot goes on");
  await tab.inState("connected");
  page.goAway(false);
  await until("the second slot computes", async () => (await browser.workers()) === 3);
  const [{ id, refused }] = await server.workers();
  assert.deepEqual([id, refused, (await server.job()).failed], [1, 0, 0]);
  assert.deepEqual(
    server.lines.filter((line) => line.includes("WARN")),
    [],
  );
});

test("a tab that is hidden goes on at full speed", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(server.page);
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  const other = await browser.open("about:blank");
  /** @type {number[]} */
  const ratios = [];
  while (ratios.length < ROUNDS && !ratios.some((ratio) => ratio >= 0.9)) {
    await tab.bringToFront();
    assert.equal(await tab.evaluate(() => document.visibilityState), "visible");
    const shown = await doneIn(server, 3000);
    await other.bringToFront();
    assert.equal(await tab.evaluate(() => document.visibilityState), "hidden");
    ratios.push((await doneIn(server, 3000)) / shown);
  }
  const text = ratios.map((ratio) => ratio.toFixed(2)).join(", ");
  t.diagnostic(`hidden against shown: ${text}`);
  assert.ok(ratios.some((ratio) => ratio >= 0.9), text);
});

test("a tab that is frozen loses its leases, and comes back clean", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const tab = await browser.open(server.page);
  await submit(server, ...ENDLESS);
  await tab.resultsSent(100_000);
  await tab.setLifecycle("frozen");
  await until("it is frozen, and nothing of it is left", async () => {
    return (await doneIn(server, 1000)) === 0 && (await server.job()).leased === 0;
  });
  const sent = numberIn(await tab.text("result-count"));

  // What it held is computed by another meanwhile.
  const other = await browser.open(server.page);
  await other.resultsSent(100_000);
  await tab.setLifecycle("active");
  await tab.bringToFront();
  await tab.resultsSent(sent + 100_000);
  await tab.inState("connected");
  // Its old connection is gone.
  const workers = await until("both compute", async () => {
    const workers = await server.workers();
    const areAll = workers.length === 2 && workers.every(({ results }) => results > 100_000);
    return areAll ? workers : undefined;
  });
  assert.deepEqual(
    workers.map((worker) => worker.refused),
    [0, 0],
  );
  assert.deepEqual(
    server.lines.filter((line) => line.includes("WARN")),
    [],
    "nobody was blamed for anything",
  );
});

test("what a closed tab held is computed by others soon", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const closing = await browser.open(server.page);
  await submit(server, ...ENDLESS);
  await closing.resultsSent(100_000);
  const staying = await browser.open(server.page);
  await staying.resultsSent(100_000);
  const began = performance.now();
  await closing.close();
  await until("the server knows", async () => (await slots(server)).length === 1);
  t.diagnostic(`known after ${(performance.now() - began).toFixed(0)} ms`);
  // Leases are freed as the connection is: the job has no gap behind what the other is at.
  const cancelled = await server.job();
  const [{ leases }] = await server.workers();
  assert.ok(leases > 0 && cancelled.workers === 1, "only one holds anything");
});

test("ten tabs come back to a server that was killed, and no task is lost", async (t) => {
  // Enough for a kill in the middle, and in parts that a test can read at once.
  const [total, part] = [8_000_000, 1_000_000];
  const { server: first, data } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  for (let tab = 0; tab < 10; tab += 1) {
    await browser.open(first.page);
  }
  await until("all are workers", async () => {
    const workers = await first.workers();
    return workers.length === 10 && workers.every(({ results }) => results > 0);
  });
  await submit(first, "--initial", "1", "--factor", "1.00000043", "--times", `1..=${total}`);
  const before = await until("some of it is done", async () => {
    const view = await first.job();
    return view.done > total / 10 ? view : undefined;
  });
  assert.equal(before.state, "running", "it is killed in the middle");
  await first.kill();

  const second = await Server.start(t, { port: first.port, args: ["--data", data] });
  assert.ok((await second.job()).done >= before.done, "what was reported is there");
  await until("all are back", async () => (await second.workers()).length === 10);
  await until("it is done", async () => (await second.job()).state === "done");
  for (let first = 0; first < total; first += part) {
    const range = ["--first", `${first}`, "--count", `${part}`];
    const lines = (await second.run("results", "1", ...range)).trimEnd().split("\n");
    assert.equal(lines.length, part);
    const isRight = (/** @type {string} */ line, /** @type {number} */ index) =>
      line.startsWith(`{"index":${first + index},"result":`);
    assert.equal(lines.findIndex((line, index) => !isRight(line, index)), -1);
  }
});

test("three tabs of a browser are three workers, and share the cores out", async (t) => {
  const { server } = await startServer(t);
  const browser = await OwnBrowser.start(t);
  const open = () => browser.open(server.page, { cores: 8 });
  const sorted = async () => (await slots(server)).sort().join();
  const tabs = [await open()];
  await until("one has all that is lent", async () => (await sorted()) === "7");
  tabs.push(await open());
  await until("two share", async () => (await sorted()) === "3,4");
  tabs.push(await open());
  await until("three share", async () => (await sorted()) === "2,2,3");
  await tabs[1].slide("cores", 4);
  await until("they share fewer", async () => (await sorted()) === "1,1,2");
  await tabs[1].slide("cores", 1);
  await until("nobody goes without", async () => (await sorted()) === "1,1,1");
  await tabs[0].slide("cores", 6);
  await until("all follow", async () => (await sorted()) === "2,2,2");
  await tabs[2].close();
  await until("two share again", async () => (await sorted()) === "3,3");
  await tabs[1].click("pause");
  await until("one has all again", async () => (await sorted()) === "6");
});
