// @ts-check
// Tasks that hang and trap: with a page and a server that know the op `misbehave`, which no binary
// that people get does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, inState, staticServer, until, variable } from "./support.mjs";

/** The factors with which the op never ends, and traps (`protocol/src/op.rs`). */
const [ENDLESS, TRAP] = [-1, -2];

/** A server and a tab that know the op.
 * @param {import("node:test").TestContext} t @param {number} cores */
async function troubled(t, cores) {
  const server = await Server.start(t, { program: variable("TEQUIO_TEST_OPS_BIN") });
  const page = await staticServer(t, variable("TEQUIO_TEST_OPS_PAGE"));
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.url}?server=${server.page}`, {}, (tab) =>
    tab.addInitScript((count) => {
      Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => count + 1 });
    }, cores),
  );
  await inState(tab, "connected");
  return { server, browser, tab };
}

test("a slot in an endless task is replaced, and the others never notice", async (t) => {
  const { server, browser, tab } = await troubled(t, 2);
  await server.run("submit", "misbehave", "--initial", "1", "--factor", `${ENDLESS}`, "--times", "1");
  await until("a slot is at it", async () => (await server.job(1)).leased === 1);
  // The other slot does all of this meanwhile.
  const ordinary = ["--initial", "3", "--factor", "2", "--times", "0..=2"];
  const log = () => tab.locator("#log").textContent();
  let others = 0;
  while (!(await log())?.includes("Task 0 of job 1 failed: it had not ended after 10 s")) {
    others += 1;
    await server.run("submit", "repeat_multiply", ...ordinary, "--wait");
  }
  assert.ok(others > 1, "jobs came and went while a slot hung");
  await server.line(/task failed: it had not ended after 10 s/);

  // One coordinator, one slot that is well, and one that was replaced: for the task is tried again.
  await until("it is tried again", async () => (await server.job(1)).leased === 1);
  await until("there are three again", () => tab.workers().length === 3);
  await server.run("cancel", "1");
  // Its end is not waited for: the slot is free for what comes.
  await until("both slots compute", async () => {
    await server.run("submit", "repeat_multiply", ...ordinary, "--wait");
    const idle = await tab.locator('#slots [data-state="idle"]').count();
    return idle === 2;
  });
  const [worker] = await server.workers();
  assert.deepEqual([worker.id, worker.refused, worker.slots], [1, 0, 2], "it was there all along");
  await browser.close();
});

test("a task that traps fails for itself alone, and its slot is replaced", async (t) => {
  const { server, browser, tab } = await troubled(t, 1);
  const factors = `1,2,3,${TRAP},5`;
  const grid = ["--initial", "3", "--factor", factors, "--times", "0..=3"];
  await assert.rejects(server.run("submit", "misbehave", ...grid, "--wait"), "not all have a result");
  const lines = (await server.run("results", "1")).trimEnd().split("\n");
  assert.equal(lines.length, 20);
  const failed = lines.flatMap((line, index) => (line.includes('"error"') ? [index] : []));
  assert.deepEqual(failed, [12, 13, 14, 15], "the four with the factor that traps");
  assert.match(lines[12], /unreachable/);
  assert.equal(lines[7], '{"index":7,"result":24.0}');
  // The slot's next program is started when there is something for it.
  await server.run("submit", "repeat_multiply", ...grid.with(3, "2"), "--wait");
  assert.equal(tab.workers().length, 2);
  const [worker] = await server.workers();
  assert.deepEqual([worker.id, worker.refused], [1, 0]);
  await browser.close(/panicked|unreachable/);
});

test("what people get knows no op that misbehaves", async (t) => {
  const server = await Server.start(t);
  const grid = ["--initial", "3", "--factor", "2", "--times", "1"];
  await assert.rejects(server.run("submit", "misbehave", ...grid), /misbehave/);
});
