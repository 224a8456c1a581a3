// @ts-check
// A link that names another server: nothing is connected there before the tab's person has said so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LANGUAGES } from "../js/strings.js";
import { violations } from "./axe.mjs";
import { Browser, Server, WELCOME, foreignServer, inState, shows, until } from "./support.mjs";

const { en, es } = LANGUAGES;

/** The name of the other server, which is none of this machine's. */
const OTHER = "lab.example";

/** The page's server, another one that counts its connections, and a browser that finds both.
 * @param {import("node:test").TestContext} t */
async function setUp(t) {
  const own = await Server.start(t, { args: ["--no-welcome"] });
  /** @type {string[]} */
  const answers = [];
  const other = await foreignServer(t, (socket) => {
    socket.send(WELCOME);
    socket.on("message", (data) => answers.push(String(data)));
  });
  const url = other.url.replace("127.0.0.1", OTHER);
  const browser = await Browser.start(t, [`--host-resolver-rules=MAP ${OTHER} 127.0.0.1`]);
  return { own, other, answers, browser, host: new URL(url).host, link: `${own.page}?server=${url}` };
}

/** @param {import("playwright-core").Page} page */
async function isAsked(page) {
  await page.locator("#question[open]").waitFor();
}

test("a link to another server asks first, and once", async (t) => {
  const { own, other, answers, browser, host, link } = await setUp(t);
  const context = await browser.browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(link);
  await isAsked(page);
  const question = page.getByRole("dialog", { name: en.otherServer.text(host) });
  assert.match((await question.textContent()) ?? "", /is not the one that the page comes from/);
  assert.deepEqual(await violations(page, ["#question"]), []);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "question-no");

  // It can be put off with the keyboard, and is asked again by Start.
  await page.keyboard.press("Escape");
  await page.locator("#question").waitFor({ state: "hidden" });
  await inState(page, "ready");
  assert.equal(await page.locator("#echo").isHidden(), true, "its echo is connected to as well");
  await page.locator("#start").press("Enter");
  await isAsked(page);
  assert.equal(other.connections(), 0);

  // In the other language as well.
  await page.keyboard.press("Escape");
  await page.locator("#language [lang=es]").click();
  await page.locator("#start").press("Enter");
  await page.getByRole("dialog", { name: es.otherServer.text(host) }).waitFor();
  assert.equal(other.connections(), 0);

  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "question-yes");
  await page.keyboard.press("Enter");
  await until("the other server has a result", () => answers.length > 0);
  await page.locator("#echo").waitFor();
  assert.deepEqual(await own.workers(), []);

  // The next tab of the browser is not asked, nor this one when it is loaded again.
  await page.reload();
  await until("it is connected again", () => answers.length > 1);
  const next = await context.newPage();
  await next.goto(link);
  await until("the next tab is connected", () => answers.length > 2);
  assert.equal(await next.locator("#question").isHidden(), true);
});

test("who does not want another server computes for the page's own", async (t) => {
  const { own, other, browser, link } = await setUp(t);
  const page = await browser.open(`${link}&x=1`);
  await isAsked(page);
  await page.keyboard.press("Enter");
  await inState(page, "connected");
  assert.equal(page.url(), `${own.page}?x=1`);
  await until("its own server has it", async () => (await own.workers()).length === 1);
  assert.equal(other.connections(), 0);

  // No word of it is kept: the link asks again.
  await page.goto(link);
  await isAsked(page);
  assert.equal(other.connections(), 0);
  await browser.close();
});

test("a tab that was paused before is asked all the same", async (t) => {
  const { other, browser, link, own } = await setUp(t);
  const page = await browser.open(own.page);
  await inState(page, "connected");
  await page.locator("#pause").click();
  await inState(page, "paused");
  await page.goto(link);
  await isAsked(page);
  await page.locator("#question-yes").click();
  await until("the other server is connected", () => other.connections() > 0);
  await shows(page, "server", /lab\.example/);
  await browser.close();
});
