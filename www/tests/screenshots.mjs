// @ts-check
// Takes the README's pictures: a tab at work for a real server, by day and by night.

import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { OwnBrowser } from "./own-browser.mjs";
import { Server } from "./support.mjs";

test("screenshots", async (t) => {
  const server = await Server.start(t);
  const browser = await OwnBrowser.start(t);
  const grid = ["--initial", "1,2.5", "--factor", "1.00000043", "--times", "0..1000000000"];
  await server.run("submit", "repeat_multiply", ...grid, "--name", "growth");
  const tab = await browser.open(server.page, { cores: 4 });
  await tab.slide("cores", 3);
  await tab.slide("share", 75);
  await tab.resultsSent(10_000_000);
  const metrics = { width: 1000, height: 745, deviceScaleFactor: 1.5, mobile: false };
  await tab.ask("Emulation.setDeviceMetricsOverride", metrics);
  await tab.ask("Emulation.setScrollbarsHidden", { hidden: true });
  for (const value of ["light", "dark"]) {
    const features = [{ name: "prefers-color-scheme", value }];
    await tab.ask("Emulation.setEmulatedMedia", { features });
    // The page draws what it counts twice a second.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { data } = await tab.ask("Page.captureScreenshot", { format: "png" });
    const path = new URL(`../../docs/page-${value}.png`, import.meta.url).pathname;
    writeFileSync(path, Buffer.from(data, "base64"));
  }
});
