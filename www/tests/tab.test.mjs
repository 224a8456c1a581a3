// @ts-check
// The main job: tabs that open the page compute, against the real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { violations } from "./axe.mjs";
import {
  Browser,
  NO_CONNECTION,
  Server,
  WELCOME_RESULT,
  inState,
  overflows,
  resultsSent,
  until,
  variable,
} from "./support.mjs";

test("three tabs give three results over three connections", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const tabs = await Promise.all([1, 2, 3].map(() => browser.open(server.page)));
  await Promise.all(tabs.map((tab) => resultsSent(tab, 1)));
  const agent = await tabs[0].evaluate(() => navigator.userAgent);
  assert.match(agent, /Mozilla\/5\.0/);

  for (const id of [1, 2, 3]) {
    const line = await server.line(new RegExp(`\\[#${id}\\] result `));
    assert.ok(line.includes(`result task_id=1 result=${WELCOME_RESULT} duration_ms=`), line);
    assert.ok(line.endsWith(` agent=${agent}`), line);
  }
  const workers = await server.workers();
  assert.deepEqual(
    workers.map(({ id, path, results, refused }) => ({ id, path, results, refused })),
    [1, 2, 3].map((id) => ({ id, path: "/ws", results: 1, refused: 0 })),
  );
  assert.equal(new Set(workers.map((worker) => worker.address)).size, 3);

  const cells = await tabs[0].locator("#results tbody td").allTextContents();
  assert.deepEqual(cells.slice(0, 2), ["1", WELCOME_RESULT]);
  assert.equal(cells[3], "1.0000054 × 1.00000043^1000000");
  for (const said of ["✅ Connected", "🧮 Task received", "📤 Result sent"]) {
    assert.equal(browser.console.filter((line) => line.startsWith(said)).length, 3, said);
  }

  await tabs[1].close();
  await server.line(/#\d disconnected \(1001 going away\)/);
  await server.line(/Connected \(2\): /);
  await browser.close();
});

test("tabs come back by themselves when the server is killed and started again", async (t) => {
  const first = await Server.start(t);
  const browser = await Browser.start(t);
  const tabs = await Promise.all([1, 2, 3].map(() => browser.open(first.page)));
  await Promise.all(tabs.map((tab) => resultsSent(tab, 1)));
  // The form is loaded last: of a file that is under way the browser would say that it cannot be had.
  await Promise.all(tabs.map((tab) => tab.locator("#new-op option").first().waitFor({ state: "attached" })));
  await first.kill();
  await Promise.all(tabs.map((tab) => inState(tab, "waiting")));

  const second = await Server.start(t, { port: first.port });
  await Promise.all(tabs.map((tab) => resultsSent(tab, 2)));
  const workers = await second.workers();
  assert.deepEqual(
    workers.map((worker) => worker.results),
    [1, 1, 1],
  );
  for (const said of ["❌ Closed", "🔄 Reconnecting"]) {
    assert.ok(browser.console.some((line) => line.startsWith(said)), said);
  }
  await browser.close(NO_CONNECTION);
});

test("a server that is not there yet is waited for, and tried at once when asked", async (t) => {
  const placeholder = await Server.start(t);
  const page = await Server.start(t);
  await placeholder.kill();
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=ws://127.0.0.1:${placeholder.port}`);

  // A delay long enough for a click, which the backoff gives after a few attempts.
  const attempts = () => browser.console.filter((line) => line.startsWith("🔄")).length;
  await until("the next attempt is seconds away", async () => {
    const text = await tab.locator("#countdown").textContent();
    return (await tab.locator("#retry").isVisible()) && /in ([4-9]|\d\d) s/.test(text ?? "");
  });
  const before = attempts();
  await tab.locator("#retry-now").click();
  await until("it was tried at once", () => attempts() === before + 1);

  const server = await Server.start(t, { port: placeholder.port });
  await resultsSent(tab, 1);
  await inState(tab, "connected");
  await browser.close(NO_CONNECTION);
  await server.kill();
});

test("a server's address that is none is said in the page", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const bad of ["nowhere", "ftp://127.0.0.1", "<img src=x onerror=alert(1)>"]) {
    const tab = await browser.open(`${server.page}?server=${encodeURIComponent(bad)}`);
    await inState(tab, "failed");
    const said = await tab.locator("#computing").textContent();
    assert.ok(said?.includes(`server=${bad} is no server`), said ?? "");
  }
  await browser.close();
});

test("the page is accessible, and looks as it should, by day and by night", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const width of [360, 390, 1280]) {
      // The policy of the page forbids foreign scripts, axe's included.
      const tab = await browser.open(server.page, {
        colorScheme,
        bypassCSP: true,
        viewport: { width, height: 860 },
      });
      await resultsSent(tab, 1);
      await tab.screenshot({
        path: join(variable("TEQUIO_ARTIFACTS"), `page-${colorScheme}-${width}.png`),
        fullPage: true,
      });
      assert.equal(await overflows(tab), false, `no sideways scrolling at ${width} px`);
      assert.deepEqual(await violations(tab), [], `${colorScheme}, ${width} px`);
    }
  }
  await browser.close();
});
