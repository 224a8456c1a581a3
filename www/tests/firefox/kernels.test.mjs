// @ts-check
// Kernels: the same outcomes in Firefox as outside of browsers, and so as in Chromium.

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
