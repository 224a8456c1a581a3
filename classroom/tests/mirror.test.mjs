// @ts-check
// The exercise of the mirror: text and bytes come back as they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server } from "../../www/tests/support.mjs";
import { Client, PYTHON, PYTHON_OLDER, bareAddress, filePage } from "./support.mjs";

const SEEN = [
  "texto 15 igual",
  "texto 0 igual",
  "texto 13 igual",
  "bytes 0 igual",
  "bytes 4 igual",
  "bytes 65536 igual",
  "texto 1000000 igual",
];

for (const python of [PYTHON, PYTHON_OLDER]) {
  test(`text and bytes come back as they are (${python})`, async (t) => {
    const server = await Server.start(t, { args: ["--root", "mirror"] });
    const client = Client.start(t, "mirror.py", [bareAddress(server)], python);
    assert.deepEqual(await client.end(), SEEN);
    await server.line(/echo #1 connected from 127\.0\.0\.1:\d+ path=\/$/);
    await server.line(/\[echo #1\] received "Hola, Servidor!"/);
    await server.line(/Connected to echo \(0\)$/);
  });
}

test("a page that is opened as a file sees itself in the mirror", async (t) => {
  const server = await Server.start(t, { args: ["--root", "mirror"] });
  const browser = await Browser.start(t);
  const page = await browser.open(filePage("mirror.html", { server: bareAddress(server) }));
  await page.getByText("bytes 0,1,254,255").waitFor();
  const seen = await page.locator("#log").textContent();
  assert.equal(seen, "texto Hola, Servidor!\nbytes 0,1,254,255\n");
  await browser.close();
});
