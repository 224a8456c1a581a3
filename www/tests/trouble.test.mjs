// @ts-check
// Tasks that hang and trap: with a page and a server that know the op `misbehave`, which no binary
// that people get does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, inState, staticServer, variable } from "./support.mjs";

test("a task that could misbehave but does not is computed like any other", async (t) => {
  const server = await Server.start(t, { program: variable("TEQUIO_TEST_OPS_BIN") });
  const page = await staticServer(t, variable("TEQUIO_TEST_OPS_PAGE"));
  const browser = await Browser.start(t);
  const tab = await browser.open(`${page.url}?server=${server.page}`);
  await inState(tab, "connected");
  const grid = ["--initial", "3", "--factor", "2", "--times", "0..=2"];
  await server.run("submit", "misbehave", ...grid, "--wait");
  const results = await server.run("results", "1");
  assert.equal(
    results,
    [3, 6, 12].map((result, index) => `{"index":${index},"result":${result}.0}\n`).join(""),
  );
  await browser.close();
});

test("what people get knows no op that misbehaves", async (t) => {
  const server = await Server.start(t);
  const grid = ["--initial", "3", "--factor", "2", "--times", "1"];
  await assert.rejects(server.run("submit", "misbehave", ...grid), /misbehave/);
});
