// @ts-check
// The panels of the workers and of how others join, against a real server, to which many workers
// are connected that do nothing but be there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { areFineOnEveryScreen } from "./every-screen.mjs";
import { BUSY_MS_MAX, measureMainThread } from "./main-thread.mjs";
import { simulateWorker } from "./simulated-worker.mjs";
import { Browser, ENDLESS, Server, shows, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../js/protocol.js").WorkerView} WorkerView */

/** Rows of a page of the table. */
const ROWS = 25;

const AGENTS = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0",
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
  "tequio/0.1.0 (linux; x86_64)",
  "<img src=x onerror=alert(1)>",
];

/** Connects one; `number` tells it from others.
 * @param {import("node:test").TestContext} t @param {Server} server @param {number} number */
function connect(t, server, number) {
  const agent = AGENTS[number % AGENTS.length];
  return simulateWorker(t, server, { agent, slots: 1 + (number % 5), worker: `test-${number}` });
}

/** Connects many, some at a time, to a server that has so many `others`.
 * @param {import("node:test").TestContext} t @param {Server} server @param {number} count */
async function connectMany(t, server, count, others = 0) {
  const AT_ONCE = 50;
  const all = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) => first + at);
    all.push(...(await Promise.all(some.map((number) => connect(t, server, number)))));
  }
  await until("all are there", async () => {
    const workers = await server.workers();
    return workers.length === count + others && workers.every(({ agent }) => agent);
  });
  return all;
}

/** The texts of a column, as they are seen. @param {Page} page @param {string} column */
function cells(page, column) {
  return page
    .locator(`#workers-rows tr:not(.details) [data-column="${column}"]`)
    .allInnerTexts();
}

/** @param {WorkerView[]} workers @param {(worker: WorkerView) => number | string} key */
function sorted(workers, key) {
  const order = (/** @type {WorkerView} */ a, /** @type {WorkerView} */ b) =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.id - b.id;
  return workers.toSorted(order).map(({ id }) => `#${id}`);
}

test("a thousand workers are sorted, searched and turned over, and the page stays quick", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  // Wide enough for every column.
  const options = { viewport: { width: 1600, height: 900 } };
  const page = await browser.open(`${server.page}?auto=0`, options);
  await page.locator("#workers-empty").getByText("Nobody computes at the moment").waitFor();
  const stop = await measureMainThread(page);
  const crowd = await connectMany(t, server, 1000);
  const workers = await server.workers();

  await shows(page, "workers-summary", /^1,000 workers · 3,000 slots · 0 tasks\/s$/);
  await shows(page, "workers-page", "1–25 of 1,000");
  await until("the first are shown", async () => (await cells(page, "id")).length === ROWS);
  const names = workers.map(({ id }) => `#${id}`);
  assert.deepEqual(await cells(page, "id"), names.slice(0, ROWS));

  /** @type {[column: string, first: string, key: (worker: WorkerView) => number | string][]} */
  const COLUMNS = [
    ["program", "ascending", ({ program, agent }) => (program || agent || "").toLowerCase()],
    // What is not known is last.
    ["system", "ascending", ({ system }) => system.toLowerCase() || "\uffff"],
    ["slots", "descending", ({ slots }) => -slots],
    ["rate", "descending", () => 0],
    ["results", "descending", () => 0],
    ["errors", "descending", () => 0],
    ["id", "ascending", ({ id }) => id],
  ];
  for (const [column, first, key] of COLUMNS) {
    const head = page.locator(`#workers-columns [data-column="${column}"]`);
    await head.locator("button").press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), first, column);
    assert.equal(await page.locator("#workers-columns [aria-sort]").count(), 1);
    assert.deepEqual(await cells(page, "id"), sorted(workers, key).slice(0, ROWS), column);
    await head.locator("button").press("Space");
    const second = first === "ascending" ? "descending" : "ascending";
    assert.equal(await head.getAttribute("aria-sort"), second, column);
  }
  // Of these the values change, but never which way they are sorted.
  for (const column of ["seen", "lag", "since"]) {
    const head = page.locator(`#workers-columns [data-column="${column}"]`);
    assert.ok(await head.isVisible(), column);
    await head.locator("button").press("Enter");
    assert.ok(await head.getAttribute("aria-sort"), column);
    assert.equal((await cells(page, "id")).length, ROWS);
  }
  await page.locator('#workers-columns [data-column="id"] button').press("Enter");

  await page.locator("#workers-next").press("Enter");
  await shows(page, "workers-page", "26–50 of 1,000");
  assert.deepEqual(await cells(page, "id"), names.slice(ROWS, 2 * ROWS));
  await page.locator("#workers-previous").press("Enter");
  await shows(page, "workers-page", "1–25 of 1,000");
  assert.equal(await page.locator("#workers-previous").getAttribute("aria-disabled"), "true");
  await page.locator("#workers-previous").press("Enter");
  await shows(page, "workers-page", "1–25 of 1,000");

  await page.locator("#workers-search").fill("firefox WINDOWS");
  await shows(page, "workers-page", "1–25 of 250");
  assert.deepEqual(new Set(await cells(page, "program")), new Set(["Firefox 153"]));
  await page.locator("#workers-search").fill(`#${workers[600].id}`);
  await until("one is found", async () => (await cells(page, "id")).length === 1);
  assert.deepEqual(await cells(page, "id"), [`#${workers[600].id}`]);
  await page.locator("#workers-search").fill("nobody is like that");
  await shows(page, "workers-empty", "No worker is like that.");
  await page.locator("#workers-search").fill("");
  await shows(page, "workers-page", "1–25 of 1,000");

  crowd.slice(0, 400).forEach(({ leave }) => leave());
  await shows(page, "workers-summary", /^600 workers · /);
  await shows(page, "workers-page", "1–25 of 600");
  const { longestMs, tasks, slowness } = await stop();
  t.diagnostic(`${tasks} tasks of the main thread, the longest of ${longestMs} ms`);
  t.diagnostic(`on a machine ${slowness.toFixed(2)} times as slow`);
  assert.ok(longestMs <= BUSY_MS_MAX, `the page was busy for ${longestMs} ms`);
  await browser.close();
});

