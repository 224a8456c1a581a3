// @ts-check
// Panels as they are looked at: on every screen, by day and by night, in both languages.

import assert from "node:assert/strict";
import { join } from "node:path";
import { violations } from "./axe.mjs";
import { overflows, until, variable } from "./support.mjs";

/** Widths in pixels, each with the button of a language. */
const SCREENS = /** @type {const} */ ([
  [390, "Español"],
  [1280, "English"],
  [2560, "Español"],
]);

/** The page fits each screen, axe finds nothing wrong with its panels, and a picture of each is left
 * to be looked at. @param {import("playwright-core").Page} page @param {string[]} panels Their ids. */
export async function areFineOnEveryScreen(page, panels) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const [width, language] of SCREENS) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.locator("#language").getByText(language).click();
      await until(`it fits ${width} px`, async () => !(await overflows(page)));
      for (const panel of panels) {
        const path = join(variable("TEQUIO_ARTIFACTS"), `${panel}-${colorScheme}-${width}.png`);
        await page.locator(`#${panel}`).screenshot({ path });
      }
      const parts = panels.map((panel) => `#${panel}`);
      const found = await violations(page, parts);
      assert.deepEqual(found, [], `${colorScheme}, ${width} px`);
    }
  }
}
