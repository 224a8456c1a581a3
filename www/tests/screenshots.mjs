// @ts-check
// Takes the README's pictures: the page of a real server, by day and by night.

import { test } from "node:test";
import { Browser, Server, inState, resultsSent } from "./support.mjs";

test("screenshots", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const tab = await browser.open(server.page, {
      colorScheme,
      viewport: { width: 1000, height: 700 },
      deviceScaleFactor: 1.5,
    });
    await resultsSent(tab, 1);
    await inState(tab, "connected");
    const path = new URL(`../../docs/page-${colorScheme}.png`, import.meta.url).pathname;
    await tab.screenshot({ path });
  }
  await browser.close();
});
