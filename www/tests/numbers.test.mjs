// @ts-check
// Numbers are written in one way on the whole page, in each language: in groups of three digits with
// commas, and with a point before a fraction, as the numbers are that are typed and downloaded. What a
// task was given and what came of it, and what only names something, stands as it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut, markOf, multiples, sizeText } from "../js/distribution.js";
import { LANGUAGES } from "../js/strings.js";
import { measures } from "../js/strings/measures.js";
import { Browser, ENDLESS, Server, numberIn, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** What says a name, such as a job's, an address or a code, and is given no other number. */
const NAMES =
  /^(jobs\.(name|about|trouble\.\w+|question\.\w+\.text)|foreign\.\w+|workers\.name|workers\.details|stream\.(worker|left|slot|tasks)|values\.(sizes|bin|failed|size)|otherServer\.text|echo\.closed|chat\.(away|came|went)|newJob\.comma|join\.code|job|kernel|ops|several|taskOf|server|logged\.(task|result|disconnected)|broken|error\.\w+|throughput\.(between|chart|pointed))$/;
/** A number as it is to be. */
const NUMBER = /^\d{1,3}(,\d{3})*(\.\d+)?$/;
const PLACES = /[\d٠-٩](?:[\d.,'’   ]*\d)?/g;

/** Every function of the words, by its path. @param {object} words @returns {[string, Function][]} */
function functions(words, path = "") {
  return Object.entries(words).flatMap(([name, value]) => {
    const at = path ? `${path}.${name}` : name;
    return typeof value === "function" ? [[at, value]] : typeof value === "object" ? functions(value, at) : [];
  });
}

/** @param {string} text */
const numbersOf = (text) => text.match(PLACES) ?? [];

test("whatever is said of a number is said in the same way, in every language", () => {
  const [english, spanish] = [LANGUAGES.en, LANGUAGES.es].map((words) => new Map(functions(words)));
  let checked = 0;
  for (const [path, say] of english) {
    if (NAMES.test(path) || /ime/.test(path)) {
      continue;
    }
    for (const value of [7, 1234, 12_345, 1_234_567, 98_765_432_109]) {
      const given = Array(Math.max(1, say.length)).fill(value);
      if (/decimal|size/.test(path)) {
        given[1] = 2;
      }
      const [one, other] = [String(say(...given)), String(spanish.get(path)?.(...given))];
      for (const text of [one, other]) {
        for (const number of numbersOf(text)) {
          assert.match(number, NUMBER, `${path}(${given}): ${text}`);
        }
      }
      // The large ones have another symbol, or none.
      if (!/[\d.]+ ?[KMBk]/.test(one + other) && !/days|días/.test(one + other)) {
        assert.deepEqual(numbersOf(one).sort(), numbersOf(other).sort(), `${path}: ${one}, ${other}`);
      }
      checked += 1;
    }
  }
  assert.ok(checked > 200, `${checked} were checked`);
});

test("times and speeds are written as counts are", () => {
  for (const { duration, longTime, tasksPerSecond, workers, values } of Object.values(LANGUAGES)) {
    assert.equal(duration(1_234_567), "1,234.57 s");
    assert.equal(longTime(1234 * 86_400_000), "1,234 d 0 h");
    assert.equal(workers.lag(12_345), "12,345 ms");
    assert.equal(numbersOf(tasksPerSecond(12_345))[0], "12,345");
    assert.equal(values.decimal(12_345.5, 2), "12,345.50");
    assert.equal(values.size(1234.5678, 6), "1,234.57");
  }
  assert.equal(measures("es-MX").short(2_345_000_000), "2,350\u{a0}M");
});

test("powers of ten have a mantissa below ten, and none of one, in every decade", () => {
  for (const { values: words } of Object.values(LANGUAGES)) {
    for (let exponent = -323; exponent <= 308; exponent += 1) {
      for (const mantissa of [1, 1.5, 5, 9, 9.9, 9.99, 9.999999]) {
        for (const sign of [1, -1]) {
          const largest = sign * Number(`${mantissa}e${exponent}`);
          const layout = layOut([0, largest], false);
          const [low, high] = [0, layout.placeOf(largest)].sort((a, b) => a - b);
          for (const step of [0.5, 1, 2, 2.5, 5]) {
            const marks = layout.unit === 1 ? [] : multiples(low - step, high + step, step);
            for (const place of marks) {
              isPower(markOf(layout, place, step, words.decimal));
            }
          }
          for (const digits of [1, 2, 4, 15]) {
            isPower(words.size(largest, digits));
          }
        }
      }
    }
    const layout = layOut([0, 9.99e7], false);
    assert.deepEqual(
      [0, 0.5, 1, 2.5, 10, -10, 20].map((place) => markOf(layout, place, 0.5, words.decimal)),
      ["0", "5×10⁶", "10⁷", "2.5×10⁷", "10⁸", "-10⁸", "2.00×10⁸"],
    );
    assert.equal(words.size(99_999_999, 4), "10⁸");
    assert.equal(words.size(-9.99999e-5, 3), "-10⁻⁴");
  }
  const significant = (/** @type {number} */ value) => String(value);
  assert.equal(sizeText(1e300, 4, significant), "10³⁰⁰");
});

/** @param {string} text */
function isPower(text) {
  if (!text.includes("10") || !/[⁰¹²³⁴⁵⁶⁷⁸⁹]/.test(text)) {
    return;
  }
  const [, mantissa] = /^-?(?:(.*)×)?10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+$/.exec(text) ?? [null, "?"];
  assert.ok(mantissa === undefined || (Number(mantissa) > 1 && Number(mantissa) < 10), text);
}

// ---- The page -----------------------------------------------------------------------------------

/** What is told as it came: what a task was given, and what came of it; and what is an address, or
 * typed by a person. */
const DATA =
  "#results td:not(:nth-child(3)), #log span, #log time, #values-rows td:last-child, #values-about, #values .tip, #server, code, #join a, #join-url, #echo, #chat, " +
  "time, .details, [data-column=program], [data-column=id], [data-column=system], script, style, template, #new-job input";

/** All that is said on the page: texts, names and pictures. @param {Page} page */
function said(page) {
  return page.evaluate((data) => {
    /** @type {string[]} */
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.parentElement?.closest(data)) {
        found.push(node.textContent ?? "");
      }
    }
    for (const name of ["aria-label", "aria-valuetext", "title"]) {
      for (const each of document.querySelectorAll(`[${name}]`)) {
        if (!each.closest(data)) {
          found.push(each.getAttribute(name) ?? "");
        }
      }
    }
    // @ts-expect-error It is put there below.
    return [...found, .../** @type {string[]} */ (globalThis.painted)].filter((text) => /\d/.test(text));
  }, DATA);
}

test("every number on the page is written in the one way", async (t) => {
  const server = await Server.start(t);
  const large = ["--initial", "0..=99900000:99900", "--factor", "1", "--times", "1"];
  await server.run("submit", "repeat_multiply", ...large, "--name", "large");
  const browser = await Browser.start(t);
  const page = await browser.open("about:blank", { locale: "es-ES" });
  await page.addInitScript(() => {
    /** @type {string[]} */
    const painted = [];
    Object.assign(globalThis, { painted });
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
      painted.push(text);
      return /** @type {any} */ (fillText).call(this, text, ...rest);
    };
  });
  await page.goto(server.page);
  await page.locator('.job[data-job="1"][data-state="done"]').waitFor();
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  await until("much is computed", async () => numberIn(await page.locator("#result-count").textContent()) > 10_000);
  await page.locator('.job[data-job="1"] .job-choose').click();
  await page.locator("#new-job-open").click();
  await page.locator("#axis-times").fill("0..=2000000");
  await page.locator("#new-job-total").getByText("10,000,005").waitFor();
  await page.locator('#values[data-points="1000"]').waitFor();
  await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
  for (const language of /** @type {const} */ (["English", "Español"])) {
    // @ts-expect-error It was put there above.
    await page.evaluate(() => (globalThis.painted.length = 0));
    // What is off the screen is not drawn.
    await page.locator("#values").scrollIntoViewIfNeeded();
    await page.locator("#language").getByText(language).evaluate((/** @type {HTMLElement} */ button) => button.click());
    /** @type {string[]} */
    let texts = [];
    await until("the axes are drawn", async () => {
      texts = await said(page);
      return texts.includes("10⁸");
    });
    for (const text of texts) {
      // The clock's, and the names of jobs and codes.
      const rest = text.replaceAll(/\d\d?:\d\d(:\d\d)?|#\d+|(Job|Trabajo) \d+/g, "");
      for (const number of numbersOf(rest)) {
        assert.match(number, NUMBER, `${language}: ${text}`);
      }
    }
    assert.ok(texts.some((text) => /\d,\d{3}/.test(text)), "there are large ones");
    assert.deepEqual(texts.filter((text) => /\b10×|\b1×10/.test(text)), []);
  }
  await browser.close();
});
