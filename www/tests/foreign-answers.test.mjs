// @ts-check
// Proxies before the server, as the page meets them: answers that are not the server's are named as what
// they are, a proxy's own password does not get into the operator's way, and a download that breaks off
// is seen to be broken.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { test } from "node:test";
import { TOKEN_KEY } from "../js/operator.js";
import { LANGUAGES } from "../js/strings.js";
import { Browser, ENDLESS, NO_CONNECTION, Server, folder, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("node:http").ServerResponse} ServerResponse */

const TOKEN = "a-token-of-the-test";
const REFUSED = /Failed to load resource/;

/** A proxy that hands everything on, but for what `answers` has answered itself.
 * @param {import("node:test").TestContext} t @param {Server} server
 * @param {(request: IncomingMessage, response: ServerResponse) => boolean} answers */
async function proxy(t, server, answers) {
  /** @type {IncomingMessage[]} */
  const seen = [];
  const listening = createServer((incoming, response) => {
    seen.push(incoming);
    if (answers(incoming, response)) {
      return;
    }
    const { method, url: path, headers } = incoming;
    const onward = request({ host: "127.0.0.1", port: server.port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  return { seen, url: `http://127.0.0.1:${await listens(t, listening)}/` };
}

/** @param {import("node:test").TestContext} t @param {import("node:net").Server} listening */
async function listens(t, listening) {
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  t.after(() => listening.close());
  const address = listening.address();
  assert.ok(address && typeof address === "object");
  return address.port;
}

/** @param {Browser} browser @param {string} url */
async function watch(browser, url) {
  const page = await browser.open(`${url}?auto=0`, { locale: "en-US" });
  await page.locator("#everybodys:not([hidden])").waitFor();
  return page;
}

/** @param {Page} page @param {"en" | "es"} language */
const speak = (page, language) =>
  page.locator("#language").getByText(LANGUAGES[language] === LANGUAGES.en ? "English" : "Español").click();

const HTML = "<!doctype html><title>A page of somebody else's</title>";

test("an answer that is not the server's is named as what it is", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  let status = 0;
  let body = HTML;
  /** @type {(request: IncomingMessage) => boolean} */
  let isMeant = () => false;
  const { url } = await proxy(t, server, (incoming, response) => {
    if (!isMeant(incoming)) {
      return false;
    }
    incoming.resume();
    response.writeHead(status, { "content-type": "text/html", location: `${url}sign-in` }).end(body);
    return true;
  });
  const page = await watch(browser, url);
  await page.locator(".job-turn").waitFor();
  isMeant = ({ method }) => method === "POST";
  const { en, es } = LANGUAGES;
  for (const [answered, known] of /** @type {const} */ ([
    [200, 200], [302, 0], [307, 0], [401, 401], [403, 403], [404, 404], [413, 413],
  ])) {
    status = answered;
    await page.locator(".job-turn").click();
    const said = en.foreign.known[known];
    await page.locator("#jobs-trouble").getByText(en.jobs.trouble.pause(1, said)).waitFor();
    await speak(page, "es");
    await page.locator("#jobs-trouble").getByText(es.jobs.trouble.pause(1, es.foreign.known[known])).waitFor();
    await speak(page, "en");
    assert.equal(await page.locator("#operator-dialog").isVisible(), false, "no token is asked for");
  }
  for (const answered of [408, 429, 500, 502, 503, 504, 521, 418]) {
    status = answered;
    // JSON as well, of another kind than the server's.
    body = answered % 2 ? JSON.stringify({ error: { code: answered, message: "Away." } }) : JSON.stringify({ message: "no" });
    await page.locator(".job-turn").click();
    const { away, other } = en.foreign;
    await page.locator("#jobs-trouble").getByText((answered === 418 ? other : away)(answered)).waitFor();
  }
  assert.equal((await server.job()).state, "running");

  // The form, whose axes are asked about first.
  isMeant = ({ url }) => url?.startsWith("/api/grid") ?? false;
  status = 502;
  await page.locator("#new-job-open").click();
  await page.locator("#axis-times").fill("0..7");
  await page.locator("#new-job-submit").click();
  await page.locator("#new-job-trouble").getByText(en.foreign.away(502)).waitFor();
  isMeant = ({ method, url }) => method === "POST" && url === "/api/jobs";
  status = 413;
  await page.locator("#new-job-submit").click();
  await page.locator("#new-job-trouble").getByText(en.foreign.known[413]).waitFor();
  // The results, and what the server is asked first.
  isMeant = ({ url }) => url === "/api/server" || (url?.endsWith("/sample") ?? false);
  status = 403;
  await page.reload();
  await page.locator("#values-error").getByText(en.foreign.known[403]).waitFor();
  await page.locator("#jobs-trouble").getByText(en.foreign.known[403]).waitFor();
  isMeant = () => false;
  await page.locator("#new-job-open").waitFor();
  await until("nothing is said of it any more", async () => !(await page.locator("#jobs-trouble").textContent()));
  await browser.close(REFUSED);
});

test("a proxy's own password and the operator's token do not get into each other's way", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--token", TOKEN);
  const browser = await Browser.start(t);
  const password = `Basic ${Buffer.from("ana:secret").toString("base64")}`;
  let isAsking = true;
  const { seen, url } = await proxy(t, server, ({ headers, method }, response) => {
    if (headers.authorization === password || (!isAsking && method === "GET")) {
      return false;
    }
    // A browser would ask for it: that nobody answers.
    response.writeHead(401, { "content-type": "text/html", ...(isAsking ? { "www-authenticate": 'Basic realm="a proxy"' } : {}) }).end(HTML);
    return true;
  });
  const context = await browser.browser.newContext({ locale: "en-US", httpCredentials: { username: "ana", password: "secret" } });
  const page = await context.newPage();
  await page.goto(`${url}?auto=0`);
  await page.locator("#operator-ask").click();
  await page.locator("#operator-token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator(".job-turn").click();
  await page.locator('.job[data-state="paused"]').waitFor();
  const shown = seen.filter(({ method, headers }) => method === "POST" && headers["tequio-token"] === TOKEN);
  assert.ok(shown.length >= 2 && shown.every(({ headers }) => headers.authorization === password));
  await context.close();

  // Where the proxy wants a password of what changes something alone, that is no wrong token.
  isAsking = false;
  const guest = await watch(browser, url);
  await guest.evaluate(([key, token]) => sessionStorage.setItem(key, token), [TOKEN_KEY, TOKEN]);
  await guest.reload();
  const { en, es } = LANGUAGES;
  await guest.locator("#jobs-trouble").getByText(en.foreign.known[401]).waitFor();
  assert.equal(await guest.evaluate((key) => sessionStorage.getItem(key), TOKEN_KEY), TOKEN, "it is not forgotten");
  assert.equal(await guest.locator("#operator-dialog").isVisible(), false);
  await speak(guest, "es");
  await guest.locator("#jobs-trouble").getByText(es.foreign.known[401]).waitFor();
  await browser.close(REFUSED);
});

test("what a proxy answers to a token is not taken for the server's word", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  const browser = await Browser.start(t);
  const page = await watch(browser, server.page);
  await page.locator("#operator-ask").click();
  const { foreign } = LANGUAGES.en;
  for (const [status, said] of /** @type {const} */ ([
    [200, foreign.known[200]],
    [401, foreign.known[401]],
    [502, foreign.away(502)],
  ])) {
    await page.route("**/api/operator", (route) => route.fulfill({ status, contentType: "text/html", body: HTML }));
    await page.locator("#operator-token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.locator("#operator-wrong").getByText(said).waitFor();
    await page.unroute("**/api/operator");
  }
  assert.equal(await page.locator("#new-job-open").isVisible(), false);
  await browser.close(REFUSED);
});

test("a kept token that no header can hold is no token, and breaks nothing", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  const browser = await Browser.start(t);
  const page = await watch(browser, server.page);
  for (const kept of ["señor", "two\nlines", "\u{0}"]) {
    await page.evaluate(([key, token]) => sessionStorage.setItem(key, token), [TOKEN_KEY, kept]);
    await page.reload();
    await page.locator("#operator-ask").waitFor();
  }
  await browser.close();
});

// ---- Downloads ----------------------------------------------------------------------------------

/** A proxy as nginx is where nobody has said otherwise: it speaks HTTP/1.0 to the server and hands on
 * what comes, at once, until that ends.
 * @param {import("node:test").TestContext} t @param {() => number} port The server's. */
async function oldProxy(t, port) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const listening = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let head = "";
    socket.on("data", function read(data) {
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) {
        return;
      }
      socket.off("data", read);
      const lines = head.replace(/ HTTP\/1\.1\r\n/, " HTTP/1.0\r\n").replace(/\r\nconnection: [^\r]*/i, "");
      const onward = connect(port(), "127.0.0.1", () => onward.write(lines, "latin1"));
      onward.on("error", () => socket.end());
      socket.on("close", () => onward.destroy());
      onward.pipe(socket);
    });
  });
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  return `http://127.0.0.1:${await listens(t, listening)}/`;
}

