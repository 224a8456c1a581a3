// @ts-check
// What the tests of the exercises share: the clients, each a process of its own as in a classroom,
// and how they are looked at. The server and the browser are those of the page's tests.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { until, variable } from "../../www/tests/support.mjs";

/** Whatever the machine's language is: what clients print is UTF-8, and comes line by line. */
const ENVIRONMENT = { ...process.env, PYTHONUTF8: "1", PYTHONUNBUFFERED: "1" };

/** The two Pythons: with the libraries of today, and with those of older handouts. */
export const PYTHON = "PYTHON";
export const PYTHON_OLDER = "PYTHON_OLDER";

/** A client of an exercise, in a process of its own. */
export class Client {
  /** @type {string[]} Every line that it has printed. */
  lines = [];
  /** @type {string[]} Every line of its errors. */
  errors = [];

  /** @param {import("node:child_process").ChildProcessWithoutNullStreams} child
   * @param {string} name */
  constructor(child, name) {
    this.child = child;
    this.name = name;
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(line));
    createInterface({ input: child.stderr }).on("line", (line) => this.errors.push(line));
    // A client that is killed may be written to.
    child.stdin.on("error", () => {});
    this.ended = once(child, "close");
  }

  /** Starts one, which ends with the test at the latest.
   * @param {import("node:test").TestContext} t
   * @param {string} file What of this folder, or of the clients', it runs.
   * @param {(string | number)[]} args
   * @param {string} [python] Which of the Pythons runs it, if it is one's. */
  static start(t, file, args, python = PYTHON) {
    const program = file.endsWith(".py") ? variable(python) : process.execPath;
    return Client.spawn(t, file, program, [path(file), ...args.map(String)]);
  }

  /** Starts a command of Tequio's own. @param {import("node:test").TestContext} t
   * @param {string[]} args */
  static tequio(t, ...args) {
    return Client.spawn(t, `tequio ${args[0]}`, variable("TEQUIO_BIN"), args);
  }

  /** @param {import("node:test").TestContext} t @param {string} name @param {string} program
   * @param {string[]} args */
  static spawn(t, name, program, args) {
    const client = new Client(spawn(program, args, { env: ENVIRONMENT }), name);
    t.after(() => client.kill());
    return client;
  }

  /** The first line that matches, when it comes. @param {RegExp} pattern */
  async line(pattern) {
    return until(`${this.name} prints ${pattern}${this.said()}`, () => {
      const found = this.lines.find((line) => pattern.test(line));
      assert.ok(found || this.isAlive(), `${this.name} ended without ${pattern}${this.said()}`);
      return found;
    });
  }

  /** Waits until it ends by itself; it must have found nothing wrong. Gives its lines. */
  async end() {
    await until(`${this.name} ends${this.said()}`, () => !this.isAlive());
    await this.ended;
    assert.equal(this.child.exitCode, 0, `${this.name} failed${this.said()}`);
    return this.lines;
  }

  /** Types a line. @param {string} line */
  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Ends it at once, as `kill -9` does. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  isAlive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  said() {
    return `: ${[...this.lines, ...this.errors].slice(-20).join("\n")}`;
  }
}

/** The address that a client connects to, "unchanged but for the port".
 * @param {import("../../www/tests/support.mjs").Server} server */
export function bareAddress(server) {
  return `ws://127.0.0.1:${server.port}`;
}

/** A client's page as a double click opens it: a file, and so of no origin.
 * @param {string} name @param {Record<string, string>} query */
export function filePage(name, query) {
  const url = pathToFileURL(path(name));
  url.search = String(new URLSearchParams(query));
  return url.href;
}

/** Where a file of this folder, or of the clients', is. @param {string} file */
export function path(file) {
  const folder = file.includes("/") ? "." : "../clients";
  return fileURLToPath(new URL(`${folder}/${file}`, import.meta.url));
}

/** How many lines match. @param {string[]} lines @param {RegExp} pattern */
export function count(lines, pattern) {
  return lines.filter((line) => pattern.test(line)).length;
}
