// @ts-check
// A tab that works for servers that nobody here wrote: well-behaved, talking rubbish, or falling
// over again and again.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser,
  NO_CONNECTION,
  Server,
  WELCOME,
  WELCOME_RESULT,
  coordinatorMemory,
  foreignServer,
  inState,
  resultsSent,
  until,
} from "./support.mjs";

/** Connections after which the browser has compiled and cached what it will. */
const WARM_UP = 100;

/** Connections that are lost after it, in hundreds. */
const HUNDREDS = 3;

/** What a hundred lost connections may leave behind. Measured after this warm-up: 1.6 KB as it is,
 * 20 KB where one of a socket's three listeners is kept, 56 KB where every socket is. The limit is
 * half of the smallest leak, and six times what is normal. */
const GROWN_BYTES_MAX = HUNDREDS * 10_000;

test("a classroom's server gets the five keys that it expects", async (t) => {
  const page = await Server.start(t, { args: ["--no-welcome"] });
  /** @type {string[]} */
  const answers = [];
  /** @type {string[]} */
  const paths = [];
  const classroom = await foreignServer(t, (socket, _, path) => {
    paths.push(path);
    socket.send(WELCOME);
    socket.on("message", (data) => answers.push(String(data)));
  });
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=${classroom.url}`);
  await until("the result comes", () => answers.length > 0);
  await resultsSent(tab, 1);
  const answer = JSON.parse(answers[0]);
  assert.deepEqual(Object.keys(answer), ["type", "task_id", "result", "duration_ms", "agent"]);
  assert.equal(String(answer.result), WELCOME_RESULT);
  assert.equal(answer.agent, await tab.evaluate(() => navigator.userAgent));
  assert.ok(answer.duration_ms >= 0);
  assert.deepEqual([answers.length, paths], [1, ["/"]]);
  await browser.close();
});

test("rubbish from a server is ignored or answered, and the tab goes on", async (t) => {
  const page = await Server.start(t, { args: ["--no-welcome"] });
  const ignored = ["", "no JSON", "[]", '{"type":"chat"}', WELCOME.replace("1000000}", "NaN}")];
  const refused = ["-1", "1.5", '"x"', "null"].map((times, index) =>
    WELCOME.replace('"task_id":1', `"task_id":${index + 10}`).replace("1000000}", `${times}}`),
  );
  /** @type {any[]} */
  const answers = [];
  const rude = await foreignServer(t, (socket) => {
    for (const frame of [...ignored, Buffer.from([1, 2, 3]), ...refused, " ".repeat(1_100_000)]) {
      socket.send(frame);
    }
    socket.send(WELCOME);
    socket.on("message", (data) => answers.push(JSON.parse(String(data))));
  });
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=${rude.url}`);
  await resultsSent(tab, 1);
  await until("everything is answered", () => answers.length === refused.length + 1);
  assert.deepEqual(
    answers.slice(0, -1).map(({ type, code, task_id }) => ({ type, code, task_id })),
    refused.map((_, index) => ({ type: "error", code: "bad_task", task_id: index + 10 })),
  );
  assert.equal(String(answers.at(-1).result), WELCOME_RESULT);
  const log = await tab.locator("#log").textContent();
  for (const said of ["Ignored a binary frame of 3 bytes", "times must be a whole number", "1100000"]) {
    assert.ok(log?.includes(said), said);
  }
  await browser.close();
});