/** A server that has a large job, on disk. @param {import("node:test").TestContext} t */
async function serverWithResults(t) {
  const server = await Server.start(t, { args: ["--data", folder(t)] });
  const grid = ["--initial", "1", "--factor", "1.00000043", "--times", "0..3000000"];
  await server.run("submit", "repeat_multiply", ...grid);
  const worker = spawn(server.program, ["work", server.page, "--slots", "2"], { stdio: "ignore" });
  t.after(() => worker.kill());
  await until("there is much to read", async () => (await server.job()).done > 400_000);
  return { server, worker };
}

for (const [name, isOld] of /** @type {const} */ ([["from the server itself", false], ["behind a proxy that speaks HTTP/1.0", true]])) {
  test(`a download that breaks off is seen to be broken: ${name}`, async (t) => {
    const { server, worker } = await serverWithResults(t);
    worker.kill();
    await server.run("cancel", "1");
    const browser = await Browser.start(t);
    const { port } = server;
    const url = isOld ? await oldProxy(t, () => port) : server.page;
    const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
    await page.locator(".job-jsonl").waitFor();
    // The page itself would need many connections; the link alone is of interest.
    const href = await page.locator(".job-jsonl").evaluate((link, url) => {
      const { pathname, search } = new URL(/** @type {HTMLAnchorElement} */ (link).href);
      return (/** @type {HTMLAnchorElement} */ (link).href = `${url.slice(0, -1)}${pathname}${search}`);
    }, url);
    // One that is not broken is whole.
    const [whole] = await Promise.all([page.waitForEvent("download"), page.locator(".job-csv").click()]);
    assert.equal(await whole.failure(), null);
    assert.equal(readFileSync(await whole.path(), "utf8"), await server.run("results", "1", "--format", "csv"));
    assert.ok(href.startsWith(url));
    // The browser is held up, so that the server is in the middle when it stops.
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".job-jsonl").click()]);
    await server.kill();
    const failure = await download.failure();
    assert.notEqual(failure, null, "the browser says that it broke off");
    await browser.close(new RegExp(`${REFUSED.source}|${NO_CONNECTION.source}`));
  });
}

test("a download of a job that goes on says that it is a part", async (t) => {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS);
  const browser = await Browser.start(t);
  const tab = await browser.open(server.page);
  const page = await watch(browser, server.page);
  await page.locator(".job-jsonl").waitFor();
  await server.run("pause", "1");
  await page.locator('.job[data-state="paused"]').waitFor();
  await tab.close();
  const link = page.locator(".job-jsonl");
  assert.equal(await link.getAttribute("download"), "tequio-job-1-so-far.jsonl");
  const { done } = await server.job();
  await until("it says which", async () => (await link.getAttribute("title")) === LANGUAGES.en.jobs.part(done, 1e9));
  assert.match((await link.getAttribute("aria-label")) ?? "", /Results so far/);
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  assert.equal(download.suggestedFilename(), "tequio-job-1-so-far.jsonl");
  await server.run("cancel", "1");
  await page.locator('.job[data-state="cancelled"]').waitFor();
  assert.equal(await link.getAttribute("download"), "tequio-job-1.jsonl");
  assert.equal(await link.getAttribute("title"), "");
  await browser.close();
});
