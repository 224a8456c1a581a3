// @ts-check
// How the page begins: in browsers that are not of today, where it cannot, and anew with a server that
// was.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, NO_CONNECTION, Server, inState, until } from "./support.mjs";

test("a browser that lacks what is only a convenience computes all the same", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, (page) =>
    page.addInitScript(() => {
      Reflect.deleteProperty(URL, "canParse");
      Reflect.deleteProperty(URL, "parse");
    }),
  );
  await inState(page, "connected");
  assert.equal(await page.locator("#unstarted").count(), 0);
  await browser.close();
});

test("a page whose script does not begin says so, in both languages", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, (page) =>
    page.route("**/js/main.js", (route) => route.abort()),
  );
  await until("it says so", () =>
    page.locator("#unstarted").evaluate((said) => getComputedStyle(said).opacity === "1"),
  );
  const said = await page.locator("#unstarted").innerText();
  assert.match(said, /Tequio has not started\.[^]*Tequio no ha arrancado\./);
  await browser.close(/net::ERR_FAILED/);
});

test("a server that was started anew has other jobs by the same numbers", async (t) => {
  const endless = ["--initial", "1", "--factor", "1.00000043", "--times", "0..1000000000"];
  const first = await Server.start(t);
  await first.run("submit", "repeat_multiply", ...endless, "--name", "before");
  await first.run("submit", "repeat_multiply", ...endless, "--name", "chosen");
  const browser = await Browser.start(t);
  const page = await browser.open(first.page);
  await page.locator("#job").getByText("before").waitFor();
  await page.locator('[data-job="2"] .job-choose').press("Enter");
  await page.locator("#values-job").getByText("chosen").waitFor();
  await first.kill();

  const second = await Server.start(t, { port: first.port });
  await second.run("submit", "repeat_multiply", ...endless, "--name", "after");
  await page.locator("#jobs").getByText("after").waitFor();
  await page.locator("#job").getByText("after").waitFor();
  await page.locator("#values-job").getByText("after").waitFor();
  // A panel a frame.
  await until("nothing is left of before", async () => (await page.getByText("before").count()) === 0);
  // Before the page is told of it, it may ask for what was.
  const gone = /status of 404 .*\/api\/jobs\/2/;
  await browser.close(new RegExp(`${NO_CONNECTION.source}|${gone.source}`));
});
