// @ts-check
// The services beside the work, on a real server: the echo of one's own connection, and the chat.

import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "./axe.mjs";
import { areFineOnEveryScreen } from "./every-screen.mjs";
import {
  Browser,
  NO_CONNECTION,
  Server,
  foreignServer,
  inState,
  shows,
  until,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

const NO_WELCOME = ["--no-welcome"];

/** The lines of a log, without their times. @param {Page} page @param {"echo" | "chat"} panel */
function lines(page, panel) {
  return page.locator(`#${panel}-log p`).evaluateAll((all) =>
    all.map((line) => {
      const copy = /** @type {Element} */ (line.cloneNode(true));
      copy.querySelector("time")?.remove();
      return (copy.textContent ?? "").trim();
    }),
  );
}

/** @param {Page} page @param {"echo" | "chat"} panel @param {string | RegExp} text */
async function has(page, panel, text) {
  await until(`#${panel}-log has ${text}`, async () =>
    (await lines(page, panel)).some((line) => (typeof text === "string" ? line === text : text.test(line))),
  );
}

/** @param {Page} page @param {"echo" | "chat"} panel @param {string} state */
async function isLinked(page, panel, state) {
  await page.locator(`#${panel}-state[data-state="${state}"]`).waitFor();
}

/** Unfolds the panel of the connection. @param {Page} page */
async function unfold(page) {
  await page.locator("#echo summary").click();
}

/** A page that takes part in the chat, with a name or none; `path` is what its address ends with.
 * @param {Browser} browser @param {Server} server
 * @param {import("playwright-core").BrowserContextOptions} [options] */
async function openChat(browser, server, name = "", options = {}) {
  const page = await browser.open(`${server.page}?auto=0`, options);
  await isLinked(page, "chat", "open");
  if (name) {
    await page.locator("#chat-name").fill(name);
    await page.locator("#chat-name").press("Enter");
    await has(page, "chat", new RegExp(`^${name} `));
  }
  return page;
}

/** @param {Page} page @param {string} text */
async function say(page, text) {
  await page.locator("#chat-text").fill(text);
  await page.locator("#chat-text").press("Enter");
}

// ---- The echo -----------------------------------------------------------------------------------

test("what is sent to the server comes back, and how fast is measured", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const sockets = /** @type {string[]} */ ([]);
  const page = await browser.open(`${server.page}?auto=0`, {}, async (page) => {
    page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname));
  });
  await isLinked(page, "chat", "open");
  assert.equal(sockets.includes("/echo"), false, "it is connected while it is unfolded");
  await unfold(page);
  await isLinked(page, "echo", "open");
  await has(page, "echo", "<echo: hello");
  assert.deepEqual(await lines(page, "echo"), ["Connecting", "Connected", ">hello", "<echo: hello"]);
  assert.match((await page.locator("#echo-url").textContent()) ?? "", new RegExp(`^ws://.*:${server.port}/echo$`));

  await page.locator("#echo-text").fill("¿Llega <b>esto</b>? 👋");
  await page.locator("#echo-text").press("Enter");
  await has(page, "echo", "<echo: ¿Llega <b>esto</b>? 👋");
  assert.equal(await page.locator("#echo-text").inputValue(), "");
  await page.locator("#echo-text").fill("with the button");
  await page.locator("#echo-send").click();
  await has(page, "echo", "<echo: with the button");
  await page.locator("#echo-send").click();
  const ways = await page.locator("#echo-log b[role=img]").evaluateAll((all) => all.map((way) => way.ariaLabel));
  assert.deepEqual(ways, ["sent", "received", "sent", "received", "sent", "received"], "nothing is not sent");

  await page.locator("#echo-measure").click();
  await shows(page, "echo-median", /^[<\d]/);
  const [min, median, max] = await Promise.all(
    ["min", "median", "max"].map(async (name) => {
      const text = (await page.locator(`#echo-${name}`).textContent()) ?? "";
      assert.match(text, /^(< )?\d+(\.\d+)? (ms|s)$/);
      return Number.parseFloat(text.replace("< ", "")) * (text.endsWith(" s") ? 1000 : 1);
    }),
  );
  assert.ok(min <= median && median <= max, `${min}, ${median}, ${max}`);
  assert.equal((await lines(page, "echo")).length, 8, "what is measured with is not listed");

  // The log is bounded.
  await page.evaluate(async () => {
    const [field, form] = ["echo-text", "echo-form"].map((id) => document.getElementById(id));
    for (let count = 0; count < 120; count += 1) {
      /** @type {HTMLInputElement} */ (field).value = `line ${count}`;
      /** @type {HTMLFormElement} */ (form).requestSubmit();
    }
  });
  await has(page, "echo", "<echo: line 119");
  assert.equal((await lines(page, "echo")).length, 100);

  // Folded, it is closed.
  await unfold(page);
  await server.line(/echo.*disconnected/i);
  await browser.close();
});

