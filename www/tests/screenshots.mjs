// @ts-check
// Takes the README's pictures: everybody's work on a real server, by day and by night.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { OwnBrowser } from "./own-browser.mjs";
import { Server, until } from "./support.mjs";

/** What a screen of a desk shows at once. */
const METRICS = { width: 1920, height: 1290, deviceScaleFactor: 1, mobile: false };

/** Long enough for several jobs to have been computed. */
const WORK_MS = 40_000;

const TOKEN = "screenshots";

test("screenshots", async (t) => {
  const outside = ["--allow-origin", "http://tequio.lab:8765", "--operator-token", TOKEN];
  const server = await Server.start(t, { args: ["--demo", ...outside] });
  const worker = spawn(server.program, ["work", server.page, "--slots", "1"], { stdio: "ignore" });
  t.after(() => worker.kill());
  const browser = await OwnBrowser.start(t);
  await browser.open(server.page, { cores: 3 });
  const tab = await browser.open(server.page, { cores: 4 });
  await tab.evaluate((token) => sessionStorage.setItem("tequio-operator", token), TOKEN);
  await tab.ask("Emulation.setDeviceMetricsOverride", METRICS);
  await tab.ask("Emulation.setScrollbarsHidden", { hidden: true });
  await tab.ask("Page.reload");
  await new Promise((resolve) => setTimeout(resolve, WORK_MS));
  await until("results are drawn", () =>
    tab.evaluate(() => Number(document.getElementById("values")?.dataset.points) > 300),
  );
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
