// @ts-check
// The exercise of the chat: what one says, all hear, in one order; whoever leaves, or never reads,
// takes nothing from the others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, until } from "../../www/tests/support.mjs";
import { Client, PYTHON, PYTHON_OLDER, bareAddress, filePage } from "./support.mjs";

/** What a member of a crowd says at the end.
 * @typedef {{ name: string, heard: number, order: string, from: Record<string, number>,
 *   wrong: string[] }} Report */

test("what one says, all hear: Python of today and of old, and a page", async (t) => {
  const server = await Server.start(t, { args: ["--root", "chat"] });
  const address = bareAddress(server);
  const ana = Client.start(t, "chat.py", [address], PYTHON);
  await server.line(/chat #1 connected from 127\.0\.0\.1:\d+ path=\/$/);
  await server.line(/Connected to chat \(1\): #1 127\.0\.0\.1:\d+$/);
  const beto = Client.start(t, "chat.py", [address], PYTHON_OLDER);
  await server.line(/Connected to chat \(2\): #1 127\.0\.0\.1:\d+, #2 127\.0\.0\.1:\d+$/);
  const browser = await Browser.start(t);
  const page = await browser.open(filePage("chat.html", { server: address }));
  await server.line(/Connected to chat \(3\)/);

  ana.type("Hola a todos");
  await ana.line(/^Recibido: Hola a todos$/);
  await beto.line(/^Recibido: Hola a todos$/);
  await page.getByText("Hola a todos").waitFor();
  await server.line(/\[chat #1\] received "Hola a todos" in \/chat: sent to 3$/);
  await page.locator("#message").fill("¿Qué tal? <i>👋</i>");
  await page.getByText("Enviar").click();
  await ana.line(/^Recibido: ¿Qué tal\? <i>👋<\/i>$/);
  await beto.line(/^Recibido: ¿Qué tal\? <i>👋<\/i>$/);
  await server.line(/\[chat #3\] received "¿Qué tal\? <i>👋<\/i>" in \/chat: sent to 3$/);

  await page.close();
  await server.line(/chat #3 disconnected \(1001/);
  await server.line(/Connected to chat \(2\): #1 .*, #2 [^,]*$/);
  await beto.kill();
  await server.line(/chat #2 disconnected/);
  ana.type("¿Queda alguien?");
  await ana.line(/^Recibido: ¿Queda alguien\?$/);
  await server.line(/"¿Queda alguien\?" in \/chat: sent to 1$/);
  ana.child.stdin.end();
  await ana.end();
  await server.line(/chat #1 disconnected \(1000/);
  await server.line(/Connected to chat \(0\)$/);
  await browser.close();
});

test("50 members say 200 messages at once, and hear all 10,000 in one order", async (t) => {
  const server = await Server.start(t, { args: ["--root", "chat"] });
  const crowd = new Crowd(t, server, { processes: 5, members: 10, messages: 200, window: 200 });
  await crowd.joined();
  crowd.tell("go");
  await crowd.sent();
  haveHeardTheSame(await crowd.reports(), 50, 10_000);
  await server.line(/Connected to chat \(0\)$/);
});

test("one that never reads is dropped, and nobody else notices", async (t) => {
  const server = await Server.start(t, { args: ["--root", "chat"] });
  // All that is said is more than the system and the server together keep for one that never reads;
  // all windows are less than the server keeps for one that is slow.
  const size = { processes: 2, members: 10, messages: 200, bytes: 4000, window: 10 };
  const crowd = new Crowd(t, server, size);
  await crowd.joined();
  const deaf = Client.start(t, "./never_reads.py", [bareAddress(server)]);
  await deaf.line(/joined/);
  await server.line(/Connected to chat \(21\)/);
  crowd.tell("go");
  await crowd.sent();
  haveHeardTheSame(await crowd.reports(), 20, 4_000);
  await server.line(/chat #21 disconnected \(4008/);
  await server.line(/Connected to chat \(0\)$/);
});

test("whoever is killed takes nobody else's message along", async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const server = await Server.start(t, { args: ["--root", "chat"] });
  const crowd = new Crowd(t, server, { processes: 5, members: 6, messages: 100, window: 10 });
  await crowd.joined();
  crowd.tell("go");

  // Two processes are killed as by `kill -9`, and of each other one some connections break.
  const [a, b, ...staying] = crowd.clients;
  const aborted = new Set();
  const deaths = [a, b].map(async (client) => {
    await crowd.heard(client, Math.floor(random() * 2000));
    await client.kill();
  });
  const breaks = staying.map(async (client) => {
    for (const member of [1, 2, 3, 4, 5].filter(() => random() < 0.5)) {
      aborted.add(`${crowd.name(client)}.${member}`);
      await crowd.heard(client, Math.floor(random() * 1500));
      client.type(`abort ${member}`);
    }
  });
  await Promise.all([...deaths, ...breaks]);
  crowd.clients = staying;
  await crowd.sent();

  const reports = await crowd.reports();
  const left = reports.filter(({ name }) => !aborted.has(name));
  assert.ok(left.length >= 3, "the first member of each process stays");
  for (const { name, order, from, wrong } of left) {
    assert.deepEqual([name, wrong], [name, []]);
    assert.equal(order, left[0].order, `${name} heard another order than ${left[0].name}`);
    for (const other of left) {
      assert.equal(from[other.name], 100, `${name} heard so many from ${other.name}`);
    }
  }
  await server.line(/Connected to chat \(0\)$/);
});

/** Members of one chat, in several processes. */
class Crowd {
  /** @param {import("node:test").TestContext} t @param {Server} server
   * @param {{ processes: number, members: number, messages: number, bytes?: number,
   *   window: number }} size How many messages a member says, how long they are at least, and how
   *   many it says before it has heard the first again. */
  constructor(t, server, { processes, members, messages, bytes = 0, window }) {
    this.server = server;
    this.size = processes * members;
    this.clients = Array.from({ length: processes }, (_, index) => {
      const args = [bareAddress(server), `p${index}`, members, messages, bytes, window];
      return Client.start(t, "./crowd.py", args);
    });
    this.all = [...this.clients];
  }

  /** What the members of a process are called. @param {Client} client */
  name(client) {
    return `p${this.all.indexOf(client)}`;
  }

  /** Waits until everybody is in the room, for the server too. */
  async joined() {
    await Promise.all(this.clients.map((client) => client.line(/^joined$/)));
    await this.server.line(new RegExp(`Connected to chat \\(${this.size}\\)`));
  }

  /** @param {string} line */
  tell(line) {
    this.clients.forEach((client) => client.type(line));
  }

  /** Waits until a process's first member has heard so many, or all of its own have come back.
   * @param {Client} client @param {number} messages */
  async heard(client, messages) {
    await until(`${client.name} hears ${messages}${client.said()}`, () => {
      assert.ok(client.isAlive(), `${client.name} ended${client.said()}`);
      return client.lines.some(
        (line) => line === "sent" || Number(/^heard (\d+)$/.exec(line)?.[1]) >= messages,
      );
    });
  }

  /** Waits until everybody who is left has heard all of its own, as long as they hear anything: how
   * long it takes is a matter of the machine. */
  async sent() {
    await Promise.all(
      this.clients.map(async (client) => {
        while (!client.lines.includes("sent")) {
          const seen = client.lines.length;
          await until(`${client.name} hears more${client.said()}`, () => {
            assert.ok(client.isAlive(), `${client.name} ended${client.said()}`);
            return client.lines.length > seen;
          });
        }
      }),
    );
  }

  /** Lets one say the last word, and gives what each has heard until then.
   * @returns {Promise<Report[]>} */
  async reports() {
    this.clients[0].type("fin");
    const lines = await Promise.all(this.clients.map((client) => client.end()));
    return lines.flat().flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  }
}

/** That so many members have each heard so much, in one order.
 * @param {Report[]} reports @param {number} members @param {number} messages */
function haveHeardTheSame(reports, members, messages) {
  assert.equal(reports.length, members);
  for (const { name, heard, wrong, order } of reports) {
    assert.deepEqual([name, heard, wrong], [name, messages, []]);
    assert.equal(order, reports[0].order, `${name} heard another order than ${reports[0].name}`);
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). @param {number} seed */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
