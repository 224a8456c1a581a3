// @ts-check
// A Chromium as a person has it. Playwright's own keeps every tab visible, focused and awake; this
// one is started without its switches, and Playwright only looks in from outside.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { PATIENCE_MS, SWITCHES, variable } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

export class OwnBrowser {
  /** @param {import("playwright-core").Browser} browser */
  constructor(browser) {
    this.browser = browser;
    this.context = browser.contexts()[0];
  }

  /** Starts one, which ends with the test. @param {import("node:test").TestContext} t */
  static async start(t) {
    const profile = mkdtempSync(join(tmpdir(), "tequio-browser-"));
    const child = spawn(
      variable("CHROME"),
      ["--remote-debugging-port=0", `--user-data-dir=${profile}`, ...SWITCHES, "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const ended = once(child, "exit");
    t.after(async () => {
      child.kill("SIGKILL");
      await ended;
      // Processes of the browser may still be writing as they die.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    });
    const address = await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        const found = /DevTools listening on (ws:\S+)/.exec(line);
        if (found) {
          resolve(found[1]);
        }
      });
      ended.then(() => reject(new Error("the browser did not start")));
    });
    return new OwnBrowser(await chromium.connectOverCDP(address, { noDefaults: true }));
  }

  /** A tab, in front of the others. @param {string} url
   * @param {(page: Page) => Promise<unknown>} [prepare] What is done before it loads. */
  async open(url, prepare) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await prepare?.(page);
    await page.goto(url);
    return page;
  }

  /** Seconds of CPU that all tabs have used so far, by the browser's own account. */
  async cpuSeconds() {
    const session = await this.browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    const tabs = processInfo.filter(({ type }) => type === "renderer");
    assert.ok(tabs.length > 0);
    return tabs.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  }
}

/** Lets a page believe in a machine of so many cores. @param {number} cores */
export const machineOf = (cores) => (/** @type {Page} */ page) =>
  page.addInitScript((count) => {
    Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => count });
  }, cores);
