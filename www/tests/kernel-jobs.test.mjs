// @ts-check
// Jobs of people's own code: a module is added, computed by tabs in blocks, audited by the server, and its results
// are those that the same code gives elsewhere.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { LANGUAGES } from "../js/strings.js";
import { DIGITS, GROWN, squares } from "./modules.mjs";
import { Browser, Server, folder, inState, numberIn, shows, until, variable } from "./support.mjs";

const { en, es } = LANGUAGES;

/** @param {string} text */
const rows = (text) => text.trim().split("\n").map((line) => JSON.parse(line));

/** The job that was submitted last. @param {Server} server */
async function newest(server) {
  const jobs = await (await fetch(`${server.page}api/jobs`)).json();
  return jobs.at(-1);
}

/** A tab lends so many cores, and so much of each, from its start on.
 * @param {number} cores @param {number} [share] In percent. */
const lending = (cores, share = 100) => (/** @type {import("playwright-core").Page} */ page) =>
  page.addInitScript(
    (kept) => localStorage.setItem("tequio-allowance", JSON.stringify(kept)),
    { cores, share },
  );

test("a kernel is computed by tabs, one of which is closed, and audited", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const file = join(folder(t), "digits.wasm");
  await writeFile(file, DIGITS);
  const page = await browser.open(server.page, { locale: "en-US" });
  const other = await browser.open(server.page, { locale: "en-US" });
  const running = server.run("run", file, "n=1..=400000");
  await until("something is done", async () => (await newest(server))?.done > 0);
  await other.close();
  const results = rows(await running);
  assert.equal(results.length, 400_000);
  const wrong = results.find(({ index, result }) => result !== squares(index + 1));
  assert.equal(wrong, undefined);
  const job = await newest(server);
  assert.equal(job.name, "digits");
  assert.match(job.kernel, /^[0-9a-f]{64}$/);
  assert.ok(Number.isInteger(Math.log2(job.block)), `a block of ${job.block} tasks`);
  // Its name, and not its hash.
  await page.locator(".job-about").getByText("Job 1 · digits").waitFor();
  await shows(page, "values-about", /^digits · n = 1\.\.=400000/);
  assert.match(await server.run("kernel", "list"), /digits +p1 +numbers/);
  await browser.close();
});

test("the tab says which kernel it computes, how large that is, and that it can only compute", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, { locale: "en-US" }, lending(1));
  await shows(page, "computing-kernels", "");
  await server.run("submit", "mandelbrot", "re=-2..=1:0.001", "im=-1.2..=1.2:0.001");
  const kernel = await (await fetch(`${server.page}api/kernels/mandelbrot`)).json();
  await shows(page, "ops", "mandelbrot · ");
  await shows(page, "computing-kernels", en.kernel("mandelbrot", kernel.bytes));
  await page.locator("#language").getByText("Español").click();
  await shows(page, "computing-kernels", es.kernel("mandelbrot", kernel.bytes));
  await page.locator("#pause").click();
  await shows(page, "computing-kernels", "");
  await browser.close();
});

test("NAS EP of class S over three tabs, one of which is closed in the middle, is what is published", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  /** @type {import("playwright-core").Page[]} */
  const tabs = [];
  for (let tab = 0; tab < 3; tab += 1) {
    // As slow as a tab may be, so that there is a middle.
    tabs.push(await browser.open(server.page, {}, lending(1, 25)));
  }
  for (const tab of tabs) {
    await inState(tab, "connected");
  }
  const running = server.run("run", "ep", "k=0..256");
  await until("the first tab has sent results", async () => numberIn(await tabs[0].locator("#result-count").textContent()) > 1);
  const { done } = await newest(server);
  assert.ok(done < 256, `${done} of 256 are done when a tab is closed`);
  await tabs[0].close();
  const results = rows(await running).map(({ result }) => result);
  assert.equal(results.length, 256);
  const counts = [6_140_517, 5_865_300, 1_100_361, 68_546, 1648, 17, 0, 0, 0, 0];
  for (const [member, count] of counts.entries()) {
    assert.equal(results.reduce((sum, { q }) => sum + q[member], 0), count, `q[${member}]`);
  }
  for (const [name, sum] of /** @type {const} */ ([["sx", -3.247834652034740e3], ["sy", -6.958407078382301e3]])) {
    const got = results.reduce((total, result) => total + result[name], 0);
    assert.ok(Math.abs((got - sum) / sum) < 1e-8, `${name} is ${got}`);
  }
  await browser.close();
});

/** Few tasks of each example that comes with the server. */
const EXAMPLES = [
  ["mandelbrot", "re=-2..=1:0.25", "im=-1.2..=1.2:0.4"],
  ["collatz-kernel", "n=1..=300"],
  ["pi", "block=0..8"],
  ["ep", "k=0..4"],
  ["sir", "beta=0.1..=1:0.3", "gamma=0.05..=0.5:0.15", "i0=0.001", "days=60"],
  ["search", "n=87000..88000"],
  ["align", "n=0..5"],
];

