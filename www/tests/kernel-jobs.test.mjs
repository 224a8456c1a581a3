// @ts-check
// Jobs of people's own code: a module is added, computed by tabs in blocks, audited by the server, and its results
// are those that the same code gives elsewhere.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Browser, Server, folder, until } from "./support.mjs";

/** `run(n: i64) -> i64`: the sum of the squares of n's digits. It was made by rustc. */
const DIGITS = Buffer.from(
  "AGFzbQEAAAABBgFgAX4BfgMCAQAFAwEAEAYZA38BQYCAwAALfwBBgIDAAAt/AEGAgMAACwcrBAZtZW1vcnkCAANydW4AAApfX2RhdGFfZW5kAwELX19oZWFwX2Jhc2UDAgpCAUACA34Bf0IAIQECQCAAQgFTDQADQCAAIABCCoAiAkIKfn0iAyADfiABfCEBIABCClQhBCACIQAgBEUNAAsLIAEL",
  "base64",
);

/** @param {number} n */
const squares = (n) => [...String(n)].reduce((sum, digit) => sum + Number(digit) ** 2, 0);

/** @param {string} text */
const rows = (text) => text.trim().split("\n").map((line) => JSON.parse(line));

test("a kernel is computed by tabs, one of which is closed, and audited", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const file = join(folder(t), "digits.wasm");
  await writeFile(file, DIGITS);
  const page = await browser.open(server.page, { locale: "en-US" });
  const other = await browser.open(server.page, { locale: "en-US" });
  const running = server.run("run", file, "n=1..=400000");
  await until("something is done", async () => {
    const [job] = await (await fetch(`${server.page}api/jobs`)).json();
    return job?.done > 0;
  });
  await other.close();
  const results = rows(await running);
  assert.equal(results.length, 400_000);
  const wrong = results.find(({ index, result }) => result !== squares(index + 1));
  assert.equal(wrong, undefined);
  const [job] = await (await fetch(`${server.page}api/jobs`)).json();
  assert.equal(job.name, "digits");
  assert.match(job.kernel, /^[0-9a-f]{64}$/);
  assert.ok(job.block >= 16, `a block of ${job.block} tasks`);
  await page.getByText(`kernel ${job.kernel.slice(0, 8)}`).first().waitFor();
  assert.match(await server.run("kernel", "list"), /digits +p1 +numbers/);
});

test("examples that come with the server are computed to what is published", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await browser.open(server.page, { locale: "en-US" });
  const collatz = rows(await server.run("run", "collatz-kernel", "n=27,97,871"));
  assert.deepEqual(collatz.map(({ result }) => result), [111, 118, 178]);
  const curve = rows(await server.run("run", "mandelbrot", "re=-2..=1:0.5", "im=0"));
  assert.equal(curve.length, 7);
  // The first sixteenth of class S of NAS EP.
  const ep = rows(await server.run("run", "ep", "k=0..16"));
  const pairs = ep.flatMap(({ result }) => result.q).reduce((sum, count) => sum + count, 0);
  assert.ok(pairs > 16 * 65_536 * 0.78 && pairs < 16 * 65_536 * 0.79, `${pairs} pairs`);
});