test("a connection that ends says how, and is made again at a press", async (t) => {
  const first = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const page = await browser.open(`${first.page}?auto=0`);
  await unfold(page);
  await has(page, "echo", "<echo: hello");
  const isAgain = page.locator("#echo-again");
  assert.equal(await isAgain.isVisible(), false);
  first.child.kill("SIGTERM");
  await isLinked(page, "echo", "closed");
  await shows(page, "echo-state-text", /^Closed: 1001/);
  await first.ended;
  await isAgain.click();
  await isLinked(page, "echo", "refused");
  await shows(page, "echo-state-text", /^No connection/);
  await page.locator("#language").getByText("Español").click();
  await shows(page, "echo-state-text", /^Sin conexión/);
  assert.equal(await page.locator("#echo-measure").getAttribute("aria-disabled"), "true");
  await page.locator("#echo-text").fill("stays");
  await page.locator("#echo-text").press("Enter");
  assert.equal(await page.locator("#echo-text").inputValue(), "stays");

  await Server.start(t, { port: first.port, args: NO_WELCOME });
  await isAgain.click();
  await isLinked(page, "echo", "open");
  await page.locator("#echo-text").press("Enter");
  await has(page, "echo", "<echo: stays");
  assert.equal(await isAgain.isVisible(), false);
  await browser.close(NO_CONNECTION);
});

test("a server that has no echo is told of, and the tab works for it all the same", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  // As many servers do, it gives whoever comes something to do, whatever the path.
  const paths = /** @type {string[]} */ ([]);
  let left = 0;
  const foreign = await foreignServer(t, (socket, _, path) => {
    paths.push(path);
    socket.on("close", () => (left += 1));
    socket.send('{"type":"task","op":"repeat_multiply","task_id":1,"initial":1,"factor":2,"times":10}');
  });
  const page = await browser.open(`${server.page}?server=${foreign.url}`);
  await inState(page, "connected");
  assert.equal(await page.locator("#chat").isVisible(), false, "it is the page's own server's");
  await unfold(page);
  await isLinked(page, "echo", "foreign");
  await shows(page, "echo-state-text", /^This server has no echo/);
  await until("it does not count on it", () => left === 1);
  assert.deepEqual(paths.sort(), ["/", "/echo"]);
  await inState(page, "connected");
  await browser.close();

  // And one that knows no such path.
  const other = await Browser.start(t);
  const refusing = await foreignServer(t, (socket) => socket.terminate());
  const lost = await other.open(`${server.page}?auto=0&server=${refusing.url}`);
  await unfold(lost);
  await lost.locator("#echo-again").waitFor();
  await lost.locator("#echo-state-text").filter({ hasText: /^(Closed: 1006|No connection)/ }).waitFor();
  await other.close(NO_CONNECTION);
});

