// @ts-check
// The page as trunk gives it, in a fresh clone: the same files as the server carries, and under
// `trunk serve` the server behind a proxy, and a page that follows what is edited.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser, Server, WELCOME_RESULT, resultsSent, until, variable } from "../support.mjs";

/** Trunk builds the worker first, on a cold machine from nothing. */
const BUILD_MS_MAX = 15 * 60_000;
/** After an edit it builds little of it again. */
const REBUILD_MS_MAX = 2 * 60_000;

/** Long enough to see that trunk does not build again, least of all because of what it built. */
const QUIET_MS = 2_000;

const root = fileURLToPath(new URL("../../../", import.meta.url));
const clone = mkdtempSync(join(tmpdir(), "tequio-trunk-"));
after(() => rmSync(clone, { recursive: true, force: true }));

// What a fresh clone would hold, files included that are not committed yet, and nothing else.
const listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
for (const name of execFileSync("git", listed, { cwd: root, encoding: "utf8" }).split("\0")) {
  if (name && existsSync(join(root, name))) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    copyFileSync(join(root, name), join(clone, name));
  }
}

/** Trunk, started in the clone. What it builds from is no file of the repository, so it has a
 * target folder of its own: there the next build of the repository cannot take it for its own. */
const inClone = {
  cwd: clone,
  env: { ...process.env, CARGO_TARGET_DIR: variable("TEQUIO_TRUNK_TARGET"), NO_COLOR: "true" },
};

/** @param {string} folder */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => !name.endsWith(".d.ts"))
    .sort();

/** What the server carries within another file: `xtask/src/minify.rs` names it. @param {string} name */
const isPart = (name) => /^css(\/|$)/.test(name) || /^js\/strings\/e[ns]\.js$/.test(name);

/** What the server carries beside the page, and no page loads: the example kernels. @param {string} name */
const isBeside = (name) => /^examples(\/|$)/.test(name);

test("trunk build leaves the files that the server carries", () => {
  execFileSync(variable("TRUNK"), ["build", "--skip-version-check"], inClone);
  const [parts, files] = [true, false].map((wanted) =>
    filesIn(join(clone, "dist")).filter((name) => isPart(name) === wanted),
  );
  // An older build may have left an empty folder of them.
  const carried = filesIn(join(root, "target/page")).filter((name) => !isPart(name));
  assert.deepEqual(files, carried.filter((name) => !isBeside(name)));
  assert.equal(parts.length, 9, String(parts));
  // `trunk serve` is to start where nothing was built.
  rmSync(join(clone, "dist"), { recursive: true });
});

test("a tab under trunk serve computes, and again after each edit", async (t) => {
  const args = ["--allow-origin", "http://127.0.0.1:8080"];
  const server = await Server.start(t, { port: 8765, args });
  const trunk = await serveWithTrunk(t);
  const browser = await Browser.start(t);
  const tab = await browser.open("http://127.0.0.1:8080/");
  await resultsSent(tab, 1);
  assert.ok((await tab.locator("#results").textContent())?.includes(WELCOME_RESULT));
  const workers = await (await fetch("http://127.0.0.1:8080/api/workers")).json();
  assert.equal(workers.length, 1);
  assert.equal(workers[0].path, "/ws");
  assert.equal((await (await fetch("http://127.0.0.1:8080/healthz")).json()).status, "ok");

  // Everybody's work is shown, and can be changed where the server allows it.
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "2", "--times", "0..900000000");
  await tab.locator("#throughput-chart canvas").waitFor();
  await tab.locator(".job-turn").click();
  await until("it is paused", async () => (await server.job()).state === "paused");

  for (const edited of ["www/js/strings.js", "protocol/src/lib.rs", "worker-wasm/src/worker.rs"]) {
    // Or an earlier build could be taken for that of this edit.
    await rests(trunk);
    // Gone when the page is loaded again.
    await tab.evaluate(() => document.body.setAttribute("data-before", "the edit"));
    appendFileSync(join(clone, edited), "\n// Edited.\n");
    await tab.locator("body:not([data-before])").waitFor({ timeout: REBUILD_MS_MAX });
    await resultsSent(tab, 1);
  }
  await rests(trunk);
  assert.match(await (await fetch("http://127.0.0.1:8080/js/strings.js")).text(), /\/\/ Edited\./);
  // A connection ends with the page that it was of.
  await until("one tab is one worker", async () => {
    return (await (await fetch("http://127.0.0.1:8080/api/workers")).json()).length === 1;
  });
  await browser.close();
});

/** @param {import("node:test").TestContext} t */
async function serveWithTrunk(t) {
  const child = spawn(variable("TRUNK"), ["serve", "--skip-version-check"], {
    ...inClone,
    stdio: ["ignore", "pipe", "pipe"],
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
  return trunk;
}

/** Waits until trunk has built what was edited, and builds no more. @param {Server} trunk */
async function rests(trunk) {
  /** @param {RegExp} pattern */
  const count = (pattern) => trunk.lines.filter((line) => pattern.test(line)).length;
  await until("trunk rests", async () => {
    const begun = count(/starting build/);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    return count(/starting build/) === begun && count(/ success$/) === begun;
  });
}
