// @ts-check
// What browser tests share: the real server, a real Chromium, and other people's servers.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { WebSocketServer } from "ws";

/** How long a test waits for what must come. It is no measure of speed. */
export const PATIENCE_MS = 60_000;

/** The welcome task as every server of the kind sends it, to the letter. */
export const WELCOME =
  '{"type":"task","op":"repeat_multiply","task_id":1,"initial":1.0000054,"factor":1.00000043,"times":1000000}';
export const WELCOME_RESULT = "1.5372656826974733";

/** Axes of a job that nobody ends within a test. */
export const ENDLESS = ["--initial", "1", "--factor", "1.00000043", "--times", "0..1000000000"];

/** @param {string} name */
export function variable(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; \`cargo xtask test\` sets what these tests need`);
  return value;
}

/** A real server: `tequio serve` in a process of its own. */
export class Server {
  /** @type {string[]} Every line of its console so far. */
  lines = [];

  /** @param {import("node:child_process").ChildProcess} child @param {string} program */
  constructor(child, program) {
    this.child = child;
    this.program = program;
    for (const stream of [child.stdout, child.stderr]) {
      assert.ok(stream, `${program}'s output is piped`);
      createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    this.ended = once(child, "exit");
  }

  /** Starts one, which ends with the test.
   * @param {import("node:test").TestContext} t
   * @param {{ port?: number, args?: string[], program?: string }} [options] Port 0 takes a free
   * one; without a program it is the binary that people get. */
  static async start(t, { port = 0, args = [], program = variable("TEQUIO_BIN") } = {}) {
    const store = args.includes("--data") ? [] : ["--memory"];
    const child = spawn(program, ["serve", ...store, "--listen", `127.0.0.1:${port}`, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new Server(child, program);
    t.after(() => server.kill());
    await server.line(/Listening on/);
    return server;
  }

  get port() {
    const line = this.lines.find((line) => line.includes("Listening on"));
    return Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(line ?? "")?.[1]);
  }

  get page() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** The first line that matches, when it comes. @param {RegExp} pattern */
  async line(pattern) {
    return until(`the console says ${pattern}`, () => {
      assert.equal(this.child.exitCode, null, `it ended: ${this.lines.join("\n")}`);
      return this.lines.find((line) => pattern.test(line));
    });
  }

  /** @returns {Promise<import("../js/protocol.js").WorkerView[]>} */
  async workers() {
    return (await fetch(`${this.page}api/workers`)).json();
  }

  /** @returns {Promise<import("../js/protocol.js").JobView>} */
  async job(id = 1) {
    return (await fetch(`${this.page}api/jobs/${id}`)).json();
  }

  /** Runs a command of its program against it, and gives what that prints.
   * @param {string[]} args @returns {Promise<string>} */
  async run(...args) {
    const env = { ...process.env, TEQUIO_URL: this.page };
    const { stdout } = await promisify(execFile)(this.program, args, { env, maxBuffer: 1 << 28 });
    return stdout;
  }

  /** Ends it at once and without a word, as `kill -9` does. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** A folder that is removed when the test ends. @param {import("node:test").TestContext} t */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "tequio-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What every Chromium of these tests is started with. */
export const SWITCHES = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** And in which language, whatever its developer's is: tests read what the page says. */
export const ENVIRONMENT = { ...process.env, LANGUAGE: "en" };

/** A browser whose pages may log no error but those that a test expects. */
export class Browser {
  /** @type {string[]} What was logged, and by which script or for which request. */
  errors = [];
  /** @type {string[]} */
  console = [];

  /** @param {import("playwright-core").Browser} browser */
  constructor(browser) {
    this.browser = browser;
  }

  /** Starts one, which ends with the test.
   * @param {import("node:test").TestContext} t @param {string[]} [switches] Beside the usual ones. */
  static async start(t, switches = []) {
    const browser = await chromium.launch({
      executablePath: variable("CHROME"),
      args: [...SWITCHES, ...switches],
      env: ENVIRONMENT,
    });
    t.after(() => browser.close());
    return new Browser(browser);
  }

  /** @param {string} url
   * @param {import("playwright-core").BrowserContextOptions} [options]
   * @param {(page: import("playwright-core").Page) => Promise<unknown>} [prepare] What is done to
   * the page before it loads. */
  async open(url, options, prepare) {
    const page = await this.browser.newPage(options);
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      this.console.push(message.text());
      if (message.type() === "error") {
        this.errors.push(`${message.text()} (${message.location().url})`);
      }
    });
    await prepare?.(page);
    await page.goto(url);
    return page;
  }

  /** Closes it; then no error may have been logged but those that `expected` matches.
   * @param {RegExp} [expected] */
  async close(expected) {
    await this.browser.close();
    assert.deepEqual(
      this.errors.filter((error) => !expected?.test(error)),
      [],
    );
  }
}

/** Asks the coordinator of a page over the DevTools protocol; gives a function that garbage-collects
 * it and tells the bytes that its JavaScript heap and its WebAssembly memory then hold.
 * @param {import("playwright-core").Page} page */
export async function coordinatorMemory(page) {
  const session = await page.context().newCDPSession(page);
  /** @type {Map<number, (result: any) => void>} */
  const asked = new Map();
  let id = 0;
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const answer = JSON.parse(message);
    asked.get(answer.id)?.(answer.result);
  });
  /** @type {Promise<string>} */
  const attached = new Promise((resolve) => {
    // The page's own worker; the one that computes belongs to that worker.
    session.on("Target.attachedToTarget", ({ sessionId }) => resolve(sessionId));
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false });
  const sessionId = await attached;
  /** @param {string} method */
  const ask = async (method) => {
    const message = JSON.stringify({ id: ++id, method });
    const answer = new Promise((resolve) => asked.set(id, resolve));
    await session.send("Target.sendMessageToTarget", { sessionId, message });
    return answer;
  };
  return async () => {
    // Lines that the browser keeps for its console are not the page's.
    await ask("Runtime.discardConsoleEntries");
    await ask("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await ask("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  };
}