test("what a worker says of itself is text, and all of it is there", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  for (let number = 0; number < AGENTS.length; number += 1) {
    await connect(t, server, number);
    await until("it is there", async () => (await server.workers())[number]?.agent);
  }
  const page = await browser.open(`${server.page}?auto=0`, { viewport: { width: 390, height: 844 } });
  const evil = page.locator("#workers-rows tr:not(.details)").nth(3);
  await evil.waitFor();
  // The first word of it, which is how programs name themselves.
  assert.equal(await evil.locator('[data-column="program"]').textContent(), "<img");
  assert.equal(await evil.locator('[data-column="program"]').getAttribute("title"), AGENTS[3]);
  const button = evil.locator("button");
  assert.equal(await button.getAttribute("aria-expanded"), "false");
  await button.press("Enter");
  assert.equal(await button.getAttribute("aria-expanded"), "true");
  const details = page.locator("#workers-rows .details:visible");
  assert.equal(await details.count(), 1);
  const [agent, rest] = await details.locator("p").allTextContents();
  assert.equal(agent, AGENTS[3]);
  assert.match(rest, /at 127\.0\.0\.1:\d+\/ws · connected .* · 0 done/);
  assert.equal(await page.locator("#workers img").count(), 0);
  await page.locator("#language").getByText("Español").click();
  await details.locator("p").last().getByText(/ · conectado /).waitFor();
  assert.deepEqual(await page.locator("#workers-summary").allTextContents(), [
    "4 trabajadores · 10 hilos · 0 tareas/s",
  ]);
  await button.press("Enter");
  await details.waitFor({ state: "hidden" });
  await browser.close();
});

test("the order stands still under the pointer, and follows when it is gone", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  for (const number of [0, 1, 2]) {
    await connect(t, server, number);
    await until("it is there", async () => (await server.workers())[number]?.agent);
  }
  const page = await browser.open(`${server.page}?auto=0`, { viewport: { width: 1280, height: 900 } });
  await page.locator('#workers-columns [data-column="slots"] button').click();
  const before = (await server.workers()).map(({ id }) => `#${id}`).reverse();
  assert.deepEqual(await cells(page, "id"), before);
  await page.locator("#workers-rows tr").first().hover();
  await connect(t, server, 4);
  await until("the new one is there", async () => (await cells(page, "id")).length === 4);
  const [newest] = (await server.workers()).slice(-1);
  assert.deepEqual(await cells(page, "id"), [...before, `#${newest.id}`]);
  await page.mouse.move(0, 0);
  await until("it is sorted", async () => (await cells(page, "id"))[0] === `#${newest.id}`);
  await browser.close();
});

