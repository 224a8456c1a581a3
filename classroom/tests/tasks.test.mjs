// @ts-check
// The exercise of the tasks: a client in Python or in a page gets a task, computes it and answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, until } from "../../www/tests/support.mjs";
import { Client, PYTHON, PYTHON_OLDER, bareAddress, count, filePage } from "./support.mjs";

/** What every client gets first, computed: languages differ in the last digits of a power. */
const WELCOME_RESULT = /1\.53726568269/;

/** Jobs of repeat_multiply, but for how many tasks. */
const JOB = ["submit", "repeat_multiply", "--initial", "1", "--factor", "1.00000043", "--times"];

for (const [python, library] of [
  [PYTHON, "websockets of today"],
  [PYTHON_OLDER, "older websockets"],
]) {
  test(`a Python client computes the welcome task and a job (${library})`, async (t) => {
    const server = await Server.start(t);
    const client = Client.start(t, "tasks.py", [bareAddress(server)], python);
    await client.line(/^Tarea recibida: .*'task_id': 1, 'initial': 1.0000054/);
    await client.line(WELCOME_RESULT);
    await server.line(/#1 connected from 127\.0\.0\.1:\d+ path=\/$/);
    await server.line(/Connected \(1\): #1 127\.0\.0\.1:\d+$/);
    await server.line(/\[#1\] task sent task_id=1$/);
    await server.line(/\[#1\] result task_id=1 result=1\.53726568269\d* .* agent=Python$/);

    await server.run(...JOB, "1..=20");
    await jobIsDone(server);
    assert.equal(count(client.lines, /^Resultado enviado/), 21);

    await client.kill();
    await server.line(/#1 disconnected/);
    await server.line(/Connected \(0\)/);
  });
}

for (const python of [PYTHON, PYTHON_OLDER]) {
  test(`a task that a program ends at is computed by the server in the end (${python})`, async (t) => {
    const server = await Server.start(t);
    await server.run(...JOB, "1..=2");
    const client = Client.start(t, "./crashes.py", [bareAddress(server)], python);
    await jobIsDone(server);
    const { done, failed } = await server.job(1);
    assert.deepEqual([done, failed], [2, 0]);
    assert.match(await server.run("results", "1"), /"index":1,"result":/);
    await until("it has crashed as often", () => count(client.lines, /^crashed$/) === 6);
  });
}

test("a page that is opened as a file computes, and says so", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(filePage("tasks.html", { server: bareAddress(server) }));
  await page.getByText("conectado", { exact: true }).waitFor();
  await page.getByText(/Resultado enviado: 1\.53726568269/).waitFor();
  await server.line(/\[#1\] result task_id=1 result=1\.53726568269\d* .* agent=Mozilla/);

  await server.run(...JOB, "1..=20");
  await jobIsDone(server);
  assert.equal(await page.evaluate(() => location.protocol), "file:");
  await page.close();
  await server.line(/#1 disconnected \(1001/);
  await server.line(/Connected \(0\)/);
  await browser.close();
});

test("a whole classroom shares a job, and one that is killed loses none of it", async (t) => {
  const server = await Server.start(t);
  const address = bareAddress(server);
  const clients = [PYTHON, PYTHON, PYTHON_OLDER].map((python) =>
    Client.start(t, "tasks.py", [address], python),
  );
  const browser = await Browser.start(t);
  await browser.open(filePage("tasks.html", { server: address }));
  await server.line(/Connected \(4\)/);
  await server.run(...JOB, "1..=5000");
  await until("the first client has computed some", () => clients[0].lines.length > 50);
  await clients[0].kill();
  await server.line(/Connected \(3\)/);
  await jobIsDone(server);

  const lines = (await server.run("results", "1")).trim().split("\n");
  const results = lines.map((line) => JSON.parse(line));
  assert.equal(results.length, 5000);
  results.forEach(({ index, result }, at) => {
    assert.equal(index, at);
    assert.ok(Math.abs(result / 1.00000043 ** (at + 1) - 1) < 1e-12, `${result} at ${at}`);
  });
  await browser.close();
});

/** @param {Server} server */
async function jobIsDone(server) {
  await until("the job is done", async () => (await server.job(1)).state === "done");
}
