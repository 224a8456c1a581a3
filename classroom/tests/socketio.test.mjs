// @ts-check
// The exercise of Socket.IO: its clients for Python, for Node and for the browser, over each
// transport that they know.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Browser, Server, staticServer, until } from "../../www/tests/support.mjs";
import { TRANSPORTS, httpAddress, pageFiles } from "./socketio-support.mjs";
import { Client, count } from "./support.mjs";

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

/** That the console has told of a client and of what it said. @param {Server} server */
async function wasSeen(server) {
  await server.line(/socket\.io \S+ connected/);
  await server.line(/Connected to socket\.io \(1\): \S+ 127\.0\.0\.1:\d+$/);
  await server.line(/\[socket\.io \S+\] message "Hola, Servidor!"/);
  await server.line(/\[socket\.io \S+\] message .*"¿Cómo estás\?"/);
  await server.line(/socket\.io \S+ disconnected \(/);
  await server.line(/Connected to socket\.io \(0\)$/);
}
