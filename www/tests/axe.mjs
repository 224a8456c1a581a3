// @ts-check
// What axe finds in a page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Every rule that something in the page breaks, and what breaks it. The page's context must have
 * been opened with `bypassCSP`, since its policy forbids foreign scripts.
 * @param {import("playwright-core").Page} page @param {string} [selector] A part of the page.
 * @returns {Promise<string[]>} */
export async function violations(page, selector = "html") {
  await page.evaluate(readFileSync(AXE, "utf8"));
  return page.evaluate(async (selector) => {
    // @ts-expect-error axe was put into the page above.
    const { violations } = await window.axe.run(selector);
    return violations.map(
      (/** @type {{ id: string, nodes: { html: string }[] }} */ found) =>
        `${found.id}: ${found.nodes.map((node) => node.html).join(", ")}`,
    );
  }, selector);
}
