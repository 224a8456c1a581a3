// @ts-check
// The exercise of the echo: every client hears "echo: " and what it said.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Browser, Server, variable } from "../../www/tests/support.mjs";
import { Client, PYTHON, PYTHON_OLDER, bareAddress, count, filePage } from "./support.mjs";

const HEARD = [
  "> Hola, Servidor!",
  "< echo: Hola, Servidor!",
  "> ¿Cómo estás? 👋",
  "< echo: ¿Cómo estás? 👋",
  "> Adiós",
  "< echo: Adiós",
];

/** Each client, and the Pythons that can run it. What is missing, the library does not allow: the
 * older one has neither `websockets.asyncio` nor `websockets.sync`. */
const CLIENTS = [
  { file: "echo.py", pythons: [PYTHON] },
  { file: "echo_sync.py", pythons: [PYTHON] },
  { file: "echo_older.py", pythons: [PYTHON, PYTHON_OLDER] },
  { file: "echo_legacy.py", pythons: [PYTHON, PYTHON_OLDER] },
];

for (const { file, pythons } of CLIENTS) {
  for (const python of pythons) {
    test(`${file} hears its echo (${python})`, async (t) => {
      if (file === "echo_older.py" && !hasLoopFromTheStart(python)) {
        return t.diagnostic("this Python has no event loop before one is made: nobody can run it");
      }
      const server = await Server.start(t, { args: ["--root", "echo"] });
      const client = Client.start(t, file, [bareAddress(server)], python);
      assert.deepEqual(await client.end(), HEARD);
      await server.line(/echo #1 connected from 127\.0\.0\.1:\d+ path=\/$/);
      await server.line(/Connected to echo \(1\): #1 127\.0\.0\.1:\d+$/);
      await server.line(/\[echo #1\] received "Hola, Servidor!"/);
      await server.line(/\[echo #1\] received "¿Cómo estás\? 👋"/);
      await server.line(/echo #1 disconnected \(1000/);
      await server.line(/Connected to echo \(0\)$/);
    });
  }
}

test("a page that is opened as a file hears its echo", async (t) => {
  const server = await Server.start(t, { args: ["--root", "echo"] });
  const browser = await Browser.start(t);
  const page = await browser.open(filePage("echo.html", { server: bareAddress(server) }));
  await page.getByText("Enviar").click();
  await page.getByText("Servidor: echo: Hola, Servidor!").waitFor();
  await page.locator("#message").fill("<b>¿Cómo estás?</b> 👋");
  await page.getByText("Enviar").click();
  await page.getByText("Servidor: echo: <b>¿Cómo estás?</b> 👋").waitFor();
  await page.close();
  await server.line(/echo #1 disconnected \(1001/);
  await server.line(/Connected to echo \(0\)$/);
  await browser.close();
});

test("thirty clients at once hear each its own", async (t) => {
  const server = await Server.start(t, { args: ["--root", "echo"] });
  const clients = Array.from({ length: 30 }, (_, index) =>
    Client.start(t, "echo.py", [`${bareAddress(server)}/?n=${index}`]),
  );
  for (const client of clients) {
    assert.deepEqual(await client.end(), HEARD);
  }
  await server.line(/Connected to echo \(0\)$/);
  assert.equal(count(server.lines, /echo #\d+ connected/), 30);
  assert.equal(count(server.lines, /echo #\d+ disconnected \(1000/), 30);
});

test("the server stops, and a client is told so", async (t) => {
  const server = await Server.start(t, { args: ["--root", "echo"] });
  const client = Client.start(t, "./until_closed.py", [bareAddress(server)]);
  await client.line(/connected/);
  server.child.kill("SIGINT");
  assert.match((await client.end())[1], /^closed 1001/);
});

/** Until Python 3.13 the main thread had one, which older handouts count on.
 * @param {string} python */
function hasLoopFromTheStart(python) {
  const minor = "import sys; print(sys.version_info[1])";
  return Number(execFileSync(variable(python), ["-c", minor], { encoding: "utf8" })) < 14;
}
