// @ts-check
// Clients that do what they should not: each has its answer, and another member notices nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Server } from "../../www/tests/support.mjs";
import { Client, bareAddress, count } from "./support.mjs";

/** What each deed is answered. */
const ANSWERS = [
  /^4096 bytes: the same$/,
  /^4097 bytes: 1009 .*4096/,
  /^4097 bytes in parts: 1009 .*4096/,
  /^binary: 1003 .+/,
  /^no UTF-8: 1007/,
  /^unmasked: 1002/,
  /^reserved bits: 1002/,
  /^name of 10 KB: HTTP 400 bad_name$/,
  /^name of 41: HTTP 400 bad_name$/,
  /^name with a line: HTTP 400 bad_name$/,
  /^name with a number: HTTP 400 bad_name$/,
  /^name of 41 at the bare address: HTTP 400 bad_name$/,
  /^room of 65: HTTP 400 bad_room$/,
  /^room with NUL: HTTP 400 bad_room$/,
  /^room that is no UTF-8: HTTP 400 bad_room$/,
  /^room with a slash: HTTP 400 bad_room$/,
  /^format: HTTP 400 bad_format$/,
  /^prefix: HTTP 400 bad_prefix$/,
  /^room of 64: the same$/,
  /^room in words: the same$/,
  /^1 MiB of echo: the same$/,
  /^1 MiB and a prefix: 1009 .* with its prefix/,
  /^more than 1 MiB: 1009/,
  /^no UTF-8 for the echo: 1007/,
  /^vanished: done$/,
  /^flood: all of it, in order$/,
];

test("who misbehaves is answered, and the one beside notices nothing", async (t) => {
  const server = await Server.start(t, { args: ["--root", "chat"] });
  const witness = Client.start(t, "chat.py", [bareAddress(server)]);
  await server.line(/Connected to chat \(1\)/);
  witness.type("before");
  await witness.line(/^Recibido: before$/);

  const rude = Client.start(t, "./misbehave.py", [bareAddress(server)]);
  const lines = await rude.end();
  lines.forEach((line, index) => assert.match(line, ANSWERS[index] ?? /^nothing more$/));
  assert.equal(lines.length, ANSWERS.length);

  // It is told of nothing but what was said in its own room.
  await server.line(/Connected to chat \(1\): #1 [^,]*$/);
  witness.type("after");
  await witness.line(/^Recibido: after$/);
  const flood = Array.from({ length: 260 }, (_, index) => `Recibido: flood ${index}`);
  const heard = ["Conectado", "Recibido: before", ...flood, "Recibido: after"];
  assert.deepEqual(witness.lines, heard);
  witness.child.stdin.end();
  await witness.end();
  await server.line(/Connected to chat \(0\)$/);
  // A flood does not fill the console, which tells of all of it nonetheless.
  const told = server.lines.filter((line) => /received ("flood|\d+ more$)/.test(line));
  assert.ok(told.length < 260);
  const untold = told.map((line) => Number(/(\d+) (before\)|more)$/.exec(line)?.[1] ?? 0));
  const shown = count(told, /received "flood/);
  assert.equal(
    untold.reduce((sum, number) => sum + number, shown),
    260,
  );
});
