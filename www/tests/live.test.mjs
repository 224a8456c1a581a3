// @ts-check
// What the page knows of everybody's work, and how it stays in touch with the server; without either.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HISTORY_S, Live, LiveState, RETRY_MS, SILENCE_MS_MAX, STREAM_MS } from "../js/live.js";

/** @typedef {import("../js/protocol.js").Bar} Bar */
/** @typedef {import("../js/protocol.js").Changes} Changes */
/** @typedef {import("../js/protocol.js").JobView} JobView */
/** @typedef {import("../js/protocol.js").LiveEvent} LiveEvent */
/** @typedef {import("../js/protocol.js").Snapshot} Snapshot */
/** @typedef {import("../js/protocol.js").Throughput} Throughput */
/** @typedef {import("../js/protocol.js").WorkerView} WorkerView */

/** @param {number} id @param {number} done */
function job(id, done) {
  return /** @type {JobView} */ ({ id, name: `job ${id}`, done, total: 100 });
}

/** @param {number} id @param {number} idle_s */
function worker(id, idle_s) {
  return /** @type {WorkerView} */ ({ id, idle_s, connected_s: 60, program: "Firefox 153", results: 0, rate: 0 });
}

/** @param {number} id @param {number | null} endMs @returns {Bar} */
function bar(id, endMs) {
  const end = endMs === null ? null : { at_ms: endMs, how: /** @type {const} */ ("answered") };
  return { id, worker: 1, slot: 0, job: 1, tasks: 1, from_ms: 0, end };
}

/** @param {number} first_s @param {number} count @param {Throughput["tasks"]} tasks @returns {Throughput} */
function seconds(first_s, count, tasks = {}) {
  return { first_s, count, tasks };
}

/** @param {Partial<Snapshot>} what @returns {LiveEvent} */
function snapshot(what) {
  const nothing = { jobs: [], jobs_omitted: 0, workers: [], rows: [], bars: [] };
  return { type: "snapshot", at_ms: 0, started_at_ms: 1, throughput: seconds(0, 0), ...nothing, ...what };
}

/** @param {Partial<Changes>} what @returns {LiveEvent} */
function changes(what) {
  const lists = { jobs: [], jobs_gone: [], workers: [], pulses: [], workers_gone: [], bars: [] };
  const nothing = { jobs_omitted: 0, throughput: seconds(0, 0), rows: null, ...lists };
  return { type: "changes", at_ms: 0, ...nothing, ...what };
}

test("what is told of is as it was told last, however often that is", () => {
  const state = new LiveState();
  const first = { at_ms: 9000, jobs: [job(1, 5), job(2, 0)], jobs_omitted: 7 };
  state.apply(snapshot({ ...first, workers: [worker(3, 2)], bars: [bar(8, null)] }));
  assert.deepEqual([...state.jobs.keys()], [1, 2]);
  assert.equal(state.workers.get(3)?.heardMs, 7000);
  const change = changes({
    at_ms: 10_000,
    jobs: [job(1, 6), job(4, 0)],
    jobs_gone: [2],
    workers: [worker(5, 0)],
    workers_gone: [3],
    rows: [{ worker: 5, slots: 2 }],
    bars: [bar(8, 9500), bar(9, null)],
  });
  for (let times = 0; times < 2; times += 1) {
    state.apply(change);
    assert.deepEqual([...state.jobs.values()].map(({ id, done }) => [id, done]), [[1, 6], [4, 0]]);
    assert.deepEqual([...state.workers.keys()], [5]);
    assert.deepEqual(state.rows, [{ worker: 5, slots: 2 }]);
    assert.deepEqual([...state.bars.values()].map(({ id, end }) => [id, end?.at_ms]), [[8, 9500], [9, undefined]]);
    assert.equal(state.jobsOmitted, 0);
  }
  state.apply(changes({ at_ms: 11_000 }));
  assert.deepEqual(state.rows, [{ worker: 5, slots: 2 }], "rows that are not told of stay");
  state.apply(snapshot({ at_ms: 50 }));
  assert.deepEqual([state.jobs.size, state.workers.size, state.bars.size, state.atMs], [0, 0, 0, 50]);
});

test("a pulse changes what it says of its worker, and makes none", () => {
  const state = new LiveState();
  state.apply(snapshot({ at_ms: 1000, workers: [worker(1, 0)] }));
  const pulse = { leases: 2, tasks: 20, results: 10, rate: 5, errors: 1, refused: 0, lag_ms: 3 };
  state.apply(changes({ at_ms: 4000, pulses: [1, 2].map((id) => ({ id, idle_s: 1, ...pulse })) }));
  const [only, ...others] = [...state.workers.values()];
  assert.deepEqual(others, []);
  assert.deepEqual([only.program, only.results, only.lag_ms, only.heardMs], ["Firefox 153", 10, 3, 3000]);
});

test("since when a worker is there stays as it was told", () => {
  const state = new LiveState();
  state.apply(snapshot({ at_ms: 90_000, workers: [worker(3, 2)] }));
  const counts = { leases: 1, tasks: 9, results: 7, errors: 0, refused: 0 };
  const pulse = { id: 3, idle_s: 1, rate: 2, lag_ms: null, ...counts };
  state.apply(changes({ at_ms: 110_000, pulses: [pulse] }));
  const told = state.workers.get(3);
  assert.deepEqual([told?.heardMs, told?.connected_s], [109_000, 80]);
});

