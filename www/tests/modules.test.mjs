// @ts-check
// The page's modules that need no browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Activity, BUSY_WINDOW_MS, SILENCE_MS_MAX, SPEED_WINDOW_MS } from "../js/activity.js";
import { browserId, randomHex } from "../js/browser-id.js";
import { Choice } from "../js/choice.js";
import { agree, isAgreed } from "../js/consent.js";
import { ALLOWANCE_KEY, Lending } from "../js/lending.js";
import { serverUrl, serviceUrl } from "../js/server-url.js";
import { LANGUAGES } from "../js/strings.js";
import { TabState } from "../js/tab-state.js";
import { SAVE_INTERVAL_MS, TOTALS_KEY, Totals } from "../js/totals.js";

/** @returns {import("../js/keep.js").Keeper} */
function shelf() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

test("a machine lends all cores but one, and at least one", () => {
  const lent = (/** @type {Partial<import("../js/lending.js").Machine>} */ machine) => {
    return new Lending({ userAgent: "Test", ...machine }, shelf(), () => {}).allowance.cores;
  };
  assert.equal(lent({ hardwareConcurrency: 8 }), 7);
  assert.equal(lent({ hardwareConcurrency: 2 }), 1);
  assert.equal(lent({ hardwareConcurrency: 1 }), 1);
  assert.equal(lent({}), 1);
  for (const userAgent of ["X (Linux; Android 15)", "X (iPhone) Mobile/15E148"]) {
    assert.equal(lent({ hardwareConcurrency: 8, userAgent }), 1);
  }
  const tablet = { userAgent: "X (Linux; Android 15)", userAgentData: { mobile: false } };
  assert.equal(lent({ hardwareConcurrency: 8, ...tablet }), 7, "what the browser says comes first");
});

test("what was set is kept within what there is", () => {
  const keeper = shelf();
  const machine = { hardwareConcurrency: 4, userAgent: "Test" };
  let changes = 0;
  const lending = new Lending(machine, keeper, () => (changes += 1));
  lending.setCores(99);
  lending.setShare(31);
  assert.deepEqual(lending.allowance, { cores: 4, share_percent: 30 });
  assert.equal(changes, 2);
  const { allowance } = new Lending(machine, keeper, () => {});
  assert.deepEqual(allowance, lending.allowance);
  for (const kept of ["null", "7", '"x"', "[]", "{", '{"cores":null,"share":"9"}', '{"cores":1e999}']) {
    keeper.setItem(ALLOWANCE_KEY, kept);
    lending.reread();
    const byDefault = { cores: 3, share_percent: 100 };
    assert.deepEqual(lending.allowance, byDefault, kept);
  }
});

test("a browser that does not tell of its battery is plugged in", async () => {
  const getBattery = () => Promise.reject(new Error("forbidden"));
  const lending = new Lending({ userAgent: "Test", getBattery }, shelf(), () => {});
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lending.allowance.share_percent, 100);
  assert.equal(lending.spares, false);
});

test("a tab begins as it was left, and a new one as the last was", () => {
  const [browser, first, second] = [shelf(), shelf(), shelf()];
  assert.ok(new Choice(first, browser).isToRun);
  new Choice(first, browser).keep("no");
  assert.equal(new Choice(second, browser).isToRun, false);
  new Choice(first, browser).keep("yes");
  assert.equal(new Choice(second, browser).isToRun, false);
  assert.ok(new Choice(shelf(), browser).isToRun);
});

