// @ts-check
// What the tests of Socket.IO share.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { folder, variable } from "../../www/tests/support.mjs";
import { path } from "./support.mjs";

/** What a client is told to use, and what it ends up with. */
export const TRANSPORTS = [
  { asked: ["polling"], used: "polling" },
  { asked: ["websocket"], used: "websocket" },
  { asked: [], used: "websocket" },
];

/** @param {import("../../www/tests/support.mjs").Server} server */
export function httpAddress(server) {
  return `http://127.0.0.1:${server.port}`;
}

/** A folder with the page and the library beside it, as the exercise has them.
 * @param {import("node:test").TestContext} t */
export function pageFiles(t) {
  const files = folder(t);
  const library = join(variable("NODE_PATH"), "socket.io-client", "dist", "socket.io.min.js");
  copyFileSync(library, join(files, "socket.io.min.js"));
  copyFileSync(path("socketio.html"), join(files, "socketio.html"));
  return files;
}
