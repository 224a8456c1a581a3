// @ts-check
// Kernels: the same outcomes in Firefox as outside of browsers, and so as in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { computesKernelsAlike } from "../kernels.mjs";
import { Server } from "../support.mjs";
import { Firefox } from "./support.mjs";

test("Firefox computes kernels as they are computed outside of browsers", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const firefox = await Firefox.start(t);
  const page = await firefox.open(`${server.page}?auto=0`);
  await computesKernelsAlike((run, cases) => page.evaluate(run, cases));
  await firefox.close();
});

test("a kernel's job is computed in Firefox to what it gives elsewhere", async (t) => {
  const server = await Server.start(t);
  const firefox = await Firefox.start(t);
  await firefox.open(server.page);
  const results = (await server.run("run", "mandelbrot", "re=-2..=1:0.5", "im=0")).trim().split("\n");
  assert.deepEqual(results.map((line) => JSON.parse(line).result), [1000, 1000, 1000, 1000, 1000, 5, 3]);
  await firefox.close();
});