/** What a browser logs by itself when a socket does not open, and when the stream of events breaks
 * or something else that the server is asked for gets no answer; also where it is asked why (by a plain
 * request, which says whose page asks), and is back by then. */
export const NO_CONNECTION =
  /WebSocket connection to .* failed|net::ERR_(CONNECTION|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED)\w* \(\S+\/(api\/|\w+\?origin=)|status of 426 \(Upgrade Required\) \(\S+\?origin=/;

/** Somebody else's server, which ends with the test. `serve` is called with each socket and its
 * number from 0.
 * @param {import("node:test").TestContext} t
 * @param {(socket: import("ws").WebSocket, connection: number, path: string) => void} serve */
export async function foreignServer(t, serve) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  let connections = 0;
  server.on("connection", (socket, request) => serve(socket, connections++, request.url ?? ""));
  t.after(() => {
    server.clients.forEach((socket) => socket.terminate());
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return { url: `ws://127.0.0.1:${address.port}`, connections: () => connections };
}

/** What files are sent as; what is not here, a test has no use for.
 * @type {Record<string, string>} */
const TYPES = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves the files of a folder, such as a page that no binary carries, until the test ends.
 * @param {import("node:test").TestContext} t @param {string} folder */
export async function staticServer(t, folder) {
  let isAway = false;
  /** @type {string[]} */
  const asked = [];
  const server = createServer(async (request, response) => {
    // A URL has no `..` left in its path once it is parsed.
    const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
    asked.push(pathname);
    if (isAway) {
      return response.writeHead(503).end();
    }
    const file = join(folder, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    const content = await readFile(file).catch(() => undefined);
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(content ? 200 : 404, { "content-type": content ? type : "text/plain" });
    response.end(content ?? "There is no such file here.");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    /** How often it was asked for a file. @param {string} path */
    timesAsked: (path) => asked.filter((one) => one === path).length,
    /** Lets it answer nothing but 503 from now on, or again what it should. */
    goAway: (is = true) => {
      isAway = is;
    },
  };
}

/** Waits until `probe` gives something that is neither false nor undefined, and gives that.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} probe
 * @returns {Promise<NonNullable<T>>} */
export async function until(what, probe) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const got = await probe();
    if (got !== undefined && got !== null && got !== false) {
      return got;
    }
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @param {import("playwright-core").Page} page @param {string} state */
export async function inState(page, state) {
  await page.locator(`#state[data-state="${state}"]`).waitFor();
}

/** @param {import("playwright-core").Page} page @param {string} id @param {string | RegExp} text */
export async function shows(page, id, text) {
  await until(`#${id} shows ${text}`, async () => {
    const now = (await page.locator(`#${id}`).textContent()) ?? "";
    return typeof text === "string" ? now === text : text.test(now);
  });
}

/** Whether one has to scroll sideways. @param {import("playwright-core").Page} page */
export function overflows(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth;
  });
}

/** A count as the page writes it, in groups of digits. @param {string | null} text */
export function numberIn(text) {
  return Number((text ?? "").replaceAll(",", ""));
}

/** @param {import("playwright-core").Page} page @param {number} count */
export async function resultsSent(page, count) {
  await until(`${count} results are sent`, async () => {
    return numberIn(await page.locator("#result-count").textContent()) >= count;
  });
}
