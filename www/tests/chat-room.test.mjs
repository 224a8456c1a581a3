// @ts-check
// How a page takes part in a chat, without a browser and without a server: on a clock of the test.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import {
  ANSWER_MS_MAX,
  ChatRoom,
  EVENTS_MAX,
  GRACE_MS,
  HISTORY_MS,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
  nameFrom,
} from "../js/chat-room.js";

const AT = "2026-01-02T03:04:05.678Z";

class FakeSocket {
  /** @type {string[]} */
  sent = [];
  isClosed = false;
  /** @type {any} */
  onopen = null;
  /** @type {any} */
  onmessage = null;
  /** @type {any} */
  onclose = null;

  /** @param {string} text */
  send(text) {
    this.sent.push(text);
  }

  close() {
    this.isClosed = true;
  }

  /** @param {object} event */
  tell(event) {
    this.onmessage?.({ data: JSON.stringify({ at: AT, ...event }) });
  }
}

/** A room, the sockets that it has opened under which names, and what it told. @param {string} name */
function roomOf(name = "") {
  const sockets = /** @type {FakeSocket[]} */ ([]);
  const names = /** @type {string[]} */ ([]);
  const told = { added: 0, replaced: 0, unsent: /** @type {string[]} */ ([]) };
  const room = new ChatRoom(
    name,
    (name) => {
      names.push(name);
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    {
      added: () => (told.added += 1),
      replaced: () => (told.replaced += 1),
      changed: () => {},
      unsent: (texts) => told.unsent.push(...texts),
    },
  );
  return { room, sockets, names, told };
}

/** @param {ChatRoom} room */
function texts(room) {
  return room.happenings.map(({ event }) => ("text" in event ? event.text : JSON.stringify(event)));
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

test("what was said before is there once, however often one joins", () => {
  const { room, sockets, told } = roomOf();
  room.enter();
  sockets[0].onopen();
  ["one", "two"].forEach((text) => sockets[0].tell({ from: "Ana", text }));
  assert.deepEqual([texts(room), told.replaced], [[], 0], "they come together");
  mock.timers.tick(HISTORY_MS);
  assert.deepEqual([texts(room), told], [["one", "two"], { added: 0, replaced: 1, unsent: [] }]);
  sockets[0].tell({ from: "Ana", text: "three" });
  assert.deepEqual([texts(room).length, told.added], [3, 1]);

  sockets[0].onclose({ reason: "" });
  mock.timers.tick(RETRY_MS_MIN);
  assert.deepEqual(texts(room), ["one", "two", "three"], "it stays until there is other");
  sockets[1].onopen();
  ["two", "three", "four"].forEach((text) => sockets[1].tell({ from: "Ana", text }));
  mock.timers.tick(HISTORY_MS);
  assert.deepEqual(texts(room), ["two", "three", "four"]);
});

test("who has a name is in the room as soon as it is told so", () => {
  const { room, sockets, told } = roomOf("Ana");
  room.enter();
  sockets[0].onopen();
  sockets[0].tell({ from: "Ana", text: "before" });
  sockets[0].tell({ joined: "Beto", members: 2 });
  assert.equal(told.replaced, 0);
  sockets[0].tell({ joined: "Ana", members: 3 });
  assert.equal(told.replaced, 1);
  assert.deepEqual(room.happenings.map(({ isMine }) => isMine), [true, false, false]);
  sockets[0].tell({ left: "Beto", members: 2 });
  assert.deepEqual([told.added, room.happenings.length], [1, 4]);
});

test("who has none learns its number from what it says", () => {
  const { room, sockets } = roomOf();
  room.enter();
  assert.equal(room.say("too early"), false);
  sockets[0].onopen();
  mock.timers.tick(HISTORY_MS);
  sockets[0].tell({ from: "#7", text: "not mine" });
  assert.equal(room.say("hola"), true);
  sockets[0].tell({ from: "Ana", text: "hola" });
  assert.equal(room.self, "");
  sockets[0].tell({ from: "#8", text: "hola" });
  assert.equal(room.self, "#8");
  sockets[0].tell({ from: "#8", text: "from another place" });
  assert.deepEqual(room.happenings.map(({ isMine }) => isMine), [false, false, true, true]);
});

test("what is no event of a chat is nothing", () => {
  const { room, sockets } = roomOf();
  room.enter();
  sockets[0].onopen();
  mock.timers.tick(HISTORY_MS);
  const bad = [
    "hola", "{", "null", "7", "[]", "{}", new ArrayBuffer(2),
    JSON.stringify({ from: "Ana", text: "no time" }),
    JSON.stringify({ from: "Ana", text: "bad time", at: "soon" }),
    JSON.stringify({ from: 7, text: "a number", at: AT }),
    JSON.stringify({ joined: "Ana", at: AT }),
    JSON.stringify({ joined: {}, members: 1, at: AT }),
  ];
  bad.forEach((data) => sockets[0].onmessage({ data }));
  assert.deepEqual(room.happenings, []);
});

test("a lost server is asked again with growing pauses", () => {
  const { room, sockets } = roomOf();
  room.enter();
  const pauses = /** @type {number[]} */ ([]);
  for (let attempt = 1; attempt < 12; attempt += 1) {
    sockets[attempt - 1].onclose({ reason: attempt === 1 ? "stopping" : "" });
    assert.deepEqual([room.link, room.reason], ["lost", "stopping"], "the last reason is kept");
    let pause = 0;
    for (; sockets.length === attempt; pause += 10) {
      mock.timers.tick(10);
    }
    pauses.push(pause);
    assert.equal(room.link, "joining");
  }
  pauses.forEach((pause, attempt) => {
    const longest = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** attempt);
    assert.ok(pause >= longest / 2 && pause <= longest + 10, `${pauses}`);
  });
  sockets[11].onopen();
  assert.deepEqual([room.link, room.reason], ["open", ""]);
  // One that lasted begins anew; one that did not, does not.
  mock.timers.tick(RETRY_MS_MAX + 1);
  sockets[11].onclose({ reason: "" });
  mock.timers.tick(RETRY_MS_MIN);
  assert.equal(sockets.length, 13);
});

test("whoever looks away for a moment stays, and leaves after it", () => {
  const { room, sockets } = roomOf("Ana");
  room.enter();
  sockets[0].onopen();
  room.leaveSoon();
  mock.timers.tick(GRACE_MS - 1);
  room.enter();
  mock.timers.tick(GRACE_MS);
  assert.deepEqual([sockets.length, sockets[0].isClosed], [1, false]);
  room.leaveSoon();
  mock.timers.tick(GRACE_MS);
  assert.equal(sockets[0].isClosed, true);
  mock.timers.tick(10 * RETRY_MS_MAX);
  assert.equal(sockets.length, 1, "nobody asks for it");
  room.enter();
  assert.equal(sockets.length, 2);

  // One that was lost is not asked for either, and at once by whoever comes back.
  sockets[1].onclose({ reason: "" });
  room.enter();
  assert.equal(sockets.length, 3);
  room.leaveSoon();
  mock.timers.tick(GRACE_MS);
  sockets[2].onclose?.({ reason: "" });
  mock.timers.tick(10 * RETRY_MS_MAX);
  assert.equal(sockets.length, 3);
});

test("what does not come back is given back, of a connection that died without a word too", () => {
  const { room, sockets, told } = roomOf();
  room.enter();
  sockets[0].onopen();
  mock.timers.tick(HISTORY_MS);
  room.say("one");
  room.say("two");
  mock.timers.tick(ANSWER_MS_MAX - 1);
  sockets[0].tell({ from: "#1", text: "one" });
  mock.timers.tick(ANSWER_MS_MAX - 1);
  assert.equal(room.link, "open", "it is waited for each by itself");
  mock.timers.tick(1);
  assert.deepEqual([room.link, sockets[0].isClosed, told.unsent], ["lost", true, ["two"]]);
});

test("another name is another member", () => {
  const { room, sockets, names } = roomOf();
  room.enter();
  sockets[0].onopen();
  room.rename("Ana");
  room.rename("Ana");
  assert.deepEqual([names, sockets[0].isClosed], [["", "Ana"], true]);
  assert.equal(room.self, "Ana");
});

test("a flood is kept as far as it is read", () => {
  const { room, sockets } = roomOf();
  room.enter();
  sockets[0].onopen();
  mock.timers.tick(HISTORY_MS);
  for (let count = 1; count <= EVENTS_MAX + 5; count += 1) {
    sockets[0].tell({ from: "#9", text: String(count) });
  }
  assert.equal(room.happenings.length, EVENTS_MAX);
  assert.equal(texts(room)[0], "6");
});

test("names are those that a server takes", () => {
  for (const [text, name] of /** @type {const} */ ([
    ["", ""],
    ["  Ana María ", "Ana María"],
    ["a".repeat(40), "a".repeat(40)],
    ["a".repeat(41), null],
    ["#7", null],
    [" #x", null],
    ["a\tb", null],
    ["a\u0085b", null],
    ["<b>x</b>", "<b>x</b>"],
  ])) {
    assert.equal(nameFrom(text), name, JSON.stringify(text));
  }
});