test("a Tequio of another version, and leases that cannot be, are said to both sides", async (t) => {
  const page = await Server.start(t, { args: ["--no-welcome"] });
  const grid = { initial: 3, factor: 2, times: { from: 0, step: 1, count: 100000 } };
  const input = { initial: 3, factor: 2, times: 1 };
  /** @param {number} id @param {object} what */
  const lease = (id, what) =>
    JSON.stringify({
      ...{ type: "lease", lease: id, job: 1, op: "repeat_multiply", first: 0, deadline_ms: 10000 },
      ...what,
    });
  const bad = [
    lease(1, { op: "mine_bitcoin", count: 3, grid }),
    lease(2, { count: 70_000, grid }),
    lease(3, { count: 0, grid }),
    lease(4, { count: 3, inputs: [input, input] }),
    lease(5, { count: 1, grid: { ...grid, times: -1 } }),
    lease(6, { count: 1 }),
  ];
  /** @type {any[][]} */
  const heard = [[], []];
  const other = await foreignServer(t, (socket, connection) => {
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      heard[connection].push(message);
      if (message.type === "hello") {
        const protocol = connection === 0 ? 2 : 1;
        socket.send(JSON.stringify({ type: "welcome", protocol, worker_id: 7, heartbeat_s: 15 }));
        bad.forEach((frame) => socket.send(frame));
        socket.send(lease(7, { count: 3, grid }));
      }
    });
  });
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=${other.url}/ws`);
  await inState(tab, "failed");
  const said = await tab.locator("#log").textContent();
  assert.ok(said?.includes("of another version: it speaks protocol 2, this page 1"), said ?? "");
  await until("the server is told", () => heard[0].length === 2);
  assert.equal(heard[0][1].code, "unsupported_protocol");

  // It is another one now.
  await tab.locator("#retry-now").click();
  await resultsSent(tab, 3);
  await inState(tab, "connected");
  const refused = heard[1].filter(({ type }) => type === "error");
  assert.deepEqual(
    refused.map(({ code, lease }) => [code, lease]),
    bad.map((_, index) => ["bad_lease", index + 1]),
  );
  for (const word of ["mine_bitcoin", "65536", "70000", "2 inputs for 3 tasks", "times: -1"]) {
    assert.ok(refused.some(({ message }) => message.includes(word)), word);
    assert.ok((await tab.locator("#log").textContent())?.includes(word), `${word} in the page`);
  }
  await browser.close();
});

test("a socket that is shut at once is tried ever more seldom, and never given up", async (t) => {
  const page = await Server.start(t, { args: ["--no-welcome"] });
  /** @type {number[]} */
  const opened = [];
  const shutting = await foreignServer(t, (socket, connection) => {
    opened.push(performance.now());
    if (connection < 6) {
      socket.close(1013, "try again later");
    } else {
      socket.send(WELCOME);
    }
  });
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=${shutting.url}`);
  await resultsSent(tab, 1);
  await inState(tab, "connected");
  assert.equal(opened.length, 7);

  const delays = browser.console
    .map((line) => /❌ Closed: .*1013 try again later.*; next attempt in ([\d.]+) s/.exec(line)?.[1])
    .filter((delay) => delay !== undefined)
    .map(Number);
  assert.equal(delays.length, 6);
  delays.forEach((delay, index) => {
    assert.ok(delay <= Math.min(30, 0.5 * 2 ** index) + 0.05, `delay ${index}: ${delay} s`);
  });
  for (let index = 1; index < opened.length; index += 1) {
    // Less than the limit, which counts from the attempt: the first socket takes longest to open.
    assert.ok(opened[index] - opened[index - 1] > 100, "no two attempts in a moment");
  }
  await browser.close(NO_CONNECTION);
});

test("three hundred lost connections leave nothing behind", async (t) => {
  const page = await Server.start(t, { args: ["--no-welcome"] });
  const falling = await foreignServer(t, (socket, connection) => {
    socket.send(WELCOME);
    socket.on("message", () => {
      if (connection < WARM_UP + 100 * HUNDREDS) {
        socket.close(1012);
      }
    });
  });
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.page}?server=${falling.url}`);
  await resultsSent(tab, 1);
  const memory = await coordinatorMemory(tab);
  /** @param {number} count */
  const reconnected = (count) =>
    until(`it has connected ${count} times`, async () => {
      // Asking for "now" again and again: also that must be no storm, but one attempt at a time.
      await tab.evaluate(() => window.dispatchEvent(new Event("online")));
      return falling.connections() >= count;
    });
  await reconnected(WARM_UP);
  const before = await memory();
  for (let hundred = 1; hundred <= HUNDREDS; hundred += 1) {
    await reconnected(WARM_UP + 100 * hundred + 1);
  }
  await resultsSent(tab, WARM_UP + 100 * HUNDREDS + 1);
  await inState(tab, "connected");
  const grown = (await memory()) - before;
  assert.ok(
    grown < GROWN_BYTES_MAX,
    `${100 * HUNDREDS} connections later it holds ${grown} bytes more`,
  );
  assert.equal(tab.workers().length, 2, "one coordinator and one compute worker");
  assert.ok((await tab.locator("#results tbody tr").count()) <= 20);
  assert.ok((await tab.locator("#log li").count()) <= 200);
  await browser.close(NO_CONNECTION);
});
