// @ts-check
// The whole page, as one looks at it: with work going on, for everybody's eyes, on every screen, and
// with as many workers and tasks as there may be.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { violations } from "./axe.mjs";
import { BUSY_MS_MAX, measureMainThread } from "./main-thread.mjs";
import { OwnBrowser } from "./own-browser.mjs";
import { simulateWorker } from "./simulated-worker.mjs";
import { Browser, NO_CONNECTION, Server, overflows, resultsSent, until, variable } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** How many workers a room full of rooms has. */
const CROWD = 1000;

/** More tabs than a browser opens connections to one server. */
const TABS = 8;

/** What a simulated worker says that a task takes: then it is lent a hundred at a time. */
const TASK_MS = 10;

/** Everything that the page shows of everybody's work is on the screen. @param {Page} page */
async function isAlive(page) {
  await page.locator("#throughput-chart canvas").first().waitFor();
  await page.locator("#stream-canvas").waitFor();
  await page.locator("#values canvas").first().waitFor();
  await page.locator("#workers-rows tr").first().waitFor();
  await page.locator("#jobs .job").first().waitFor();
}

test("everybody can use the page, by day and by night, in both languages, on every screen", async (t) => {
  const server = await Server.start(t, { args: ["--demo", "--allow-origin", "http://lab.example"] });
  const browser = await Browser.start(t);
  const folder = variable("TEQUIO_ARTIFACTS");
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const [locale, width] of /** @type {const} */ ([
      ["en-US", 390],
      ["es-MX", 390],
      ["en-US", 1280],
      ["es-MX", 1280],
      ["en-US", 2560],
    ])) {
      // The policy of the page forbids foreign scripts, axe's included.
      const context = { colorScheme, locale, bypassCSP: true, viewport: { width, height: 900 } };
      const page = await browser.open(server.page, context);
      await isAlive(page);
      await resultsSent(page, 100_000);
      const path = join(folder, `page-${colorScheme}-${locale}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
      assert.equal(await overflows(page), false, `no sideways scrolling at ${width} px in ${locale}`);
      for (const summary of await page.locator("details.data > summary").all()) {
        await summary.press("Enter");
      }
      assert.deepEqual(await violations(page), [], `${colorScheme}, ${locale}, ${width} px`);
      await page.context().close();
    }
  }
  await browser.close();
});

test("the page asks nobody but its server, and runs nothing but its server's", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  /** @type {string[]} */
  const asked = [];
  const page = await browser.open(server.page, {}, async (page) => {
    page.on("request", (request) => asked.push(request.url()));
  });
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "2", "--times", "0..100");
  await isAlive(page);
  const foreign = asked.filter((url) => !url.startsWith(server.page) && !url.startsWith("data:"));
  assert.deepEqual(foreign, []);
  const policy = (await fetch(server.page)).headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval' 'sha256-[^']+';/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval'.*'unsafe-eval'/);
  const outcome = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.wasRun = true";
    document.body.append(script);
    return Reflect.get(window, "wasRun");
  });
  assert.equal(outcome, undefined, "what somebody put into the page is not run");
  await browser.close(/Content Security Policy/);
});

test("a thousand workers compute a job of 10^9 tasks, and the page is never busy for long", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  // Whatever is raised to any power, each result is 1: so a worker here need not compute.
  const grid = ["--initial", "1", "--factor", "1", "--times", "0..1000000000"];
  await server.run("submit", "repeat_multiply", ...grid, "--name", "a thousand million");
  for (let number = 0; number < CROWD; number += 1) {
    await joinCrowd(t, server, number);
  }
  await until("they compute", async () => (await server.job()).done > 10 * CROWD);

  const page = await browser.open("about:blank", { viewport: { width: 1280, height: 900 } });
  await page.goto(`${server.page}?auto=0`);
  const stop = await measureMainThread(page);
  // From its beginning, and then for a while.
  await page.reload();
  await isAlive(page);
  await until("it has seen the crowd", async () => {
    const summary = await page.locator("#workers-summary").textContent();
    return summary?.startsWith("1,000 workers");
  });
  const { done } = await server.job();
  await until("much more is done", async () => (await server.job()).done > done + 100 * CROWD);
  for (const span of await page.locator("#throughput [data-seconds], #stream [data-seconds]").all()) {
    await span.click();
  }
  await page.locator("#workers-search").fill("7");
  await page.locator("#language button[lang=es]").click();
  await until("it is Spanish", async () => (await page.locator("html").getAttribute("lang")) === "es");
  const { longestMs, tasks, totalMs, slowness } = await stop();
  t.diagnostic(`the longest of ${tasks} tasks took ${longestMs.toFixed(1)} ms; in all ${totalMs.toFixed(0)} ms`);
  t.diagnostic(`on a machine ${slowness.toFixed(2)} times as slow`);
  assert.ok(longestMs <= BUSY_MS_MAX, `the main thread was busy for ${longestMs} ms at a stretch`);
  await browser.close();
});

test("a page whose stream of events is cut says so, and goes on by itself", async (t) => {
  const server = await Server.start(t);
  const line = await cuttable(t, server.port);
  const browser = await Browser.start(t);
  // Of a page that does not compute, so that there is nothing else on the line.
  const page = await browser.open(`http://127.0.0.1:${line.port}/?auto=0`);
  await page.locator("#everybodys:not([hidden])").waitFor();
  assert.equal(await page.locator("#link").isVisible(), false);

  line.cut();
  await page.locator("#link").waitFor();
  assert.match((await page.locator("#link").textContent()) ?? "", /The server is away/);
  // What happens meanwhile is in what it is told when it is back.
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "2", "--times", "3", "--name", "meanwhile");
  line.mend();
  await page.locator("#jobs").getByText("meanwhile").first().waitFor();
  await page.locator("#link").waitFor({ state: "hidden" });
  await browser.close(NO_CONNECTION);
});

