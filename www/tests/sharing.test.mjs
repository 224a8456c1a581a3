// @ts-check
// How the tabs of a browser share one stream of the server's events, on virtual time and without a
// browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { POLL_MS, Polled, RETRY_MS, Shared } from "../js/events.js";
import { BEAT_MS, GRACE_MS, SILENCE_MS_MAX, Sharing } from "../js/sharing.js";

/** @typedef {import("../js/events.js").Source} Source */

/** @param {string} type @param {number} at_ms */
function told(type, at_ms) {
  return JSON.stringify({ type, at_ms });
}

/** A server and a browser on a clock of the test's. @param {import("node:test").TestContext} t */
function browser(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let nowMs = 0;
  let isAway = false;
  /** @type {Tab[]} */
  const tabs = [];
  /** @type {Set<Stream>} */
  const streams = new Set();

  /** @type {(() => void)[]} What is posted and not heard yet. */
  const onTheWay = [];
  const carry = () => {
    for (let next = onTheWay.shift(); next; next = onTheWay.shift()) {
      next();
    }
  };

  class Stream {
    readyState = 1;
    /** @type {Source["onmessage"]} */
    onmessage = null;
    /** @type {Source["onerror"]} */
    onerror = null;

    constructor() {
      streams.add(this);
      setTimeout(() => {
        if (isAway) {
          this.refuse();
        } else {
          this.onmessage?.({ data: told("snapshot", nowMs) });
        }
      }, 1);
    }

    refuse() {
      this.readyState = 2;
      streams.delete(this);
      this.onerror?.();
    }

    close() {
      streams.delete(this);
    }
  }

  class Tab {
    /** @type {string[]} */
    heard = [];
    errors = 0;
    isFrozen = false;
    asked = 0;

    /** @param {string} name */
    constructor(name) {
      tabs.push(this);
      const ask = async () => {
        this.asked += 1;
        assert.ok(!isAway, "away");
        return told("snapshot", nowMs);
      };
      /** @type {import("../js/events.js").Channel} */
      const channel = {
        onmessage: null,
        postMessage: (/** @type {object} */ data) => this.#post(structuredClone(data)),
        close: () => {},
      };
      this.channel = channel;
      this.source = new Shared(channel, () => new Stream(), ask, () => nowMs, { tab: name, since: nowMs });
      this.source.onmessage = ({ data }) => this.heard.push(data);
      this.source.onerror = () => (this.errors += 1);
    }

    /** @param {object} data */
    #post(data) {
      if (this.isFrozen) {
        return;
      }
      for (const tab of tabs) {
        if (tab !== this && !tab.isFrozen) {
          onTheWay.push(() => tab.channel.onmessage?.(/** @type {any} */ ({ data })));
        }
      }
    }

    close() {
      this.source.close();
      carry();
      tabs.splice(tabs.indexOf(this), 1);
    }

    /** As a browser that crashes: not a word, and its connections are gone. */
    vanish() {
      this.isFrozen = true;
      const [mine] = streams;
      mine?.close();
      tabs.splice(tabs.indexOf(this), 1);
    }
  }

  return {
    open: (/** @type {string} */ name) => {
      const tab = new Tab(name);
      carry();
      return tab;
    },
    streams: () => streams.size,
    wait: async (/** @type {number} */ ms) => {
      for (const end = nowMs + ms; nowMs < end; ) {
        const step = Math.min(50, end - nowMs);
        nowMs += step;
        t.mock.timers.tick(step);
        carry();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    tell: (/** @type {string} */ data) => {
      streams.forEach((stream) => stream.onmessage?.({ data }));
      carry();
    },
    goAway: (is = true) => {
      isAway = is;
      if (is) {
        [...streams].forEach((stream) => stream.refuse());
        carry();
      }
    },
  };
}

test("ten tabs keep one stream, and all hear what it tells", async (t) => {
  const { open, streams, wait, tell } = browser(t);
  const tabs = [];
  for (let tab = 0; tab < 10; tab += 1) {
    tabs.push(open(`t${9 - tab}`));
    await wait(40);
  }
  await wait(GRACE_MS + 100);
  assert.equal(streams(), 1);
  for (const tab of tabs) {
    assert.match(tab.heard[0], /snapshot/, "everybody knows how it was before");
  }
  tell(told("changes", 9000));
  assert.ok(tabs.every((tab) => tab.heard.filter((data) => data.includes("9000")).length === 1));
  // For an hour.
  await wait(60_000);
  assert.equal(streams(), 1);
  assert.equal(tabs[0].asked, 0, "whoever reads asks nothing else");
});

test("ten tabs that are opened in the same moment agree as well", async (t) => {
  const { open, streams, wait } = browser(t);
  const tabs = Array.from({ length: 10 }, (_, tab) => open(`t${tab}`));
  await wait(GRACE_MS + 100);
  assert.equal(streams(), 1);
  assert.ok(tabs.every(({ heard }) => heard.length > 0));
});

test("when the reader leaves another reads at once, when it vanishes within seconds", async (t) => {
  const { open, streams, wait, tell } = browser(t);
  const tabs = [];
  for (const name of ["c", "b", "a"]) {
    tabs.push(open(name));
    await wait(500);
  }
  const [first, second, third] = tabs;
  first.close();
  await wait(50);
  assert.equal(streams(), 1);
  tell(told("changes", 7000));
  assert.match(third.heard[third.heard.length - 1], /7000/);
  second.vanish();
  await wait(BEAT_MS);
  assert.equal(streams(), 0, "nobody knows it yet");
  await wait(SILENCE_MS_MAX);
  assert.equal(streams(), 1);
  tell(told("changes", 17_000));
  assert.match(third.heard[third.heard.length - 1], /17000/);
});

test("a reader that was frozen and comes back is not one of two for long", async (t) => {
  const { open, streams, wait, tell } = browser(t);
  const first = open("a");
  await wait(500);
  const second = open("b");
  await wait(500);
  first.isFrozen = true;
  await wait(SILENCE_MS_MAX + 2 * BEAT_MS);
  assert.equal(streams(), 2, "the frozen one's is still open");
  first.isFrozen = false;
  await wait(2 * BEAT_MS);
  assert.equal(streams(), 1);
  const asked = second.asked;
  tell(told("changes", 20_000));
  for (const tab of [first, second]) {
    assert.equal(tab.heard.filter((data) => data.includes("20000")).length, 1);
  }
  assert.ok(asked >= 1, "whoever reads no more asks how everything is");
});

test("what is told while a new tab asks how everything is comes after that", async (t) => {
  const { open, wait, tell } = browser(t);
  open("a");
  await wait(500);
  const second = open("b");
  tell(told("changes", 1));
  tell(told("changes", 2));
  await wait(50);
  assert.deepEqual(second.heard.map((data) => JSON.parse(data).type), ["snapshot", "changes", "changes"]);
});

test("a server that is away is asked by one tab, and all say so until it is back", async (t) => {
  const { open, streams, wait, goAway } = browser(t);
  const tabs = [];
  for (const name of ["a", "b", "c"]) {
    tabs.push(open(name));
    await wait(500);
  }
  goAway();
  assert.ok(tabs.every(({ errors }) => errors > 0));
  const late = open("d");
  await wait(5 * RETRY_MS + 100);
  assert.equal(streams(), 0);
  assert.ok(late.errors > 0 && late.heard.length === 0);
  goAway(false);
  await wait(RETRY_MS + BEAT_MS);
  assert.equal(streams(), 1);
  for (const { heard } of [...tabs, late]) {
    assert.match(heard[heard.length - 1], /snapshot/);
  }
});

test("what else is said on the channel is harmless", () => {
  /** @type {object[]} */
  const said = [];
  const sharing = new Sharing("m", 5, 0, (each) => said.push(each));
  for (const rubbish of [
    null,
    7,
    "here",
    {},
    { type: "here" },
    { type: "here", tab: 1, since: 0 },
    { type: "here", tab: "a", since: "x" },
    { type: "here", tab: "m", since: 0 },
    { type: "gone" },
  ]) {
    sharing.hear(rubbish, 0);
  }
  assert.equal(sharing.follows, false);
  assert.equal(sharing.reads(0), false, "others may be about to say that they are there");
  assert.equal(sharing.reads(GRACE_MS), true);
  assert.equal(said.length, 1);
  for (let tab = 0; tab < 5000; tab += 1) {
    sharing.hear({ type: "here", tab: `z${tab}`, since: 9 }, 0);
  }
  assert.ok(said.length <= 1001);
});

test("a tab without a channel asks now and then, and keeps nothing open", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let [open, asked] = [0, 0];
  let isAway = false;
  const polled = new Polled(async () => {
    [open, asked] = [open + 1, asked + 1];
    await Promise.resolve();
    open -= 1;
    assert.ok(!isAway);
    return told("snapshot", asked);
  });
  /** @type {string[]} */
  const heard = [];
  let errors = 0;
  polled.onmessage = ({ data }) => heard.push(data);
  polled.onerror = () => (errors += 1);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  for (let times = 1; times <= 3; times += 1) {
    await settle();
    assert.deepEqual([heard.length, open], [times, 0]);
    t.mock.timers.tick(POLL_MS);
  }
  isAway = true;
  await settle();
  t.mock.timers.tick(POLL_MS);
  await settle();
  assert.equal(errors, 2);
  polled.close();
  t.mock.timers.tick(10 * POLL_MS);
  await settle();
  assert.equal(asked, 5);
});
