// @ts-check
// `tequio chat` and `tequio echo` as a person at a terminal has them: in a room of a few lines of
// Python, and in the server's own.

import { test } from "node:test";
import { Server, variable } from "../../www/tests/support.mjs";
import { Client, bareAddress } from "./support.mjs";

test("a chat at a terminal, in a room of Python's", async (t) => {
  await Client.start(t, "chat_terminal.py", [variable("TEQUIO_BIN")]).end();
});

test("a chat at a terminal, in the server's room", async (t) => {
  const server = await Server.start(t, { args: ["--root", "chat"] });
  const args = [variable("TEQUIO_BIN"), `${bareAddress(server)}/?format=text`];
  await Client.start(t, "chat_terminal.py", args).end();
  await server.line(/Connected to chat \(0\)$/);
});