test("no server, no panel of the connection", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?server=nowhere`);
  await inState(page, "failed");
  assert.equal(await page.locator("#echo").isVisible(), false);
  await browser.close();
});

// ---- The chat -----------------------------------------------------------------------------------

test("people talk to each other, and to clients that know nothing but text", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const ana = await openChat(browser, server, "Ana María");
  const nobody = await openChat(browser, server);
  assert.equal(await nobody.locator("#chat-none").isVisible(), true);
  await say(ana, "¿Quién más está aquí?");
  await has(nobody, "chat", "Ana María ¿Quién más está aquí?");
  assert.equal(await nobody.locator("#chat-none").isVisible(), false);
  await nobody.locator("#chat-text").fill("yo");
  await nobody.locator("#chat-send").click();
  await has(ana, "chat", /^#\d+ yo$/);
  await until("it knows its number", async () =>
    /^#\d+$/.test((await nobody.locator("#chat-name").getAttribute("placeholder")) ?? ""),
  );
  assert.deepEqual([await ana.locator("#chat-log .mine").count(), await nobody.locator("#chat-log .mine").count()], [1, 1]);
  assert.equal(await nobody.locator("#chat-text").inputValue(), "");

  // A classroom's client: bare text, both ways.
  const heard = await ana.evaluateHandle(async () => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/chat`);
    /** @type {string[]} */
    const heard = [];
    socket.onmessage = ({ data }) => heard.push(data);
    await new Promise((resolve) => (socket.onopen = resolve));
    socket.send("plain <img src=x onerror=alert(1)> text");
    Object.assign(globalThis, { socket });
    return heard;
  });
  await has(nobody, "chat", /^#\d+ plain <img src=x onerror=alert\(1\)> text$/);
  assert.equal(await nobody.locator("#chat-log img").count(), 0);
  await say(nobody, "we read you");
  await until("it is heard", async () => (await heard.jsonValue()).at(-1) === "we read you");

  // What was said is there for who comes later, once.
  await nobody.reload();
  await has(nobody, "chat", /we read you$/);
  const said = (await lines(nobody, "chat")).filter((line) => / (yo|we read you)$/.test(line));
  assert.deepEqual(said.map((line) => line.replace(/^#\d+ /, "")), ["yo", "we read you"]);

  // Who has a name is told of as they come and go.
  await ana.close();
  await has(nobody, "chat", /^Ana María left · \d here$/);
  const beto = await openChat(browser, server, "Beto");
  await has(nobody, "chat", /^Beto came in · \d here$/);
  await nobody.locator("#language").getByText("Español").click();
  await has(nobody, "chat", /^Beto entró · \d aquí$/);
  await shows(nobody, "chat-title", "Chat");
  await beto.close();
  await browser.close();
});

test("a name is kept, changed, and refused before the server would", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const listener = await openChat(browser, server);
  const page = await openChat(browser, server, "Ana");
  for (const bad of ["#7", "a\u0085b"]) {
    await page.locator("#chat-name").fill(bad);
    await page.locator("#chat-name").press("Enter");
    await shows(page, "chat-said", /^A name has at most/);
    assert.equal(await page.locator("#chat-name").getAttribute("aria-invalid"), "true");
    await isLinked(page, "chat", "open");
  }
  await page.locator("#chat-name").fill("  Beto & Co. + 1 ");
  // Said at once, under the new name: it waits for the new connection.
  await say(page, "me again");
  await has(listener, "chat", "Beto & Co. + 1 me again");
  await has(listener, "chat", /^Ana left/);
  assert.equal(await page.locator("#chat-name").inputValue(), "Beto & Co. + 1");
  await page.reload();
  await isLinked(page, "chat", "open");
  assert.equal(await page.locator("#chat-name").inputValue(), "Beto & Co. + 1");
  await say(page, "and again");
  await has(listener, "chat", "Beto & Co. + 1 and again");

  // What others have written where the name is kept does no harm.
  await page.evaluate(() => localStorage.setItem("tequio-chat-name", "#1".repeat(300)));
  await page.reload();
  await isLinked(page, "chat", "open");
  assert.equal(await page.locator("#chat-name").inputValue(), "");
  await browser.close();
});

test("the chat comes back with its server, and what was typed meanwhile is still there", async (t) => {
  const first = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const page = await openChat(browser, first, "Ana");
  await say(page, "before");
  await has(page, "chat", "Ana before");
  first.child.kill("SIGTERM");
  await isLinked(page, "chat", "lost");
  await shows(page, "chat-said", /^The chat is away.* It is tried again/);
  await first.ended;
  // Between two attempts it is lost, during one it is connecting.
  await until("it says that it is not sent", async () => {
    await say(page, "meanwhile");
    return /^Not sent/.test((await page.locator("#chat-said").textContent()) ?? "");
  });
  assert.equal(await page.locator("#chat-text").inputValue(), "meanwhile");
  assert.ok((await lines(page, "chat")).includes("Ana before"), "what was said stays to be read");

  await Server.start(t, { port: first.port, args: NO_WELCOME });
  await isLinked(page, "chat", "open");
  await has(page, "chat", "Ana came in · 1 here");
  assert.equal(await page.locator("#chat-text").inputValue(), "meanwhile");
  await shows(page, "chat-said", /^Everybody/);
  await page.locator("#chat-text").press("Enter");
  await has(page, "chat", "Ana meanwhile");
  assert.deepEqual((await lines(page, "chat")).filter((line) => line === "Ana before"), []);
  await browser.close(NO_CONNECTION);
});

test("the newest is followed, unless somebody reads what was before", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const page = await openChat(browser, server);
  const other = await openChat(browser, server);
  const log = page.locator("#chat-log");
  const isAtEnd = () =>
    log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 8 && box.scrollTop > 0);
  for (let count = 0; count < 30; count += 1) {
    await say(other, `line ${count}`);
  }
  await has(page, "chat", /line 29$/);
  await until("it is followed", isAtEnd);
  const newest = page.locator("#chat-newest");
  assert.equal(await newest.isVisible(), false);

  // By the keyboard.
  await log.focus();
  await page.keyboard.press("Home");
  await until("it is at its beginning", () => log.evaluate((box) => box.scrollTop === 0));
  await say(other, "unseen");
  await newest.waitFor();
  assert.equal(await log.evaluate((box) => box.scrollTop), 0);
  await newest.press("Enter");
  await until("it is followed again", isAtEnd);
  assert.equal(await newest.isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "chat-text");

  // Where its lines break elsewhere, too.
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    await log.scrollIntoViewIfNeeded();
    await until(`it is followed at ${width} px`, isAtEnd);
  }

  // More than a person writes: as many as are kept, and the page stays a page.
  await other.evaluate(async () => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/chat`);
    await new Promise((resolve) => (socket.onopen = resolve));
    for (let count = 0; count < 199; count += 1) {
      socket.send(`flood ${count}`);
    }
    Object.assign(globalThis, { socket });
  });
  await has(page, "chat", /flood 198$/);
  assert.ok((await lines(page, "chat")).length <= 200);
  await until("it is followed", isAtEnd);
  await browser.close();
});

test("a page that is not looked at stays for a moment, and is back with all that was said", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  const other = await openChat(browser, server);
  const page = await browser.open(`${server.page}?auto=0`, {}, (page) => page.clock.install());
  await isLinked(page, "chat", "open");
  await page.locator("#chat-name").fill("Ana");
  await page.locator("#chat-name").press("Enter");
  await has(other, "chat", /^Ana came in/);
  /** @param {boolean} isHidden */
  const look = (isHidden) =>
    page.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await look(true);
  await page.clock.runFor(55_000);
  await look(false);
  await page.clock.runFor(10_000);
  await say(other, "nobody has left");
  await has(page, "chat", /nobody has left$/);
  assert.equal((await lines(other, "chat")).some((line) => / left/.test(line) && /^Ana/.test(line)), false);

  await look(true);
  await page.clock.runFor(61_000);
  await has(other, "chat", /^Ana left/);
  await say(other, "meanwhile");
  await look(false);
  await has(other, "chat", "Ana came in · 2 here");
  await page.clock.runFor(1000);
  await has(page, "chat", /meanwhile$/);
  assert.equal((await lines(page, "chat")).filter((line) => /nobody has left$/.test(line)).length, 1);
  await browser.close();
});

test("the echo and the chat are accessible, and fit every width, by day and by night", async (t) => {
  const server = await Server.start(t, { args: NO_WELCOME });
  const browser = await Browser.start(t);
  // The policy of the page forbids foreign scripts, axe's included.
  const page = await openChat(browser, server, "Ana", { bypassCSP: true });
  await say(page, "unapalabralarguísima".repeat(12));
  await say(page, "hola");
  const nobody = await openChat(browser, server, "", { bypassCSP: true });
  assert.deepEqual(await violations(nobody, ["#echo", "#chat"]), []);
  await nobody.close();
  // By the keyboard alone.
  await page.locator("#echo summary").focus();
  await page.keyboard.press("Enter");
  await isLinked(page, "echo", "open");
  for (const id of ["echo-log", "echo-text", "echo-send", "echo-measure"]) {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.id), id);
  }
  await page.keyboard.press("Enter");
  await shows(page, "echo-median", /^[<\d]/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "echo-measure", "it stays there");
  await page.locator("#chat-log").focus();
  for (const id of ["chat-name", "chat-text", "chat-send"]) {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.id), id);
  }
  await areFineOnEveryScreen(page, ["echo", "chat"]);
  await browser.close();
});
