// @ts-check
// The rows of jobs on every width: whoever looks can tell one job from another, and press what is
// there; and those of jobs that wait for inputs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { TOKEN_KEY } from "../js/operator.js";
import { LANGUAGES } from "../js/strings.js";
import { violations } from "./axe.mjs";
import { Browser, ENDLESS, Server, overflows, until, variable } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

const TOKEN = "a-token-of-the-test";
/** The narrowest are phones with large letters, or windows beside another. */
const WIDTHS = [280, 300, 320, 340, 360, 375, 390, 399, 414, 480, 540, 600, 660, 671, 673, 690, 700, 710, 720, 768, 800, 860, 900, 1024, 1100, 1280, 1366, 1440, 1600];
const LONG = "a name that says much of what is computed here, and of what for ".repeat(3).trim();
/** What a name, or a number and what it is of, has of room at least, where it needs it. */
const ROOM_PX = 150;

/** @param {Server} server @param {string} path @param {string} [body] */
async function post(server, path, body = "") {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${server.page}${path}`, { method: "POST", headers, body });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** @param {number} count */
const inputs = (count) => '{"initial":1,"factor":1.5,"times":10}\n'.repeat(count);

/** @param {Server} server @param {string} name @param {string[]} grid */
const submit = (server, name, grid) =>
  server.run("submit", "repeat_multiply", ...grid, "--name", name, "--token", TOKEN);

/** A server with a job in each of its states. @param {import("node:test").TestContext} t */
async function serverWithJobs(t) {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  const short = ["--initial", "1", "--factor", "1", "--times", "0..20000"];
  for (const name of ["", LONG, "x".repeat(200), "short"]) {
    await submit(server, name, short);
  }
  const worker = spawn(server.program, ["work", server.page, "--slots", "1"], { stdio: "ignore" });
  t.after(() => worker.kill());
  await until("some are done", async () => (await server.job(4)).state === "done");
  for (const name of ["", LONG]) {
    await submit(server, name, ENDLESS);
  }
  await until("something of each is done", async () => (await server.job(5)).done + (await server.job(6)).done > 0);
  await post(server, "api/jobs/5/pause");
  await until("something of the other is done", async () => (await server.job(6)).done > 0);
  await post(server, "api/jobs/6/cancel");
  await submit(server, "x".repeat(60), ENDLESS);
  await post(server, `api/jobs?op=repeat_multiply&more=true&name=${encodeURIComponent(LONG)}`, inputs(12345));
  worker.kill();
  return server;
}

/** What is wrong with the rows as they are drawn now. @param {Page} page @param {number} room */
function faults(page, room) {
  return page.evaluate((room) => {
    /** @type {string[]} */
    const found = [];
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".job"))) {
      /** @param {string} name */
      const part = (name) => /** @type {HTMLElement} */ (row.querySelector(`.job-${name}`));
      const say = (/** @type {string} */ what) => found.push(`job ${row.dataset.job} (${row.dataset.state}): ${what}`);
      const style = getComputedStyle(row);
      const inner = row.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      // The swatch and the space beside it.
      const wanted = Math.min(room, inner - 28);
      for (const name of ["name", "about"]) {
        const { clientWidth } = part(name);
        const range = document.createRange();
        range.selectNodeContents(part(name));
        const text = range.getBoundingClientRect().width;
        if (clientWidth < Math.min(wanted, text) - 1) {
          say(`${name} has ${clientWidth} px of ${wanted}`);
        }
      }
      const called = part("called").getBoundingClientRect();
      if (called.width < wanted - 1) {
        say(`name and number have ${called.width} px of ${wanted}`);
      }
      const boxes = ["choose", "state", "do", "far", "facts", "bar"].map(part).filter((box) => box.offsetWidth > 0 && box.offsetHeight > 0);
      const frame = row.getBoundingClientRect();
      boxes.forEach((box, nth) => {
        const one = box.getBoundingClientRect();
        if (one.left < frame.left - 1 || one.right > frame.right + 1 || one.bottom > frame.bottom + 1) {
          say(`${box.className} is beyond its row`);
        }
        for (const other of boxes.slice(nth + 1)) {
          const two = other.getBoundingClientRect();
          const isBeside = one.right <= two.left + 1 || two.right <= one.left + 1;
          const isAbove = one.bottom <= two.top + 1 || two.bottom <= one.top + 1;
          if (!isBeside && !isAbove) {
            say(`${box.className} and ${other.className} lie on each other`);
          }
        }
      });
      for (const button of row.querySelectorAll("button:not([hidden]), a")) {
        const { right, width } = button.getBoundingClientRect();
        if (width > 0 && right > frame.right) {
          say(`${button.className} cannot be reached`);
        }
      }
    }
    return found;
  }, room);
}

test("at every width a job's name and number have room, in both languages, with buttons and without", async (t) => {
  const server = await serverWithJobs(t);
  const browser = await Browser.start(t);
  for (const token of [TOKEN, ""]) {
    const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
    await page.evaluate(([key, token]) => sessionStorage.setItem(key, token), [TOKEN_KEY, token]);
    await page.reload();
    await page.locator(token ? "#new-job-open" : "#operator-ask").waitFor();
    await page.locator('.job[data-job="8"]').waitFor();
    await page.locator("#jobs-all").press("Enter");
    await page.locator('.job[data-job="1"]').waitFor();
    // What is off the screen would not be laid out.
    await page.evaluate(() => {
      for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".job"))) {
        row.style.contentVisibility = "visible";
      }
    });
    assert.equal(await page.locator(".job").count(), 8);
    for (const language of /** @type {const} */ (["Español", "English"])) {
      await page.locator("#language").getByText(language).click();
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        assert.deepEqual(await faults(page, ROOM_PX), [], `${width} px, ${language}, token "${token}"`);
        assert.equal(await overflows(page), false, `no sideways scrolling at ${width} px`);
        if ([280, 360, 700, 1280].includes(width) && token) {
          const path = join(variable("TEQUIO_ARTIFACTS"), `job-rows-${language.slice(0, 2)}-${width}.png`);
          await page.locator("#jobs").screenshot({ path });
        }
      }
    }
    await page.context().close();
  }
  await browser.close();
});

test("an open job says that it waits for inputs, and is closed with what it has", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  await post(server, "api/jobs?op=repeat_multiply&more=true&name=mapped", inputs(3));
  await post(server, "api/jobs?op=repeat_multiply&more=true", inputs(1));
  await post(server, "api/jobs/2/cancel");
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US", bypassCSP: true });
  const row = page.locator('.job[data-job="1"]');
  const { en, es } = LANGUAGES;
  await row.locator(".job-open").getByText(en.jobs.open).waitFor();
  assert.equal(await row.locator(".job-progress").textContent(), "0 of 3 so far");
  // Guests see it, and cannot change it; one that is cancelled waits for nothing.
  await page.locator("#operator-ask").waitFor();
  assert.equal(await row.locator(".job-close").isVisible(), false);
  assert.equal(await page.locator('.job[data-job="2"] .job-open').textContent(), "");
  await page.evaluate(([key, token]) => sessionStorage.setItem(key, token), [TOKEN_KEY, TOKEN]);
  await page.reload();
  const button = page.getByRole("button", { name: "Close: Job 1 “mapped”" });
  await button.waitFor();
  assert.equal(await page.locator('.job[data-job="2"] .job-close').isVisible(), false);
  assert.deepEqual(await violations(page, ["#jobs"]), []);

  await page.locator("#language").getByText("Español").click();
  assert.equal(await row.locator(".job-open").textContent(), es.jobs.open);
  assert.equal(await row.locator(".job-close").textContent(), es.jobs.close);
  await page.locator("#language").getByText("English").click();
  await button.focus();
  await page.keyboard.press("Enter");
  await page.locator("#question-text").getByText("Close job 1 “mapped”?").waitFor();
  await page.getByText(en.jobs.question.close.means(0, 3)).waitFor();
  await page.keyboard.press("Escape");
  await until("it still waits", async () => (await server.job(1)).open);
  await page.keyboard.press("Enter");
  await page.locator("#question-yes").press("Enter");
  await row.locator(".job-close").waitFor({ state: "hidden" });
  assert.equal(await row.locator(".job-open").textContent(), "");
  assert.equal((await server.job(1)).open, false);
  assert.equal(await row.locator(".job-progress").textContent(), "0 of 3 (0 %)");
  // With what it has it comes to its end.
  const worker = spawn(server.program, ["work", server.page, "--slots", "1"], { stdio: "ignore" });
  t.after(() => worker.kill());
  await page.locator('.job[data-job="1"][data-state="done"]').waitFor();
  assert.equal(await row.locator(".job-progress").textContent(), "3 tasks");
  await browser.close();
});
