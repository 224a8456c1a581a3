// @ts-check
// The exercise of Socket.IO: its clients for Python, for Node and for the browser, over each
// transport that they know.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  Browser,
  Server,
  folder,
  staticServer,
  until,
  variable,
} from "../../www/tests/support.mjs";
import { Client, count, path } from "./support.mjs";

/** What a client is told to use, and what it ends up with. */
const TRANSPORTS = [
  { asked: ["polling"], used: "polling" },
  { asked: ["websocket"], used: "websocket" },
  { asked: [], used: "websocket" },
];

test("whoever is connected comes back to a server that is started again", async (t) => {
  const first = await Server.start(t);
  const clients = TRANSPORTS.map(({ asked, used }) => {
    const transports = asked[0] ?? `polling,${used}`;
    return Client.start(t, "./comes_back.py", [httpAddress(first), transports]);
  });
  await Promise.all(clients.map((client) => client.line(/^connected 1$/)));
  first.child.kill("SIGINT");
  await first.ended;
  await Server.start(t, { port: first.port });
  for (const client of clients) {
    const lines = await client.end();
    assert.deepEqual(lines.slice(-2), ["answered {'status': 'ok'}", "disconnected"]);
  }
});

for (const { asked, used } of TRANSPORTS) {
  const name = asked[0] ?? "polling, then websocket";

  for (const file of ["socketio_async.py", "socketio_sync.py"]) {
    test(`${file} says hello and is answered (${name})`, async (t) => {
      const server = await Server.start(t);
      const client = Client.start(t, file, [httpAddress(server), ...asked]);
      assert.deepEqual(await client.end(), [
        "Conectado",
        "Respuesta: {'status': 'ok'}",
        `Transporte: ${used}`,
        "Desconectado",
      ]);
      await wasSeen(server);
    });
  }

  test(`socket.io-client in Node says hello and is answered (${name})`, async (t) => {
    const server = await Server.start(t);
    const client = Client.start(t, "socketio.cjs", [httpAddress(server), ...asked]);
    await client.line(/^Respuesta: {"status":"ok"}$/);
    await client.line(new RegExp(`^Transporte: ${used}$`));
    client.type("");
    await client.end();
    assert.deepEqual([client.lines[0], client.lines.at(-1)], ["Conectado", "Desconectado"]);
    await wasSeen(server);
  });

  test(`socket.io-client in a page of another origin is answered (${name})`, async (t) => {
    const server = await Server.start(t);
    const files = pageFiles(t);
    const elsewhere = await staticServer(t, files);
    const browser = await Browser.start(t);
    const query = new URLSearchParams({ server: httpAddress(server), transports: asked.join() });
    for (const page of [elsewhere.url, `${pathToFileURL(files).href}/`]) {
      const tab = await browser.open(`${page}socketio.html?${query}`);
      await tab.getByText('Respuesta: {"status":"ok"}').waitFor();
      await tab.getByText(`Transporte: ${used}`).waitFor();
      await tab.getByText("Desconectar").click();
      await tab.getByText("Desconectado").waitFor();
    }
    await until("both have left", () => count(server.lines, /socket\.io \S+ disconnected/) === 2);
    await wasSeen(server);
    // Which the browser asks for by itself.
    await browser.close(/favicon\.ico/);
  });
}

for (const { asked } of TRANSPORTS.slice(0, 2)) {
  test(`who joins sees a job being computed (${asked})`, async (t) => {
    const server = await Server.start(t, { args: ["--no-welcome"] });
    const jobs = ["--initial", "1", "--factor", "1.00000043", "--times", "1..=100000"];
    const early = Client.start(t, "socketio_jobs.py", [httpAddress(server), ...asked]);
    await early.line(/^Pulsa Intro/);
    await server.run("submit", "repeat_multiply", ...jobs);
    await early.line(/^Trabajo 1: \w+ 0\/100000$/);
    const worker = await work(t, server);
    await early.line(/^Trabajador 1: está$/);
    await early.line(/^Trabajo 1: done 100000\/100000$/);
    const line = await early.line(/^Resultado 1\/\d+: /);
    const [, index, result] = /^Resultado 1\/(\d+): (.*)$/.exec(line) ?? [];
    const wanted = 1.00000043 ** (Number(index) + 1);
    assert.ok(Math.abs(Number(result) / wanted - 1) < 1e-12, line);

    // Who comes later is told what there is.
    const late = Client.start(t, "socketio_jobs.py", [httpAddress(server), ...asked]);
    await late.line(/^Trabajo 1: done 100000\/100000$/);
    await late.line(/^Trabajador 1: está$/);
    // And who has left is told no more.
    early.type("");
    await early.end();
    await worker();
    await late.line(/^Trabajador 1: se fue$/);
    await server.run("remove", "1");
    await late.line(/^Trabajo 1: quitado$/);
    assert.equal(count(early.lines, /se fue|quitado/), 0);
    late.type("");
    await late.end();
  });
}

test("a page sees a job being computed", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  const page = `${pathToFileURL(pageFiles(t)).href}/socketio.html`;
  const tab = await browser.open(`${page}?server=${httpAddress(server)}`);
  await tab.getByText("Conectado").waitFor();
  const times = ["--times", "1..=100000"];
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "1.5", ...times);
  await work(t, server);
  await tab.getByText("Trabajador 1").waitFor();
  await tab.getByText(/Resultado 1\/\d+/).waitFor();
  await tab.getByText("Trabajo 1: done").waitFor();
  await browser.close();
});

test("the server stops, and clients are told so", async (t) => {
  const server = await Server.start(t);
  const node = Client.start(t, "socketio.cjs", [httpAddress(server), "websocket"]);
  const python = Client.start(t, "socketio_jobs.py", [httpAddress(server), "polling"]);
  await node.line(/^Respuesta/);
  await python.line(/^Pulsa Intro/);
  server.child.kill("SIGINT");
  await node.line(/^Desconectado$/);
  await until("the server has ended", () => server.child.exitCode !== null);
  assert.equal(server.child.exitCode, 0);
});

/** @param {Server} server */
function httpAddress(server) {
  return `http://127.0.0.1:${server.port}`;
}

/** That the console has told of a client and of what it said. @param {Server} server */
async function wasSeen(server) {
  await server.line(/socket\.io \S+ connected/);
  await server.line(/Connected to socket\.io \(1\): \S+ 127\.0\.0\.1:\d+$/);
  await server.line(/\[socket\.io \S+\] message "Hola, Servidor!"/);
  await server.line(/\[socket\.io \S+\] message .*"¿Cómo estás\?"/);
  await server.line(/socket\.io \S+ disconnected \(/);
  await server.line(/Connected to socket\.io \(0\)$/);
}

/** A folder with the page and the library beside it, as the exercise has them.
 * @param {import("node:test").TestContext} t */
function pageFiles(t) {
  const files = folder(t);
  const library = join(variable("NODE_PATH"), "socket.io-client", "dist", "socket.io.min.js");
  copyFileSync(library, join(files, "socket.io.min.js"));
  copyFileSync(path("socketio.html"), join(files, "socketio.html"));
  return files;
}

/** Computes without a browser until the function is called that this gives, or the test ends.
 * @param {import("node:test").TestContext} t @param {Server} server */
async function work(t, server) {
  const child = spawn(variable("TEQUIO_BIN"), ["work", server.page], { stdio: "ignore" });
  const ended = once(child, "exit");
  const end = async () => {
    child.kill("SIGINT");
    await ended;
  };
  t.after(end);
  return end;
}
