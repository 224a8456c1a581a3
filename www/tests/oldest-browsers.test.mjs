// @ts-check
// The oldest browsers that run the page (Chrome and Edge 96, Firefox 114, Safari 15), as near as one of
// today can be brought to them: all that is younger than one of them is taken away, in workers too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, ENDLESS, Server, inState, resultsSent, until } from "./support.mjs";

/** Takes away what is younger. It runs in pages and in workers, before any other script. */
function takeAway() {
  /** @type {Record<string, string[]>} */
  const younger = {
    "": [
      "BroadcastChannel", "CompressionStream", "DecompressionStream", "HTMLDialogElement", "Iterator",
      "OffscreenCanvas", "navigation", "reportError", "requestIdleCallback", "scheduler", "structuredClone",
    ],
    Array: ["fromAsync"],
    "Array.prototype": ["at", "findLast", "findLastIndex", "toReversed", "toSorted", "toSpliced", "with"],
    "Uint8Array.prototype.__proto__": ["at", "findLast", "findLastIndex", "toReversed", "toSorted", "with"],
    "ArrayBuffer.prototype": ["detached", "resizable", "resize", "transfer", "transferToFixedLength"],
    "String.prototype": ["at", "isWellFormed", "toWellFormed"],
    Object: ["groupBy", "hasOwn"],
    Map: ["groupBy"],
    Promise: ["try", "withResolvers"],
    "Set.prototype": ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf"],
    AbortSignal: ["any", "timeout"],
    "AbortSignal.prototype": ["throwIfAborted"],
    URL: ["canParse", "parse"],
    "URLSearchParams.prototype": ["size"],
    Intl: ["DurationFormat", "Segmenter", "supportedValuesOf"],
    WebAssembly: ["Exception", "JSTag", "Suspending", "Tag", "promising"],
    "Crypto.prototype": ["randomUUID"],
    "Navigator.prototype": ["getBattery", "locks", "userAgentData", "wakeLock"],
    "HTMLDialogElement.prototype": ["close", "open", "show", "showModal"],
    "Element.prototype": ["checkVisibility", "setHTMLUnsafe"],
  };
  // What methods of iterators there are hangs there, with a name of its own or without.
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  for (const name of ["drop", "every", "filter", "find", "flatMap", "forEach", "map", "reduce", "some", "take", "toArray"]) {
    Reflect.deleteProperty(iterators, name);
  }
  // From the innermost outwards: what a name leads to may be taken away itself.
  for (const [path, names] of Object.entries(younger).reverse()) {
    /** @type {any} */
    let found = globalThis;
    for (const name of path.split(".").filter(Boolean)) {
      found = found?.[name];
    }
    for (const name of found ? names : []) {
      Reflect.deleteProperty(found, name);
    }
  }
  console.log(`taken away in ${Reflect.get(globalThis, "name") || "the page"}`);
}

test("a browser as old as the oldest that are supported computes, draws, and has buttons that work", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "sweep");
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, async (page) => {
    await page.addInitScript(takeAway);
    await page.route("**/worker.js", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: `(${takeAway})();${await answer.text()}` });
    });
  });
  await inState(page, "connected");
  await resultsSent(page, 2);
  for (const where of ["the page", "coordinator", "compute"]) {
    assert.ok(browser.console.includes(`taken away in ${where}`), `${where}: ${browser.console}`);
  }
  const left = await page.evaluate(() => ["at" in [], "any" in AbortSignal, "structuredClone" in globalThis]);
  assert.deepEqual(left, [false, false, false]);

  await page.locator("#throughput-chart canvas").waitFor();
  await page.locator('#stream:not([data-rows="0"])[data-rows]').waitFor();
  await page.locator("#values-plot canvas").waitFor();
  await page.locator("#workers-rows tr").first().waitFor();
  assert.equal(await page.locator("[data-broken]").count(), 0);

  await page.locator("#new-job-open").click();
  await page.locator("#axis-times").fill("0..10");
  await page.locator("#new-job-total").getByText("50").waitFor();
  await page.locator("#new-job-submit").click();
  await page.locator('#jobs [data-job="2"][data-state="done"]').waitFor();
  await page.locator('#jobs [data-job="1"] .job-end').click();
  await page.locator("#question-yes").click();
  await until("the job is cancelled", async () => (await server.job(1)).state === "cancelled");
  await page.locator("#chat-name").fill("Ana");
  await page.locator("#chat-text").fill("hola");
  await page.locator("#chat-send").click();
  await page.locator("#chat-log").getByText("hola").waitFor();
  await page.locator("#echo-details summary").click();
  await page.locator("#echo-measure[aria-disabled=false]").click();
  await until("it is measured", async () => /ms/.test((await page.locator("#echo-median").textContent()) ?? ""));
  await browser.close();
});
