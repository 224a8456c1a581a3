// @ts-check
// A tab that cannot compute says why, in words, and does not leave a person waiting.

import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  Browser,
  Server,
  folder,
  inState,
  resultsSent,
  staticServer,
  variable,
} from "./support.mjs";

/** As long as the page waits for a worker that says nothing (`WORKER_START_MS_MAX` in tab.js). */
const WORKER_START_MS = 20_000;

/** What a browser logs by itself when a worker's script awaits wasm in vain. */
const LOGGED = /failed to fetch Wasm: 404|CompileError: WebAssembly/;

/** @typedef {Parameters<import("playwright-core").Route["fulfill"]>[0]} Answer */
/** @typedef {import("playwright-core").Page} Page */

/** @type {Answer} */
const MISSING = { status: 404, contentType: "text/plain", body: "There is no such file here." };
const WASM = "application/wasm";

/** What is wrong with which file, and what the page then says.
 * @type {Record<string, { file: string, answer: Answer, says: RegExp }>} */
const FAULTS = {
  "a missing loader": {
    file: "worker_loader.js",
    answer: MISSING,
    says: /script could not be loaded\. Reload the page/,
  },
  "a missing script": {
    file: "worker.js",
    answer: MISSING,
    says: /script could not be loaded\. Reload the page/,
  },
  "missing wasm": {
    file: "worker_bg.wasm",
    answer: MISSING,
    says: /worker has failed \(.*404 Not Found.*worker_bg\.wasm.*\)\. Reload the page/,
  },
  "a login page in the place of wasm": {
    file: "worker_bg.wasm",
    answer: { contentType: "text/html", body: "<!doctype html><p>Log in to this network</p>" },
    says: /worker has failed \(.*CompileError: .*magic word.*\)\. Reload the page/,
  },
  "wasm that ends early": {
    file: "worker_bg.wasm",
    answer: { contentType: WASM, body: Buffer.from("\0asm\x01\0\0\0\x01", "latin1") },
    says: /worker has failed \(.*CompileError: .*\)\. Reload the page/,
  },
};

for (const [name, { file, answer, says }] of Object.entries(FAULTS)) {
  test(`${name} is said at once, and stays said`, async (t) => {
    const server = await Server.start(t);
    const browser = await Browser.start(t);
    const tab = await browser.open(server.page, {}, async (page) => {
      await stopClock(page);
      await page.route(`**/${file}`, (route) => route.fulfill(answer));
    });
    await inState(tab, "failed");
    assert.match(await said(tab), says);
    assert.match((await tab.locator("#log li").first().textContent()) ?? "", says);
    await tab.clock.runFor(2 * WORKER_START_MS);
    await inState(tab, "failed");
    assert.match(await said(tab), says);
    assert.deepEqual(await server.workers(), []);

    // It was the file and nothing else: with the right one, the same tab computes.
    await tab.unrouteAll();
    await tab.clock.resume();
    await tab.reload();
    await resultsSent(tab, 1);
    await browser.close(LOGGED);
  });
}

/** What a slot's script may be instead, and what the page then says.
 * @type {Record<string, { script: string, says: RegExp }>} */
const SLOT_FAULTS = {
  "a slot's script that is none": {
    script: "<!doctype html><p>Log in to this network</p>",
    says: /^The compute worker did not start: /,
  },
  "a slot's script that lacks what it imports": {
    script: 'import "../missing.js";',
    says: /^The compute worker did not start: /,
  },
  "wasm that does not start in a slot": {
    script: `
      import { initSync } from "../worker.js";
      onmessage = () => initSync({ module: new Uint8Array(8) });
    `,
    says: /^The compute worker did not start: .*CompileError: .*magic word/,
  },
};

for (const [name, { script, says }] of Object.entries(SLOT_FAULTS)) {
  test(`${name} is said at once`, async (t) => {
    const server = await Server.start(t);
    const files = folder(t);
    cpSync(variable("TEQUIO_PAGE"), files, { recursive: true });
    const page = await staticServer(t, files);
    writeFileSync(join(files, "js/slot.js"), script);
    const browser = await Browser.start(t);
    const tab = await browser.open(`${page.url}?server=${server.page}`);
    await inState(tab, "failed");
    assert.match(await said(tab), says);
    await browser.close(/404/);
  });
}

test("a worker that says nothing is given its time, and then named", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const tab = await browser.open(server.page, {}, async (page) => {
    await stopClock(page);
    await page.route("**/worker_loader.js", (route) =>
      route.fulfill({ contentType: "text/javascript", body: "// It starts nothing." }),
    );
  });
  await startsNot(tab);
  await browser.close();
});

test("a worker that comes after its time is welcome all the same", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  /** @type {() => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = () => resolve(undefined)));
  const tab = await browser.open(server.page, {}, async (page) => {
    await stopClock(page);
    await page.route("**/worker_bg.wasm", async (route) => {
      await released;
      await route.continue();
    });
  });
  await startsNot(tab);
  release();
  await tab.clock.resume();
  await inState(tab, "connected");
  await resultsSent(tab, 1);
  await browser.close();
});

/** Lets the page's own time pass only when a test says so. A worker's goes on.
 * @param {Page} page */
async function stopClock(page) {
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1000);
}

/** Passes the time that a worker has for its start, and sees that the page then says so.
 * @param {Page} tab */
async function startsNot(tab) {
  await tab.clock.runFor(WORKER_START_MS - 1);
  await inState(tab, "starting");
  await tab.clock.runFor(1);
  await inState(tab, "failed");
  assert.match(await said(tab), /has not started for 20 s\. .* reload the page/);
}

/** @param {Page} tab */
async function said(tab) {
  return (await tab.locator("#computing").textContent()) ?? "";
}
