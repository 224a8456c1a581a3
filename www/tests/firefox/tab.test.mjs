// @ts-check
// The main job in Firefox: a tab that opens the page computes, against the real server, and shows
// what everybody does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { native } from "../bits.mjs";
import { ENDLESS, Server } from "../support.mjs";
import { Firefox } from "./support.mjs";

const TASKS = 100_000;

test("a tab in Firefox computes a job as the native build does", async (t) => {
  const server = await Server.start(t);
  const firefox = await Firefox.start(t);
  const tab = await firefox.open(server.page);
  await tab.waitForSelector('#state[data-state="connected"]');
  await server.line(/\[#1\] result task_id=1 .* agent=Mozilla.* Firefox\//);
  const workers = await server.workers();
  assert.deepEqual(
    workers.map(({ id, path, refused }) => ({ id, path, refused })),
    [{ id: 1, path: "/ws", refused: 0 }],
  );

  const grid = ["--initial", "1", "--factor", "1.00000043", "--times", `1..=${TASKS}`];
  await server.run("submit", "repeat_multiply", ...grid, "--wait");
  const inputs = Array.from({ length: TASKS }, (_, index) => {
    return { initial: 1, factor: 1.00000043, times: index + 1 };
  });
  const right = native(inputs).map((result, index) => `{"index":${index},"result":${result}}`);
  const lines = (await server.run("results", "1")).trimEnd().split("\n");
  assert.equal(lines.length, TASKS);
  const wrong = lines.findIndex((line, index) => line !== right[index]);
  assert.equal(wrong, -1, `${lines[wrong]} is to be ${right[wrong]}`);
  await firefox.close();
});

test("a tab in Firefox shows everybody's work", async (t) => {
  const server = await Server.start(t);
  const firefox = await Firefox.start(t);
  const tab = await firefox.open(server.page);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  for (const part of [
    '.job[data-job="1"][data-state="running"]',
    "#throughput-chart canvas",
    "#stream-canvas",
    "#values canvas",
  ]) {
    await tab.waitForSelector(part, { visible: true });
  }
  // What the panels say that they have drawn.
  await tab.waitForFunction(() => {
    const [throughput, stream, values] = ["throughput", "stream", "values"].map(
      (id) => document.getElementById(id)?.dataset,
    );
    return Number(throughput?.now) > 0 && Number(stream?.bars) > 0 && Number(values?.points) > 0;
  });
  await firefox.close();
});
