// @ts-check
// Jobs, computed by tabs: a million tasks and more while tabs are closed, a native worker is killed
// and the server is killed and started again; results are those of the native build, to the bit.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { native } from "./bits.mjs";
import {
  Browser,
  NO_CONNECTION,
  Server,
  folder,
  inState,
  numberIn,
  resultsSent,
  until,
  variable,
} from "./support.mjs";

/** Enough for something to happen in the middle, however fast the tabs are. */
const TASKS = 10_000_000;
/** How many of them are compared at once. */
const BLOCK = 500_000;
const GRID = ["--initial", "1", "--factor", "1.00000043", "--times", `1..=${TASKS}`];

/** Runs a command of the real binary against a server.
 * @param {Server} server @param {string[]} args */
const tequio = (server, ...args) =>
  execFileSync(variable("TEQUIO_BIN"), args, {
    env: { ...process.env, TEQUIO_URL: server.page },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });

/** Starts such a command, which is killed when the test ends.
 * @param {import("node:test").TestContext} t @param {Server} server @param {string[]} args */
function start(t, server, ...args) {
  const child = spawn(variable("TEQUIO_BIN"), args, {
    env: { ...process.env, TEQUIO_URL: server.page },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  return { child, ended };
}

/** @param {Server} server @param {number} id @param {number} count */
const done = (server, id, count) =>
  until(`${count} tasks of job ${id} are done`, async () => {
    const job = await server.job(id);
    return job.done >= count ? job : undefined;
  });

/** The lines that the native build gives for a block of tasks from `first`. @param {number} first */
function expected(first) {
  const inputs = Array.from({ length: BLOCK }, (_, index) => {
    return { initial: 1, factor: 1.00000043, times: first + index + 1 };
  });
  return native(inputs).map((result, index) => `{"index":${first + index},"result":${result}}`);
}

test("a job ends right while tabs, workers and the server come and go", async (t) => {
  const data = folder(t);
  let server = await Server.start(t, { args: ["--data", data] });
  const { port } = server;
  const browser = await Browser.start(t);
  const [first, second] = await Promise.all([1, 2].map(() => browser.open(server.page)));
  await Promise.all([first, second].map((tab) => resultsSent(tab, 1)));
  const worker = start(t, server, "work");
  const submitted = start(t, server, "submit", "repeat_multiply", ...GRID, "--wait");

  await done(server, 1, TASKS / 10);
  await first.close();
  await done(server, 1, (2 * TASKS) / 10);
  worker.child.kill("SIGKILL");
  const before = await done(server, 1, (3 * TASKS) / 10);
  assert.equal(before.state, "running", "the server is killed in the middle");
  await server.kill();

  server = await Server.start(t, { port, args: ["--data", data] });
  const after = await done(server, 1, 0);
  assert.ok(after.done >= before.done, "what was reported is there");
  const [code] = await submitted.ended;
  assert.equal(code, 0, "every task has a result");
  for (let first = 0; first < TASKS; first += BLOCK) {
    const block = ["--first", `${first}`, "--count", `${BLOCK}`];
    const lines = tequio(server, "results", "1", ...block).trimEnd().split("\n");
    const right = expected(first);
    assert.equal(lines.length, BLOCK);
    const wrong = lines.findIndex((line, index) => line !== right[index]);
    assert.equal(wrong, -1, `${lines[wrong]} is to be ${right[wrong]}`);
  }
  assert.equal(tequio(server, "results", "1", "--first", `${TASKS}`), "");

  await inState(second, "connected");
  assert.ok(numberIn(await second.locator("#result-count").textContent()) > 1);
  await browser.close(NO_CONNECTION);
});

test("a tab computes a grid and lines alike, and shows what it does", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  // By the page's address, as it may be named from a page of another server.
  const other = await Server.start(t, { args: ["--no-welcome"] });
  const tab = await browser.open(`${other.page}?server=${server.page}`);
  await resultsSent(tab, 1);
  const workers = await server.workers();
  assert.deepEqual([workers[0].path, workers[0].slots], ["/ws", 1]);

  const grid = ["--initial", "-1,2.5", "--factor", "0..=1:0.25", "--times", "0..100"];
  tequio(server, "submit", "repeat_multiply", ...grid, "--wait");
  const lines = Array.from({ length: 2 * 5 * 100 }, (_, index) => {
    const [initial, factor] = [[-1, 2.5][Math.floor(index / 500)], Math.floor(index / 100) % 5];
    return `{"initial":${initial},"factor":${factor / 4},"times":${index % 100}}\n`;
  });
  const mapped = execFileSync(variable("TEQUIO_BIN"), ["map", "repeat_multiply"], {
    env: { ...process.env, TEQUIO_URL: server.page },
    input: lines.join(""),
    encoding: "utf8",
  });
  const unnumbered = mapped.replaceAll(/"line":\d+,/g, "");
  assert.equal(tequio(server, "results", "1"), unnumbered);
  assert.ok(mapped.startsWith('{"index":0,"line":1,"result":'), mapped.slice(0, 80));
  assert.equal(mapped.split("\n").length, 1001);

  await resultsSent(tab, 2001);
  const cells = await tab.locator("#results tbody tr").first().locator("td").allTextContents();
  assert.match(cells[0], /^2\/999$/);
  assert.equal(cells[3], "2.5 × 1^99");
  await tab.screenshot({ path: join(variable("TEQUIO_ARTIFACTS"), "page-job.png") });
  await browser.close();
});
