// @ts-check
// What axe finds in a page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Every rule that something in the page breaks, and what breaks it. The page's context must have
 * been opened with `bypassCSP`, since its policy forbids foreign scripts.
 * @param {import("playwright-core").Page} page @param {string[]} [selectors] Parts of the page.
 * @returns {Promise<string[]>} */
export async function violations(page, selectors = ["html"]) {
  if (!(await page.evaluate(() => "axe" in window))) {
    await page.evaluate(readFileSync(AXE, "utf8"));
  }
  return page.evaluate(async (selectors) => {
    // @ts-expect-error axe was put into the page above.
    const { violations } = await window.axe.run({ include: selectors.map((one) => [one]) });
    return violations.map(
      (/** @type {{ id: string, nodes: { html: string }[] }} */ found) =>
        `${found.id}: ${found.nodes.map((node) => node.html).join(", ")}`,
    );
  }, selectors);
}
