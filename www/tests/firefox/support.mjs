// @ts-check
// A real Firefox, driven over WebDriver BiDi, which it speaks by itself.

import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";
import { PATIENCE_MS, variable } from "../support.mjs";

/** A Firefox whose pages may log no error. */
export class Firefox {
  /** @type {string[]} */
  errors = [];

  /** @param {import("puppeteer-core").Browser} browser */
  constructor(browser) {
    this.browser = browser;
  }

  /** Starts one, which ends with the test. @param {import("node:test").TestContext} t */
  static async start(t) {
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: variable("FIREFOX"),
      headless: true,
      timeout: PATIENCE_MS,
    });
    t.after(() => browser.close());
    return new Firefox(browser);
  }

  /** @param {string} url */
  async open(url) {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") {
        this.errors.push(message.text());
      }
    });
    await page.goto(url);
    return page;
  }

  /** Closes it; then no error may have been logged. */
  async close() {
    await this.browser.close();
    assert.deepEqual(this.errors, []);
  }
}
