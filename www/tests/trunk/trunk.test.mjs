// @ts-check
// The page as trunk gives it: the same files, and under `trunk serve` the server behind a proxy.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Browser, Server, WELCOME_RESULT, resultsSent, variable } from "../support.mjs";

/** Trunk builds the worker first, on a cold machine from nothing. */
const BUILD_MS_MAX = 15 * 60_000;

const root = new URL("../../../", import.meta.url);

/** @param {string} folder */
const filesIn = (folder) =>
  readdirSync(new URL(folder, root), { recursive: true })
    .map(String)
    .filter((name) => !name.endsWith(".d.ts"))
    .sort();

test("trunk build leaves the files that the server carries", () => {
  execFileSync(variable("TRUNK"), ["build", "--skip-version-check"], { cwd: root });
  assert.deepEqual(filesIn("dist"), filesIn("target/page"));
});

test("a tab under trunk serve computes for a server behind the proxy", async (t) => {
  await Server.start(t, { port: 8765 });
  const child = spawn(variable("TRUNK"), ["serve", "--skip-version-check"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "true" },
  });
  const trunk = new Server(child, "trunk");
  t.after(async () => {
    child.kill("SIGINT");
    await trunk.ended;
  });
  const deadline = performance.now() + BUILD_MS_MAX;
  const isUp = () => trunk.lines.some((line) => /server listening/.test(line));
  while (!isUp() && performance.now() < deadline && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(isUp(), `trunk is up:\n${trunk.lines.join("\n")}`);

  const browser = await Browser.start(t);
  const tab = await browser.open("http://127.0.0.1:8080/");
  await resultsSent(tab, 1);
  assert.ok((await tab.locator("#results").textContent())?.includes(WELCOME_RESULT));
  const workers = await (await fetch("http://127.0.0.1:8080/api/workers")).json();
  assert.equal(workers.length, 1);
  assert.equal(workers[0].path, "/ws");
  assert.equal((await (await fetch("http://127.0.0.1:8080/healthz")).json()).status, "ok");
  await browser.close();
});