test("tabs add to the same sums, and write them seldom", () => {
  const keeper = shelf();
  let [writes, day] = [0, "Monday"];
  const counting = {
    ...keeper,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => {
      writes += 1;
      keeper.setItem(key, value);
    },
  };
  const [one, other] = [1, 2].map(() => new Totals(counting, () => day));
  for (let now = 0; now < 10 * SAVE_INTERVAL_MS; now += 100) {
    one.add(2, 50, now);
    other.add(1, 100, now);
    assert.ok(one.sums.ever.tasks >= one.here.tasks);
  }
  assert.equal(writes, 20);
  one.save(0);
  other.save(0);
  const count = (10 * SAVE_INTERVAL_MS) / 100;
  const sum = { tasks: 3 * count, ms: 150 * count };
  assert.deepEqual(one.sums, { today: sum, ever: sum });
  assert.deepEqual(other.here, { tasks: count, ms: 100 * count });

  // What is not written at midnight belongs to the day that ends.
  const late = 20 * SAVE_INTERVAL_MS;
  one.add(1, 0, late);
  one.add(1, 0, late);
  day = "Tuesday";
  assert.equal(one.sums.today.tasks, 0);
  one.add(5, 0, late + 1);
  assert.equal(one.sums.today.tasks, 5);
  assert.equal(one.sums.ever.tasks, sum.tasks + 7);

  // Nor does what a tab has left from yesterday take today from the others.
  day = "Monday";
  const idle = new Totals(counting, () => day);
  idle.add(1, 0, late);
  idle.add(1, 0, late + 1);
  day = "Tuesday";
  one.add(5, 0, late + SAVE_INTERVAL_MS + 2);
  idle.save(late + SAVE_INTERVAL_MS + 3);
  assert.equal(one.sums.today.tasks, 10);
  assert.equal(one.sums.ever.tasks, sum.tasks + 14);
});

test("sums that make no sense are begun anew", () => {
  for (const kept of ["x", "[]", "7", '{"ever":{"tasks":-1,"ms":0}}', '{"ever":{"tasks":"9","ms":[]}}']) {
    const keeper = shelf();
    keeper.setItem(TOTALS_KEY, kept);
    const totals = new Totals(keeper, () => "Monday");
    totals.add(1, 2, 0);
    assert.deepEqual(totals.sums.ever, { tasks: 1, ms: 2 }, kept);
  }
});

const WORK = { op: "repeat_multiply", job: 1 };
const PIECE = { tasks: 10, sharePercent: 100 };

test("a slot is as busy as its pieces say", () => {
  const activity = new Activity();
  activity.begin(0, WORK, 0);
  let now = 0;
  for (; now < 2 * BUSY_WINDOW_MS; now += 100) {
    activity.computed(0, { ...PIECE, durationMs: 40 }, now);
  }
  // Between two pieces nothing is known of the next one, and nothing changes.
  for (const later of [0, 50, 99]) {
    assert.equal(activity.slots[0].busy(now - 100 + later), 40);
  }
  activity.idle(0, now);
  assert.ok(activity.slots[0].busy(now + BUSY_WINDOW_MS / 2) < 25);
  assert.equal(activity.slots[0].busy(now + BUSY_WINDOW_MS), 0);
});

test("a long piece counts while it is computed, and once when it has been", () => {
  const activity = new Activity();
  activity.begin(0, WORK, 0);
  const [slot] = activity.slots;
  assert.equal(slot.busy(SILENCE_MS_MAX - 1), 0);
  assert.equal(slot.busy(BUSY_WINDOW_MS), 100);
  assert.equal(slot.busy(10 * BUSY_WINDOW_MS), 100);
  const end = 10 * BUSY_WINDOW_MS + 1;
  activity.computed(0, { tasks: 1, durationMs: end, sharePercent: 50 }, end);
  assert.equal(slot.busy(end), 100);
  // At half its share it rests as long as it has computed.
  assert.equal(slot.busy(end + end), 100, "what is known is of the time before");
  activity.idle(0, end + 1);
  assert.equal(slot.busy(end + 1 + BUSY_WINDOW_MS), 0);
});

test("the speed is that of the last seconds, from the first result on", () => {
  const activity = new Activity();
  assert.equal(activity.speed(0), 0);
  for (let now = 100_000; now <= 103_000; now += 500) {
    activity.computed(0, { ...PIECE, durationMs: 500 }, now);
  }
  assert.equal(activity.speed(103_000), 20);
  assert.equal(activity.speed(103_000 + SPEED_WINDOW_MS), 0);
  activity.computed(0, { tasks: 5, durationMs: 0, sharePercent: 100 }, 200_000);
  assert.equal(activity.speed(200_000), 5, "not that of a moment");
});