const SEQUENCES = ">query\nGATTACA\n>one\nGCATGCU\n>two\nttGATTACAtt\n>three\nCCCC\n>four\nGATTTACA\n";

test("each example, and each language's project, is computed alike in a tab and in tequio work", async (t) => {
  const browser = await Browser.start(t);
  const [tab, native] = [await Server.start(t), await Server.start(t)];
  const worker = spawn(native.program, ["work", native.page, "--slots", "1"], { stdio: "ignore" });
  t.after(() => worker.kill());
  await browser.open(tab.page);
  const data = join(folder(t), "sequences.fasta");
  await writeFile(data, SEQUENCES);
  const alike = async (/** @type {string[]} */ asked) => {
    const [here, there] = await Promise.all([tab, native].map((server) => server.run("run", ...asked)));
    assert.equal(here, there, asked.join(" "));
    return rows(here);
  };
  const listed = (await tab.run("kernel", "list")).trim().split("\n").slice(1);
  assert.deepEqual(listed.map((line) => line.split(" ")[0]).sort(), EXAMPLES.map(([name]) => name).sort());
  /** @type {Record<string, any[]>} */
  const results = {};
  for (const asked of EXAMPLES) {
    const given = asked[0] === "align" ? ["--data", data] : [];
    results[asked[0]] = await alike([...asked, ...given]);
  }
  // A few that are known from elsewhere.
  assert.equal(results["collatz-kernel"][26].result, 111);
  assert.deepEqual(results.search.filter(({ result }) => result === 1).map(({ index }) => index), [962]);
  assert.deepEqual(results.align.map(({ result }) => result), [14, 4, 14, 2, 12]);

  for (const [language, module] of await projects(folder(t))) {
    const [first, second] = await alike([module, "n=1234,9007199254740991"]);
    assert.deepEqual([first.result, second.result], [30, 566], language);
  }
  await browser.close();
});

/** Writes the project of each language, builds it by the command that it names, and gives where the modules are.
 * @param {string} parent @returns {Promise<[language: string, module: string][]>} */
async function projects(parent) {
  const program = variable("TEQUIO_BIN");
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: [variable("TEQUIO_COMPILERS"), process.env.PATH].join(delimiter) };
  delete env.CARGO_TARGET_DIR;
  return Promise.all(
    ["rust", "c", "zig", "assemblyscript"].map(async (language) => {
      const dir = join(parent, language);
      const { stdout } = await promisify(execFile)(program, ["kernel", "new", language, dir]);
      const [, build, next] = stdout.trim().split("\n");
      // What npm would install is there.
      await promisify(execFile)("sh", ["-c", build.replace(/^npm install && /, "")], { cwd: dir, env });
      return /** @type {[string, string]} */ ([language, join(dir, next.split(" ")[3])]);
    }),
  );
}

test("memory that grows to the cap in every slot takes no tab with it", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const file = join(folder(t), "grown.wasm");
  await writeFile(file, GROWN);
  const page = await browser.open(server.page, {}, lending(2));
  await until("it has two slots", async () => (await server.workers())[0]?.slots === 2);
  const grown = rows(await server.run("run", file, "n=0..12", "--block", "1"));
  // 256 MiB are there in each of the slots, or else the tasks say that they are not.
  assert.equal(grown.length, 12);
  for (const { result, error } of grown) {
    assert.ok(result === 4096 || /memory|attempts/.test(error), `${result} ${error}`);
  }
  // Others go on, in the same tab, with the same connection.
  assert.equal(rows(await server.run("run", "mandelbrot", "re=-2..=1:0.5", "im=0")).length, 7);
  const [worker] = await server.workers();
  assert.deepEqual([worker.id, worker.slots], [1, 2]);
  await inState(page, "connected");
  await browser.close();
});

test("a tab that computes for another server is lent no kernels, and says so", async (t) => {
  const [own, other] = [await Server.start(t, { args: ["--no-welcome"] }), await Server.start(t, { args: ["--no-welcome"] })];
  const browser = await Browser.start(t);
  const page = await browser.open(`${own.page}?server=${other.page}`, { locale: "en-US" });
  await inState(page, "connected");
  await shows(page, "no-kernels", en.noKernels);
  await page.locator("#language").getByText("Español").click();
  await shows(page, "no-kernels", es.noKernels);
  await other.run("submit", "mandelbrot", "re=-2..=1:0.5", "im=0", "--priority", "5");
  assert.equal(rows(await other.run("run", "collatz", "n=1..=100")).length, 100);
  assert.equal((await other.job(1)).done, 0);
  const [worker] = await other.workers();
  assert.deepEqual([worker.errors, worker.refused], [0, 0]);
  // Its own page computes them.
  const next = await browser.open(other.page);
  await until("the kernel's job is done", async () => (await other.job(1)).state === "done");
  await shows(next, "no-kernels", "");
  await browser.close();
});
