// @ts-check
// What Socket.IO's clients have of the server beside an answer: events of any name, the jobs that are
// computed, the client library, and a server that goes and comes back.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
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
import { TRANSPORTS, httpAddress, pageFiles } from "./socketio-support.mjs";
import { Client, count } from "./support.mjs";

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

for (const { asked } of TRANSPORTS.slice(0, 2)) {
  test(`events of any name and size are answered (${asked})`, async (t) => {
    const server = await Server.start(t);
    const args = [httpAddress(server), ...asked];
    const python = Client.start(t, "./names.py", args);
    const node = Client.start(t, "./names.cjs", args);
    const lines = await python.end();
    assert.equal(count(lines, / \{'status': 'ok'\}$/), lines.length);
    assert.equal(lines.length, 2 * (11 + 4), "with asyncio and without");
    await node.line(/^disconnected /);
    await node.end();
    assert.equal(count(node.lines, / \{"status":"ok"\}$/), 8 + 4);
    for (const said of [
      /\] mañana \{"señal":"mañ"\}$/,
      /\] ¿Cómo estás\? \{"eñe":1\}$/,
      /\] canción de cuna 🎵 /,
      /\] dice "hola" /,
      /\] C:\\temp /,
      /\] dos�líneas /,
      /\] "" /,
      /\] connect /,
      /\] 7 \{"eñe":1\}$/,
      /\] ñ{120}… /,
      /\] foto .* with 1 attachment of 1000000 bytes$/,
      /socket\.io \S+ disconnected \(it sent a (request|message) of more than \d+ bytes\)$/,
    ]) {
      await server.line(said);
    }
  });

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
  // Not from a file: what the server tells of itself is for pages that are somebody's.
  const { url } = await staticServer(t, pageFiles(t));
  const tab = await browser.open(`${url}socketio.html?server=${httpAddress(server)}`);
  await tab.getByText("Conectado").waitFor();
  const times = ["--times", "1..=100000"];
  await server.run("submit", "repeat_multiply", "--initial", "1", "--factor", "1.5", ...times);
  await work(t, server);
  await tab.getByText("Trabajador 1").waitFor();
  await tab.getByText(/Resultado 1\/\d+/).waitFor();
  await tab.getByText("Trabajo 1: done").waitFor();
  await browser.close(/favicon\.ico/);
});

test("a page loads the client library from the server, as tutorials do", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const files = folder(t);
  const library = `${httpAddress(server)}/socket.io/socket.io`;
  const script = `
    const socket = io("${httpAddress(server)}");
    socket.on("connect", () => socket.emit("mañana", 1, (answer) => {
      document.body.textContent = "Respuesta: " + JSON.stringify(answer);
      socket.disconnect();
    }));`;
  const pages = {
    "js.html": `<script src="${library}.js"></script><script>${script}</script>`,
    "min.html": `<script src="${library}.min.js" crossorigin></script><script>${script}</script>`,
    "esm.html": `<script type="module">import { io } from "${library}.esm.min.js";${script}</script>`,
  };
  const elsewhere = await staticServer(t, files);
  for (const [name, html] of Object.entries(pages)) {
    writeFileSync(join(files, name), `<!doctype html><meta charset="utf-8"><body>${html}</body>`);
    // From another local server, and as a double click opens it.
    for (const page of [elsewhere.url, `${pathToFileURL(files).href}/`]) {
      const tab = await browser.open(page + name);
      await tab.getByText('Respuesta: {"status":"ok"}').waitFor();
      await tab.close();
    }
  }
  await until("six came and left", () => count(server.lines, /\] mañana 1$/) === 6);
  await browser.close(/favicon\.ico/);
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