test("what is computed is named once, and a moment longer", () => {
  const activity = new Activity();
  activity.resize(3);
  activity.begin(0, WORK, 0);
  activity.begin(1, { ...WORK }, 0);
  activity.begin(2, { text: "1 × 2^3" }, 0);
  activity.begin(9, WORK, 0);
  assert.deepEqual(activity.work(0), [WORK, { text: "1 × 2^3" }]);
  activity.idle(2, 10);
  assert.equal(activity.work(500).length, 2);
  assert.equal(activity.work(5000).length, 1);
  activity.resize(1);
  activity.stop();
  assert.deepEqual([activity.slots.length, activity.work(5000)], [1, []]);
});

test("a tab's state follows its person first, and its coordinator next", () => {
  /** @type {string[]} */
  const told = [];
  const tab = new TabState("ready", (word) => told.push(word));
  assert.equal(tab.state, "ready");
  tab.start();
  assert.deepEqual([tab.state, told.length], ["starting", 0], "nobody listens yet");
  tab.listens();
  tab.linked("connecting");
  tab.linked("connected");
  assert.deepEqual([tab.state, tab.isAtWork], ["connected", true]);
  tab.finish();
  tab.linked("waiting");
  assert.deepEqual([tab.state, tab.isAtWork], ["finishing", true]);
  tab.paused();
  assert.deepEqual([tab.state, tab.isAtWork], ["paused", false]);
  tab.start();
  assert.equal(tab.state, "starting");
  tab.failed(true);
  assert.deepEqual([tab.state, tab.canRetry], ["failed", true]);
  tab.linked("connecting");
  assert.deepEqual([tab.state, tab.canRetry], ["connecting", false]);
  tab.pause();
  tab.start();
  tab.paused();
  assert.equal(tab.state, "starting", "the pause is over before it was there");
  assert.deepEqual(told, ["start", "finish", "start", "pause", "start"]);

  tab.finish();
  tab.failed(true);
  tab.paused();
  assert.equal(tab.state, "paused", "Start mends what could be tried again");
  tab.failed(false);
  tab.paused();
  assert.equal(tab.state, "failed", "and nothing else");

  const early = new TabState("running", (word) => told.push(word));
  early.pause();
  early.listens();
  assert.deepEqual([early.state, told.length], ["paused", 6], "nothing had begun");
});

test("a server is the page's own by its name, its port and its path", () => {
  /** @param {string} search */
  const isOwn = (search) => {
    const server = serverUrl(new URL(`http://tequio.example:8765/${search}`));
    return "isOwn" in server && server.isOwn;
  };
  for (const own of ["", "?server=http://tequio.example:8765", "?auto=0"]) {
    assert.equal(isOwn(own), true, own);
  }
  for (const other of ["https://tequio.example:8765", "http://tequio.example", "ws://tequio.example:8765"]) {
    assert.equal(isOwn(`?server=${other}`), false, other);
  }
});

test("a server is foreign if it is neither the page's own nor on this machine", () => {
  /** @param {string} given @param {string} [folder] */
  const isForeign = (given, folder = "") => {
    const page = `http://tequio.example:8765/${folder}`;
    const server = serverUrl(new URL(`${page}?server=${encodeURIComponent(given)}`));
    assert.ok("isForeign" in server, given);
    return server.isForeign;
  };
  const own = serverUrl(new URL("http://tequio.example:8765/"));
  assert.ok("isForeign" in own && !own.isForeign);
  for (const near of [
    "ws://localhost:8765",
    "ws://LOCALHOST:1",
    "ws://localhost.:1",
    "wss://me.localhost",
    "http://127.0.0.1:9000",
    "ws://127.1",
    "ws://0x7f.1:1/ws",
    "ws://[::1]:8765",
    "ws://tequio.example:8765",
    "ws://tequio.example:8765/echo",
    "http://tequio.example:8765/room/",
  ]) {
    assert.equal(isForeign(near), false, near);
  }
  for (const foreign of [
    "ws://192.168.1.20:8765",
    "ws://localhost.evil.example",
    "ws://127.0.0.1.evil.example",
    "ws://localhost@evil.example",
    "http://127.evil.example",
    "ws://evil-localhost",
    "ws://0.0.0.0:8765",
    "ws://[::2]",
    "ws://tequio.example:8766",
    "wss://tequio.example:8765",
    "ws://sub.tequio.example:8765",
  ]) {
    assert.equal(isForeign(foreign), true, foreign);
  }
  // One host, and behind its proxy a server of each person's.
  assert.equal(isForeign("http://tequio.example:8765/ana/tequio/", "ana/tequio/"), false);
  assert.equal(isForeign("ws://tequio.example:8765/ana/tequio/echo", "ana/tequio/"), false);
  assert.equal(isForeign("http://tequio.example:8765/eve/tequio/", "ana/tequio/"), true);
});

