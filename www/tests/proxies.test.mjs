// @ts-check
// The page behind proxies: in a folder of their own, and behind those that let no WebSockets through, ask
// for a password, or answer for a server that is away.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { Browser, ENDLESS, Server, inState, resultsSent, shows, until } from "./support.mjs";

/** What a proxy does. `prefix` is the folder that it serves, without its last slash, and takes off;
 * `upgrades` whether it passes those on; `answer` what it answers itself, if it does; `host` the name
 * that it asks the server by.
 * @typedef {{ prefix?: string, upgrades?: boolean, host?: string,
 *   answer?: (path: string) => [status: number, headers: Record<string, string>, body: string] | null }} Ways */

/** A proxy, which ends with the test.
 * @param {import("node:test").TestContext} t @param {Server} server @param {Ways} ways May be changed
 * while it runs. */
async function startProxy(t, server, ways) {
  /** @type {string[]} Paths outside of its folder that it was asked for. */
  const outside = [];
  const inside = (/** @type {string} */ url) => {
    const prefix = ways.prefix ?? "";
    if (url !== prefix && !url.startsWith(`${prefix}/`) && !url.startsWith(`${prefix}?`)) {
      outside.push(url);
      return null;
    }
    const rest = url.slice(prefix.length);
    return rest.startsWith("/") ? rest : `/${rest}`;
  };
  const proxy = createServer((request, response) => {
    const path = inside(request.url ?? "/");
    const own = path === null ? null : ways.answer?.(path);
    if (path === null || own) {
      const [status, headers, body] = own ?? [404, {}, "<h1>404 Not Found</h1>"];
      return void response.writeHead(status, { "content-type": "text/html", ...headers }).end(body);
    }
    const headers = { ...request.headers, ...(ways.host && { host: ways.host }) };
    if (!ways.upgrades) {
      // As nginx does with nothing but `proxy_pass`.
      delete headers.upgrade;
      headers.connection = "close";
    }
    const passed = ask({ port: server.port, path, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.headersSent || response.writeHead(502).end("<h1>Bad Gateway</h1>"));
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  });
  const handler = /** @type {(request: import("node:http").IncomingMessage, socket: import("node:stream").Duplex, head: Buffer) => void} */ (
    (request, socket, head) => {
      const path = inside(request.url ?? "/");
      if (path === null || ways.answer?.(path)) {
        return void socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      }
      if (!ways.upgrades) {
        // Node takes the request for an upgrade; this proxy does not.
        const answer = "This address is for WebSockets";
        return void socket.end(
          `HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`,
        );
      }
      const passed = connect(server.port, "127.0.0.1", () => {
        const headers = { ...request.headers, ...(ways.host && { host: ways.host }) };
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        passed.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
        passed.write(head);
        passed.pipe(socket).pipe(passed);
      });
      passed.on("error", () => socket.destroy());
      socket.on("error", () => passed.destroy());
    }
  );
  proxy.on("upgrade", handler);
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = proxy.address();
  assert.ok(address && typeof address === "object");
  return { origin: `http://127.0.0.1:${address.port}`, outside };
}

test("in a proxy's folder the page asks for nothing outside of it, and all of it works", async (t) => {
  const server = await Server.start(t, { args: ["--allow-origin", "https://lab.example", "--operator-token", "s3cret"] });
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--token", "s3cret");
  const browser = await Browser.start(t);
  for (const prefix of ["/tequio", "/user/ana/proxy/8765"]) {
    const { origin, outside } = await startProxy(t, server, { prefix, upgrades: true });
    const page = await browser.open(`${origin}${prefix}/`);
    await inState(page, "connected");
    await resultsSent(page, 1);
    assert.equal(await page.locator("#server").innerText(), `Server ${origin.replace("http", "ws")}${prefix}/ws`);

    await page.locator("#operator-ask").click();
    await page.locator("#operator-token").fill("s3cret");
    await page.locator("#operator-give").click();
    await page.locator("#new-job-open").click();
    await page.locator("#axis-times").fill("0..50");
    await page.locator("#new-job-submit").click();
    const job = page.locator('#jobs .job[data-state="done"]').first();
    await job.locator(".job-jsonl").waitFor();
    await page.locator('#values:not([data-points="0"])[data-points]').waitFor();
    const file = await page.evaluate(
      async (link) => (await fetch(/** @type {HTMLAnchorElement} */ (link).href)).text(),
      await job.locator(".job-jsonl").elementHandle(),
    );
    assert.match(file, /"index":0/);

    // What others open, in words and as a picture.
    await shows(page, "join-link", `https://lab.example${prefix}/`);
    await until("the code is drawn", () =>
      page.locator("#join-code").evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 0),
    );

    await page.locator("#chat-state[data-state=open]").waitFor();
    await page.locator("#echo-details summary").click();
    await page.locator("#echo-state[data-state=open]").waitFor();
    assert.deepEqual(outside.filter((path) => path !== "/favicon.ico"), []);
    await page.close();
  }
  await browser.close();
});