test("who is at a worker stays there, whoever comes or leaves", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  const crowd = await connectMany(t, server, 4);
  const page = await browser.open(`${server.page}?auto=0`, { viewport: { width: 1280, height: 900 } });
  const [first, , third] = (await server.workers()).map(({ id }) => id);
  const at = () =>
    page.evaluate(() => {
      const focused = /** @type {HTMLElement | null} */ (document.activeElement);
      return focused?.dataset.worker ?? focused?.id;
    });
  await page.locator(`#workers-rows button[data-worker="${third}"]`).press("Enter");
  const isGone = (/** @type {number} */ id) => async () =>
    (await page.locator(`#workers-rows button[data-worker="${id}"]`).count()) === 0;
  const leave = async (/** @type {number} */ id) => {
    const workers = await server.workers();
    const agent = workers.find((worker) => worker.id === id)?.agent;
    crowd[AGENTS.indexOf(agent ?? "")].leave();
    await until("it is gone", isGone(id));
  };
  await leave(first);
  assert.equal(await at(), String(third));
  await page.locator('#workers-columns [data-column="id"] button').evaluate((button) => {
    /** @type {HTMLElement} */ (button).click();
  });
  assert.deepEqual((await cells(page, "id")).indexOf(`#${third}`), 1);
  assert.equal(await at(), String(third), "also where its row moves");
  await leave(third);
  assert.equal(await at(), "workers-box");
  await browser.close();
});

test("the address and its code are there where others reach the server, and can be copied", async (t) => {
  const server = await Server.start(t, { args: ["--allow-origin", "http://lab.example"] });
  const browser = await Browser.start(t);
  const permissions = ["clipboard-read", "clipboard-write"];
  const page = await browser.open(`${server.page}?auto=0`, { permissions });
  const link = page.locator("#join-link");
  await link.waitFor();
  const { join: address } = await (await fetch(`${server.page}api/server`)).json();
  assert.match(address, /^http:\/\/lab\.example\/?$/);
  assert.equal(await link.textContent(), address);
  assert.equal(await link.getAttribute("href"), address);
  const code = page.locator("#join-code");
  assert.equal(await code.getAttribute("alt"), `QR code of ${address}`);
  const isDrawn = () => code.evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth);
  await until("the code is drawn", async () => (await isDrawn()) > 0);
  const box = await code.boundingBox();
  assert.ok(box && box.width >= 160 && box.height >= 160, "it can be scanned from afar");
  assert.equal(await page.locator("#join-closed").isVisible(), false);

  await page.locator("#join-copy").press("Enter");
  await shows(page, "join-said", "Copied.");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), address);
  await browser.close();
});

test("what is to be copied is copied, or selected, on pages that have no clipboard", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, {}, async (page) => {
    await page.addInitScript(() => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
    });
  });
  await page.locator("#join-closed").waitFor();
  assert.equal(await page.locator("#join-open").isVisible(), false);
  const other = page.locator("#join-closed a");
  assert.deepEqual([await other.getAttribute("href"), await other.getAttribute("rel")], ["./", "noopener"]);
  const copied = await page.evaluateHandle(() => {
    /** @type {string[]} */
    const copied = [];
    document.addEventListener("copy", () => copied.push(String(getSelection())));
    return copied;
  });
  await page.locator("#join-copy-command").click();
  await shows(page, "join-said", "Copied.");
  assert.deepEqual(await copied.jsonValue(), ["tequio serve --listen 0.0.0.0:8765"]);

  await page.evaluate(() => {
    document.execCommand = () => false;
    getSelection()?.removeAllRanges();
  });
  await page.locator("#join-copy-command").click();
  await shows(page, "join-said", /lets no page copy/);
  assert.equal(
    await page.evaluate(() => String(getSelection())),
    "tequio serve --listen 0.0.0.0:8765",
  );
  await browser.close();
});

test("results, workers and joining are accessible, and fit every width, by day and by night", async (t) => {
  const args = ["--allow-origin", "http://lab.example", "--operator-token", "x", "--no-welcome"];
  const server = await Server.start(t, { args });
  const browser = await Browser.start(t);
  // The policy of the page forbids foreign scripts, axe's included.
  const page = await browser.open(server.page, { bypassCSP: true });
  await connectMany(t, server, 30, 1);
  const grid = ["--initial", "1,2", "--factor", "1.5,0.25", "--times", "0..200"];
  await server.run("submit", "repeat_multiply", ...grid, "--token", "x");
  await page.locator("#workers-rows button").first().click();
  await page.locator("#join-code").waitFor();
  await page.locator("#values-data summary").click();
  await page.locator("#values-rows tr").first().waitFor();
  await areFineOnEveryScreen(page, ["values", "workers", "join"]);
  await browser.close();
});