test("of many tabs of a browser, the one that is looked at alone keeps a stream of events", async (t) => {
  const server = await Server.start(t);
  const browser = await OwnBrowser.start(t);
  // More than a browser has connections for one server: else the last ones could ask for nothing.
  const tabs = [];
  for (let number = 0; number < TABS; number += 1) {
    tabs.push(await browser.open(server.page));
  }
  await until("all of them compute", async () => (await server.workers()).length === TABS);
  await until("one of them looks", async () => (await pagesWatching(server)) === 1);
  const [first] = tabs;
  await first.bringToFront();
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "2", "--times", "0..100");
  await until("it shows what was new while it was hidden", () =>
    first.evaluate(() => document.querySelectorAll("#jobs .job").length === 1),
  );
  assert.equal(await pagesWatching(server), 1);
});

/** Pages that the server tells what is new. @param {Server} server */
async function pagesWatching(server) {
  const metrics = await (await fetch(`${server.page}metrics`)).text();
  return Number(/^tequio_pages_watching (\d+)$/m.exec(metrics)?.[1]);
}

/** Connects a worker that answers every lease with ones, after about the time that it says.
 * @param {import("node:test").TestContext} t @param {Server} server @param {number} number */
async function joinCrowd(t, server, number) {
  const about = { agent: `tequio/${number} (test)`, worker: `crowd-${number}` };
  await simulateWorker(t, server, about, ({ type, lease, first, count }, say) => {
    if (type === "lease") {
      const duration_ms = TASK_MS * count;
      const results = Array.from({ length: count }, () => 1);
      setTimeout(() => say({ type: "results", lease, first, results, duration_ms }), duration_ms);
    }
  });
}

/** A way to a port that can be cut and mended.
 * @param {import("node:test").TestContext} t @param {number} port */
async function cuttable(t, port) {
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  let isCut = false;
  const server = createServer((socket) => {
    if (isCut) {
      return socket.destroy();
    }
    const other = connect(port, "127.0.0.1");
    for (const end of [socket, other]) {
      open.add(end);
      // That an end breaks is what it is for.
      end.on("error", () => {});
      end.on("close", () => open.delete(end));
    }
    socket.pipe(other).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    isCut = true;
    open.forEach((socket) => socket.destroy());
  };
  t.after(() => {
    cut();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return {
    port: address.port,
    cut,
    mend: () => {
      isCut = false;
    },
  };
}