test("a server that was agreed to is remembered, whatever is said to it, and not for ever", () => {
  const keeper = shelf();
  /** @param {string} url */
  const server = (url) => ({ url, takesLeases: true, isOwn: false, hasKernels: false, isForeign: true });
  const lab = server("ws://lab.example/ws");
  assert.equal(isAgreed(lab, keeper), false);
  agree(lab, keeper);
  assert.equal(isAgreed(lab, keeper), true);
  assert.equal(isAgreed(server("ws://lab.example/ws?room=1"), keeper), true);
  for (const other of ["wss://lab.example/ws", "ws://lab.example/", "ws://lab.example.evil/ws"]) {
    assert.equal(isAgreed(server(other), keeper), false, other);
  }
  assert.equal(isAgreed({ ...server("ws://127.0.0.1/ws"), isForeign: false }, keeper), true);
  assert.equal(isAgreed({ bad: "nowhere" }, keeper), true, "which is no server to be asked about");
  for (let number = 0; number < 30; number += 1) {
    agree(server(`ws://${number}.example/ws`), keeper);
  }
  assert.equal(isAgreed(lab, keeper), false, "as many others were named since");
  assert.equal(isAgreed(server("ws://29.example/ws"), keeper), true);
});

test("a server's other services are beside its tabs' own, else at its root", () => {
  for (const [search, echo] of /** @type {const} */ ([
    ["", "ws://tequio.example:8765/echo"],
    ["?server=https://other.example", "wss://other.example/echo"],
    ["?server=wss://other.example/tequio/ws?x=1", "wss://other.example/tequio/echo"],
    ["?server=ws://192.168.1.20:8765", "ws://192.168.1.20:8765/echo"],
    ["?server=ws://192.168.1.20:8765/class/tasks?x=1", "ws://192.168.1.20:8765/echo"],
  ])) {
    const server = serverUrl(new URL(`http://tequio.example:8765/${search}`));
    assert.ok("url" in server);
    assert.equal(serviceUrl(server, "echo").href, echo, search);
  }
});

test("ids are random, as long as asked, and kept", () => {
  assert.match(randomHex(8), /^[0-9a-f]{16}$/);
  assert.notEqual(randomHex(8), randomHex(8));
  const keeper = shelf();
  assert.equal(browserId(keeper), browserId(keeper));
});

test("times and speeds are said in words of a fitting size", () => {
  const { en, es } = LANGUAGES;
  const said = [0, 59_999, 200_000, 3_600_000, 47 * 3_600_000, 50 * 3_600_000];
  const durations = [0, 0.1234, 12.345, 999.4, 1000, 12_345];
  for (const strings of [en, es]) {
    assert.deepEqual(
      said.map((ms) => strings.longTime(ms)),
      ["0 s", "59 s", "3 min 20 s", "1 h 0 min", "47 h 0 min", "2 d 2 h"],
    );
    assert.deepEqual(
      durations.map((ms) => strings.duration(ms)),
      ["< 0.1 ms", "0.123 ms", "12.3 ms", "999 ms", "1.00 s", "12.35 s"],
    );
    assert.equal(strings.time(new Date(2026, 2, 3, 0, 5, 9)), "00:05:09");
  }
  const speeds = [0, 0.25, 9.99, 1234.4];
  const numbers = ["0", "0.3", "10.0", "1,234"];
  assert.deepEqual(
    speeds.map((speed) => en.tasksPerSecond(speed)),
    numbers.map((number) => `${number} tasks a second`),
  );
  assert.deepEqual(
    speeds.map((speed) => es.tasksPerSecond(speed)),
    numbers.map((number) => `${number} tareas por segundo`),
  );
});
