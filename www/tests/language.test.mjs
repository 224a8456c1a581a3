// @ts-check
// The page speaks the language of its person, who can change it while the tab computes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  Browser,
  ENDLESS,
  PATIENCE_MS,
  Server,
  inState,
  numberIn,
  overflows,
  resultsSent,
  until,
  variable,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** Some of the words of each language: fixed ones, and what is drawn as it changes.
 * @type {Record<string, Record<string, RegExp>>} */
const SAID = {
  en: {
    "#tab-title": /^Your tab$/,
    "#pause": /^Pause$/,
    "#state-text": /^Connected$/,
    "#job": /^Job 1 “sweep”$/,
    "#speed": /^[\d,]+ tasks a second$/,
    "#server": /^Server ws:/,
    "#cores-text": /^1 of \d+ cores?$/,
    "#slots-summary": /^1 core, /,
    "#results th:first-child": /^Task$/,
  },
  es: {
    "#tab-title": /^Tu pestaña$/,
    "#pause": /^Pausar$/,
    "#state-text": /^Conectada$/,
    "#job": /^Trabajo 1 “sweep”$/,
    "#speed": /^[\d,]+ tareas por segundo$/,
    "#server": /^Servidor ws:/,
    "#cores-text": /^1 de \d+ núcleos?$/,
    "#slots-summary": /^1 núcleo/,
    "#results th:first-child": /^Tarea$/,
  },
};

/** @param {Page} page @param {"en" | "es"} language */
async function speaks(page, language) {
  assert.equal(await page.locator("html").getAttribute("lang"), language);
  for (const [selector, pattern] of Object.entries(SAID[language])) {
    assert.match((await page.locator(selector).textContent()) ?? "", pattern, selector);
  }
  const cores = page.locator("#cores");
  const text = await page.locator("#cores-text").textContent();
  assert.equal(await cores.getAttribute("aria-valuetext"), text);
  const pressed = await page.locator('#language button[aria-pressed="true"]').all();
  const names = await Promise.all(pressed.map((button) => button.getAttribute("lang")));
  assert.deepEqual(names, [language]);
}

/** @param {Page} page @param {"en" | "es"} language */
async function speaksSoon(page, language) {
  await page.locator(`html[lang="${language}"]`).waitFor();
  await page.locator("#job").getByText("sweep").waitFor();
  await speaks(page, language);
}

test("the language changes at once, under a tab that computes, and is remembered", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "sweep");
  const browser = await Browser.start(t);
  const context = await browser.browser.newContext({ locale: "es-MX" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(server.page);
  await page.locator("#cores").fill("1");
  await resultsSent(page, 2);
  await inState(page, "connected");
  await speaksSoon(page, "es");
  const [before] = await server.workers();
  const line = await page.locator("#log li").last().locator("span").textContent();
  assert.equal(line, "Conectando");

  // Whatever the state becomes, and every load, would be written down here.
  await page.evaluate(() => {
    const state = document.getElementById("state");
    const seen = /** @type {(string | undefined)[]} */ ([]);
    const watch = () => seen.push(state?.dataset.state);
    new MutationObserver(watch).observe(/** @type {Node} */ (state), { attributeFilter: ["data-state"] });
    Object.assign(globalThis, { seen });
  });
  await page.locator("#language").getByText("English").focus();
  // In one go, so that nothing is drawn between the press and the look.
  assert.deepEqual(
    await page.evaluate(() => {
      /** @type {HTMLElement} */ (document.activeElement).click();
      return ["tab-title", "state-text", "cores-text"].map(
        (id) => document.getElementById(id)?.textContent?.split(" ")[0],
      );
    }),
    ["Your", "Connected", "1"],
  );
  await speaks(page, "en");
  assert.equal(await page.locator("#log li").last().locator("span").textContent(), "Conectando");
  const count = numberIn(await page.locator("#result-count").textContent());
  await resultsSent(page, count + 1);
  // @ts-expect-error It was put there above.
  const seen = await page.evaluate(() => globalThis.seen);
  assert.deepEqual(new Set(seen), new Set(seen.length ? ["connected"] : []), "it stayed connected");
  const after = await server.workers();
  assert.deepEqual(after.map(({ id, address }) => [id, address]), [[before.id, before.address]]);

  // By the keyboard, and in the other tabs of this browser too.
  const other = await context.newPage();
  await other.goto(server.page);
  await other.locator('html[lang="en"]').waitFor();
  await other.locator("#language").getByText("Español").press("Enter");
  await speaksSoon(page, "es");
  assert.equal(await other.locator("#tab-title").textContent(), "Tu pestaña");
  await page.locator("#language").getByText("English").press("Space");
  await other.locator('html[lang="en"]').waitFor();
  await other.close();

  await page.reload();
  await resultsSent(page, 1);
  await speaksSoon(page, "en");
  const next = await context.newPage();
  await next.goto(server.page);
  await next.getByText("Your tab").waitFor();
  await browser.close();
});

test("a browser is spoken to in the first of its languages that there is", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const [locale, language, title] of /** @type {const} */ ([
    ["es-AR", "es", "Tu pestaña"],
    ["en-GB", "en", "Your tab"],
    ["fr-FR", "en", "Your tab"],
  ])) {
    const page = await browser.open(`${server.page}?auto=0`, { locale });
    await inState(page, "ready");
    assert.equal(await page.locator("html").getAttribute("lang"), language, locale);
    assert.equal(await page.locator("#tab-title").textContent(), title, locale);
  }
  await browser.close();
});

test("why a tab cannot compute is said in the language of the moment", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?server=nowhere`, { locale: "es-MX" });
  await inState(page, "failed");
  assert.match((await page.locator("#computing").textContent()) ?? "", /server=nowhere .* no es un/);
  await page.locator("#language").getByText("English").click();
  assert.match((await page.locator("#computing").textContent()) ?? "", /server=nowhere is no server/);
  // What has been written stays.
  assert.match((await page.locator("#log").textContent()) ?? "", /server=nowhere .* no es un/);
  await until("it is said once", async () => (await page.locator("#log li").count()) === 1);
  await browser.close();
});

test("Spanish, which is longer, fits on narrow screens", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const width of [360, 390, 1280]) {
      const viewport = { width, height: 860 };
      const page = await browser.open(server.page, { locale: "es-MX", colorScheme, viewport });
      await resultsSent(page, 1);
      const path = join(variable("TEQUIO_ARTIFACTS"), `page-es-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
      assert.equal(await overflows(page), false, `no sideways scrolling at ${width} px`);
    }
  }
  await browser.close();
});