test("an address without its folder's slash is mended, whatever follows it", async (t) => {
  const server = await Server.start(t);
  const { origin } = await startProxy(t, server, { prefix: "/tequio", upgrades: true });
  const browser = await Browser.start(t);
  const page = await browser.open(`${origin}/tequio?auto=0#x`);
  await inState(page, "ready");
  assert.equal(page.url(), `${origin}/tequio/?auto=0#x`);
  await page.locator("#start").click();
  await inState(page, "connected");
  // A browser may have asked for what it has seen of the page before it knew better.
  await browser.close(/status of 404/);

  const answer = await fetch(server.page);
  const script = /<script>([^]*?)<\/script>/.exec(await answer.text())?.[1] ?? "";
  const hash = createHash("sha256").update(script).digest("base64");
  assert.ok(answer.headers.get("content-security-policy")?.includes(`'sha256-${hash}'`), hash);
});

test("what keeps the socket from opening is said in words, and mended when it is", async (t) => {
  const server = await Server.start(t);
  /** @type {Ways} */
  const ways = { upgrades: false };
  const { origin } = await startProxy(t, server, ways);
  const browser = await Browser.start(t);
  const page = await browser.open(origin);
  const says = async (/** @type {string} */ kind, /** @type {RegExp} */ words) => {
    await page.locator(`#why-not[data-why="${kind}"]`).waitFor();
    await shows(page, "why-not", words);
  };
  const retry = () => page.locator("#retry-now").click();

  await page.locator("#retry-now").waitFor();
  await until("it has tried again", async () => {
    await page.locator("#retry-now").click({ timeout: 1000 }).catch(() => {});
    return page.locator('#why-not[data-why="upgrade"]').isVisible();
  });
  await says("upgrade", /lets no WebSockets through/);
  await page.locator("#language").getByText("Español").click();
  await says("upgrade", /no deja pasar WebSockets/);
  await page.locator("#language").getByText("English").click();
  await shows(page, "chat-said", /lets no WebSockets through/);
  await page.locator("#echo-details summary").click();
  await shows(page, "echo-state-text", /lets no WebSockets through/);

  // All that a proxy says itself, from one attempt to the next.
  ways.upgrades = true;
  for (const [kind, answer, words] of /** @type {[string, [number, Record<string, string>, string], RegExp][]} */ ([
    ["password", [401, { "www-authenticate": "Bearer" }, "<h1>401</h1>"], /wants a password/],
    ["moved", [302, { location: "https://login.example/" }, ""], /perhaps to log in/],
    ["proxy", [504, {}, "<h1>504 Gateway Time-out</h1>"], /\(504 Gateway Time/],
    ["proxy", [403, {}, "<h1>Blocked</h1>"], /\(403 Forbidden\)/],
    ["proxy", [200, {}, "<h1>Welcome to our Wi-Fi</h1>"], /\(200 OK\)/],
  ])) {
    ways.answer = (path) => (path.startsWith("/ws") ? answer : null);
    await retry();
    await says(kind, words);
  }

  ways.answer = undefined;
  await retry();
  await inState(page, "connected");
  assert.equal(await page.locator("#why-not").isVisible(), false);
  await page.locator("#chat-state[data-state=open]").waitFor();
  await browser.close(/WebSocket connection|status of/);
});

test("a server that takes no sockets of the page's origin is quoted", async (t) => {
  // Behind a proxy that asks by another name, whose outside nobody has told the server of.
  const server = await Server.start(t, { args: ["--allow-origin", "https://lab.example"] });
  const { origin } = await startProxy(t, server, { upgrades: true, host: "lab.example" });
  const browser = await Browser.start(t);
  const foreign = origin.replace("127.0.0.1", "tequio.example");
  const resolved = `MAP tequio.example 127.0.0.1`;
  const { chromium } = await import("playwright-core");
  const other = await chromium.launch({
    executablePath: process.env.CHROME,
    args: ["--headless=new", "--no-sandbox", `--host-resolver-rules=${resolved}`],
  });
  t.after(() => other.close());
  const page = await other.newPage();
  await page.goto(foreign);
  await page.locator('#why-not[data-why="refused"]').waitFor();
  await shows(page, "why-not", /The server refuses this page: .*tequio\.example.*--allow-origin/);
  await browser.close();
});

test("a server that is away is no proxy", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page);
  await inState(page, "connected");
  const { port } = server;
  await server.kill();
  await inState(page, "waiting");
  for (let times = 0; times < 3; times += 1) {
    await page.locator("#retry-now").click();
    await until("it has tried in vain", async () => (await page.locator("#state").getAttribute("data-state")) === "waiting");
    assert.equal(await page.locator("#why-not").isVisible(), false);
  }
  const again = await Server.start(t, { port });
  await inState(page, "connected");
  assert.equal(await page.locator("#why-not").isVisible(), false);
  await again.run("submit", "repeat_multiply", ...ENDLESS, "--name", "again");
  await page.locator("#jobs").getByText("again").waitFor();
  await browser.close(/WebSocket connection|net::ERR/);
});