test("seconds are put where they belong, those that nobody told of being empty", () => {
  const state = new LiveState();
  const shown = () => ({
    from: state.throughput.firstS,
    count: state.throughput.count,
    tasks: Object.fromEntries(state.throughput.tasks),
  });
  state.apply(snapshot({ throughput: seconds(10, 3, { chrome: [1, 0, 2] }) }));
  assert.deepEqual(shown(), { from: 10, count: 3, tasks: { chrome: [1, 0, 2] } });
  // One is told twice, and one kind is new.
  state.apply(changes({ throughput: seconds(12, 2, { chrome: [2, 3], native: [0, 9] }) }));
  assert.deepEqual(shown().tasks, { chrome: [1, 0, 2, 3], native: [0, 0, 0, 9] });
  // Between, nothing happened.
  state.apply(changes({ throughput: seconds(17, 1, { native: [4] }) }));
  assert.deepEqual(shown().tasks.native, [0, 0, 0, 9, 0, 0, 0, 4]);
  assert.deepEqual(shown().tasks.chrome.length, 8);
  // A telling of nothing says nothing of seconds either.
  state.apply(changes({}));
  assert.equal(shown().count, 8);
  state.apply(changes({ throughput: seconds(10 + HISTORY_S, 1, { native: [1] }) }));
  assert.deepEqual([shown().from, shown().count], [11, HISTORY_S]);
  assert.deepEqual(shown().tasks.chrome.slice(0, 3), [0, 2, 3], "what is older is forgotten");
});

test("bars are forgotten when they are too old to be seen", () => {
  const state = new LiveState();
  state.apply(snapshot({ bars: [bar(1, 10), bar(2, null), bar(3, 20)] }));
  state.apply(changes({ at_ms: STREAM_MS + 15 }));
  assert.deepEqual([...state.bars.keys()], [2, 3]);
});

/** A connection on a clock of the test's, with every source that it opened.
 * @param {import("node:test").TestContext} t */
function connect(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {{ readyState: number, onmessage: any, onerror: any, isClosed: boolean, close: () => void }[]} */
  const sources = [];
  const open = () => {
    const source = {
      readyState: 0,
      onmessage: null,
      onerror: null,
      isClosed: false,
      close: () => (source.isClosed = true),
    };
    sources.push(source);
    return source;
  };
  const clock = { ms: 0 };
  /** @type {string[]} */
  const links = [];
  const live = new Live(() => links.push(live.link), open, () => clock.ms);
  live.start();
  const wait = (/** @type {number} */ ms) => {
    clock.ms += ms;
    t.mock.timers.tick(ms);
  };
  const tell = (/** @type {LiveEvent} */ event) => {
    sources[sources.length - 1].onmessage({ data: JSON.stringify(event) });
  };
  return { live, sources, links, wait, tell };
}

test("the server's time goes on between its tellings, and stands while it is away", (t) => {
  const { live, sources, wait, tell } = connect(t);
  assert.equal(live.link, "asking");
  tell(snapshot({ at_ms: 5000 }));
  wait(700);
  assert.equal(live.nowMs, 5700);
  sources[0].onerror();
  wait(700);
  assert.deepEqual([live.link, live.nowMs], ["lost", 5000]);
});

test("of a page that was hidden the time stands, until it is told anew", (t) => {
  const { live, wait, tell } = connect(t);
  tell(snapshot({ at_ms: 5000, workers: [worker(3, 0)] }));
  wait(700);
  live.stop();
  wait(16_000);
  assert.deepEqual([live.link, live.nowMs, live.state.workers.size], ["asking", 5000, 1]);
  live.start();
  wait(300);
  assert.deepEqual([live.link, live.nowMs], ["asking", 5000]);
  tell(snapshot({ at_ms: 22_000 }));
  wait(300);
  assert.deepEqual([live.link, live.nowMs], ["live", 22_300]);
});

test("a server that has nothing to say from the beginning is away", (t) => {
  const { live, wait } = connect(t);
  wait(SILENCE_MS_MAX);
  assert.equal(live.link, "lost");
});

test("a stream that is refused is asked for again, and one that breaks asks by itself", (t) => {
  const { live, sources, links, wait, tell } = connect(t);
  sources[0].readyState = 2;
  sources[0].onerror();
  assert.equal(live.link, "lost");
  wait(RETRY_MS);
  assert.deepEqual(sources.map(({ isClosed }) => isClosed), [true, false]);
  tell(snapshot({}));
  assert.equal(live.link, "live");
  sources[1].onerror();
  wait(RETRY_MS);
  assert.equal(sources.length, 2, "the browser is at it");
  tell(snapshot({}));
  assert.equal(live.link, "live");
  assert.deepEqual(links.filter((link, at) => link !== links[at - 1]), ["lost", "live", "lost", "live"]);
});

test("a stream that has gone silent is given up", (t) => {
  const { live, sources, wait, tell } = connect(t);
  tell(snapshot({}));
  wait(SILENCE_MS_MAX - 1);
  tell(changes({}));
  wait(SILENCE_MS_MAX - 1);
  assert.equal(live.link, "live");
  wait(1);
  assert.deepEqual([live.link, sources.length, sources[0].isClosed], ["lost", 2, true]);
  live.stop();
  wait(10 * SILENCE_MS_MAX);
  assert.deepEqual(sources.map(({ isClosed }) => isClosed), [true, true], "who stops asks no more");
});
