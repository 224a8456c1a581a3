// @ts-check
// The panels of throughput and of the task stream: how they reckon, and what they show of real
// workers of a real server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { LiveState } from "../js/live.js";
import { barAt, edges, heightFor, keptMs, layOut, ROW_MAX, ROW_MIN, summaries } from "../js/stream-layout.js";
import {
  firstBusy,
  KINDS,
  kindsIn,
  knownEnd,
  minutes,
  present,
  rate,
  rates,
  roundUp,
  stack,
  STEP_PX_MIN,
  stepFor,
  TOLD_LATE_S_MAX,
} from "../js/throughput-series.js";
import { violations } from "./axe.mjs";
import { simulateWorker } from "./simulated-worker.mjs";
import { Browser, ENDLESS, NO_CONNECTION, Server, WELCOME_RESULT, inState, numberIn, overflows, until, variable } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../js/live.js").LiveState["throughput"]} Throughput */
/** @typedef {import("../js/protocol.js").HowEnded} HowEnded */
/** @typedef {import("../js/protocol.js").Bar} Bar */

// ---- Seconds ------------------------------------------------------------------------------------

/** @param {number} firstS @param {Partial<Record<import("../js/protocol.js").WorkerKind, number[]>>} tasks
 * @returns {Throughput} */
function history(firstS, tasks) {
  const lists = new Map(Object.entries(tasks));
  const count = Math.max(0, ...[...lists.values()].map((list) => list.length));
  return /** @type {Throughput} */ ({ firstS, count, tasks: lists });
}

test("a span has steps that are wide enough, whose sum is what was done", () => {
  for (const spanS of [5, 60, 300, 900, 3600]) {
    for (const width of [200, 700, 2000]) {
      const stepS = stepFor(spanS, width);
      assert.ok((width * stepS) / spanS >= STEP_PX_MIN, `${spanS} s in ${width} px`);
    }
  }
  assert.deepEqual([60, 300, 3600].map((spanS) => stepFor(spanS, 640)), [1, 2, 20]);
  const seconds = Array.from({ length: 3600 }, (_, index) => index % 97);
  const throughput = history(7, { chrome: seconds, native: seconds });
  for (const stepS of [1, 2, 15]) {
    const span = { fromS: 7, toS: 3607 };
    const { steps, rates: found } = rates(throughput, ["native", "chrome"], span, stepS);
    const done = found[1].map((value, index) => value * (steps[index].toS - steps[index].fromS));
    const sum = seconds.reduce((all, one) => all + one, 0);
    assert.ok(Math.abs(done.reduce((all, one) => all + one, 0) - sum) < 1e-6);
    assert.deepEqual([steps[0].fromS, steps.at(-1)?.toS], [7, 3607]);
    steps.slice(1).forEach((step, index) => assert.equal(step.fromS, steps[index].toS));
  }
});

test("a step stays the same while the view moves on", () => {
  const throughput = history(0, { other: Array.from({ length: 100 }, (_, index) => index * index) });
  const at = (/** @type {number} */ toS) => {
    const { steps, rates: found } = rates(throughput, ["other"], { fromS: toS - 40, toS }, 5);
    return new Map(steps.map(({ fromS }, index) => [fromS, found[0][index]]));
  };
  const [before, after] = [at(90), at(92)];
  for (const fromS of [55, 60, 80, 85]) {
    assert.equal(before.get(fromS), after.get(fromS));
    assert.ok(before.has(fromS));
  }
});

test("what was not told is not known at first, and nothing later", () => {
  const throughput = history(10, { edge: [3, 3, 3, 3] });
  assert.equal(knownEnd(throughput, 14_900), 14);
  assert.equal(knownEnd(throughput, (20 + TOLD_LATE_S_MAX) * 1000), 20);
  assert.equal(rate(throughput, "edge", present(throughput, 14)), 3);
  assert.equal(rate(throughput, "edge", present(throughput, 15)), 2);
  assert.equal(rate(throughput, "edge", present(throughput, 20)), 0);
  const young = history(10, { edge: [8] });
  assert.equal(rate(young, "edge", present(young, 11)), 8, "of the seconds that there were");
  assert.equal(rate(throughput, "chrome", present(throughput, 14)), 0);
});

test("layers are stacked in the order of the kinds that did something", () => {
  const throughput = history(0, { other: [1, 0], chrome: [2, 3], safari: [0, 0], native: [4, 5] });
  const kinds = kindsIn(throughput);
  assert.deepEqual(kinds, ["native", "chrome", "other"]);
  const { rates: found } = rates(throughput, kinds, { fromS: 0, toS: 2 }, 1);
  assert.deepEqual(stack(found), [[4, 5], [6, 8], [7, 8]]);
  assert.deepEqual(stack([]), []);
});

test("minutes are those of the clock on the wall", () => {
  const throughput = history(0, { native: Array.from({ length: 150 }, () => 2) });
  // The server started 20.5 s after a full minute.
  const rows = minutes(throughput, ["native", "chrome"], 150, 600_020_500, 9);
  assert.deepEqual(
    rows.map(({ atMs, tasks }) => [atMs, tasks]),
    [
      [600_120_000, [2 * 50, 0]],
      [600_060_000, [2 * 60, 0]],
      [600_000_000, [2 * 40, 0]],
    ],
  );
  assert.equal(minutes(throughput, ["native"], 150, 0, 2).length, 2);
  assert.deepEqual(minutes(history(0, {}), [], 0, 0, 9), []);
});

test("the top of an axis is round, not below, and not far above", () => {
  for (const value of [0, 1, 1.01, 7, 99, 100, 101, 1234, 8.1e8]) {
    const top = roundUp(value);
    assert.ok(top >= value && top <= Math.max(1, value) * 1.5, `${value}: ${top}`);
    assert.ok(Number(top.toPrecision(2)) === top);
  }
});

// ---- Bars ---------------------------------------------------------------------------------------

/** @param {number} id @param {number} slot @param {number} from_ms @param {number | null} at_ms
 * @param {HowEnded} [how] @returns {Bar} */
function bar(id, slot, from_ms, at_ms, how = "answered") {
  const end = at_ms === null ? null : { at_ms, how };
  return { id, worker: 7, slot, job: 1, tasks: 10, from_ms, end };
}

/** A worker 7 of two slots that is here since 40 s, and a worker 8 that has left.
 * @param {Bar[]} bars */
function state(bars) {
  const found = new LiveState();
  found.rows = [{ worker: 7, slots: 2 }, { worker: 8, slots: 1 }];
  found.bars = new Map(bars.map((each) => [each.id, each]));
  const seen = { heardMs: 99_000, idle_s: 1, connected_s: 60 };
  const worker = /** @type {import("../js/live.js").ShownWorker} */ ({ id: 7, slots: 2, ...seen });
  found.workers.set(7, worker);
  return found;
}

test("rows are as high as there is room for, and never too low to be seen", () => {
  assert.equal(heightFor(0), ROW_MAX);
  assert.equal(heightFor(1), ROW_MAX);
  assert.equal(heightFor(128), ROW_MIN);
  for (let rows = 2; rows < 200; rows += 1) {
    assert.ok(heightFor(rows) <= heightFor(rows - 1));
  }
});

test("it is idle only when and where that is known", () => {
  const lost = { ...bar(2, 0, 90_000, 95_000, "lost"), worker: 8 };
  const found = layOut(state([bar(1, 0, 70_000, null), lost]), 100_000, 80_000, 100);
  assert.deepEqual(
    found.groups.map(({ worker, isHere, fromMs, toMs }) => [worker, isHere, fromMs, toMs]),
    [
      [7, true, 40_000, 100_000],
      [8, false, 90_000, 95_000],
    ],
  );
  // Once nothing of one that has left is in view, its row is gone.
  const later = layOut(state([bar(1, 0, 70_000, null), lost]), 100_000, 4000, 100);
  assert.deepEqual(later.groups.map(({ worker }) => worker), [7]);
  // Where older bars have been forgotten, it may have been busy.
  const full = layOut(state([bar(1, 0, 70_000, null), lost]), 100_000, 80_000, 2);
  assert.equal(full.groups[0].fromMs, 70_000);
  assert.deepEqual(full.groups.map(({ maybeMs }) => maybeMs), [40_000, 20_000]);
  assert.equal(keptMs(full), 30_000);
  assert.equal(keptMs(found), null);
  const short = layOut(state([bar(1, 0, 70_000, null), lost]), 100_000, 30_000, 2);
  assert.equal(keptMs(short), null, "all that is shown is known");
  assert.deepEqual(layOut(new LiveState(), 0, 60_000, 2).groups, []);
});

test("bars are sharp, apart, and never too short to be seen", () => {
  const found = layOut(state([]), 100_000, 60_000, 100);
  assert.deepEqual(edges(40_000, 100_000, found, 600), [0, 599]);
  assert.deepEqual(edges(50_000, 51_000, found, 600), [100, 109]);
  assert.deepEqual(edges(51_000, 52_000, found, 600), [110, 119]);
  assert.deepEqual(edges(50_000, 50_001, found, 600), [100, 101]);
  assert.deepEqual(edges(0, 50_000, found, 600), [0, 99]);
  const [left, right] = edges(100_000, 100_000, found, 600);
  assert.ok(left < right && right <= 600);
});

test("what was recorded first is found", () => {
  /** @param {number[][]} lists */
  const first = (...lists) => {
    const kinds = KINDS.slice(0, lists.length);
    const tasks = new Map(kinds.map((kind, index) => [kind, lists[index]]));
    return firstBusy({ firstS: 100, count: 4, tasks });
  };
  assert.equal(first([0, 0, 0, 7], [0, 3, 0, 0]), 101);
  assert.equal(first([0, 0, 0, 0]), 104);
  assert.equal(first(), 104);
});

test("what one points at is the bar below, or the nearest", () => {
  const bars = [bar(1, 0, 40_000, 50_000), bar(2, 0, 60_000, null), bar(3, 1, 40_000, 100_000)];
  const found = layOut(state(bars), 100_000, 60_000, 100);
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    barAt(found, 600, x, y, 4)?.id ?? null;
  assert.equal(at(50, 3), 1);
  assert.equal(at(102, 3), 1);
  assert.equal(at(150, 3), null);
  assert.equal(at(300, 3), 2);
  assert.equal(at(150, found.rowHeight + 3), 3);
  assert.equal(at(50, 1000), null);
  assert.equal(at(50, -1), null);
});

test("what came of leases is counted, and how much of the time it took", () => {
  const bars = [
    bar(1, 0, 40_000, 70_000),
    bar(2, 0, 70_000, 100_000, "returned"),
    bar(3, 1, 85_000, null),
    bar(4, 1, 80_000, 85_000, "lost"),
  ];
  const found = summaries(layOut(state(bars), 100_000, 60_000, 100)).get(7);
  const busy = (30 + 30 + 15 + 5) / (2 * 60);
  assert.deepEqual({ ...found, busy: 0 }, { answered: 1, returned: 1, lost: 1, busy: 0 });
  assert.ok(Math.abs((found?.busy ?? 0) - busy) < 1e-9);
});

// ---- On a page ----------------------------------------------------------------------------------

/** @param {Server} server */
const submit = (server, name = "sweep") =>
  server.run("submit", "repeat_multiply", ...ENDLESS, "--name", name);

/** A native worker, which ends with the test.
 * @param {import("node:test").TestContext} t @param {Server} server */
function work(t, server) {
  const child = spawn(variable("TEQUIO_BIN"), ["work", server.page, "--slots", "2"], {
    stdio: "ignore",
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** What a panel says of itself. @param {Page} page @param {"throughput" | "stream"} id */
async function data(page, id) {
  return page.locator(`#${id}`).evaluate((panel) => ({ .../** @type {HTMLElement} */ (panel).dataset }));
}

/** @param {Page} page @param {"throughput" | "stream"} id
 * @param {(data: Record<string, string | undefined>) => boolean} holds */
async function comes(page, id, holds) {
  return until(`${id} shows it`, async () => {
    const found = await data(page, id);
    return holds(found) ? found : undefined;
  });
}

test("a page shows how fast tabs and native workers are, also from before it was opened", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
  await page.getByText("Nothing has been computed in the last hour.").waitFor();
  await page.getByText("No worker yet").waitFor();
  assert.equal(await page.locator("#throughput-shown").isVisible(), false);
  await submit(server);
  work(t, server);
  await page.locator("#start").click();
  await inState(page, "connected");
  await comes(page, "throughput", ({ kinds }) => kinds === "native chrome");
  await comes(page, "throughput", ({ now }) => Number(now) > 0);
  assert.match((await page.locator("#throughput-now").textContent()) ?? "", /^[\d.]+[KMB]?$/);
  assert.match(
    (await page.locator("#throughput-legend").textContent()) ?? "",
    /^Chrome[\d.]+[KMB]?tequio work[\d.]+[KMB]?$/,
  );
  const { to } = await data(page, "throughput");
  await comes(page, "throughput", (now) => Number(now.to) > Number(to));

  const other = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
  const seen = await comes(other, "throughput", ({ kinds }) => kinds === "native chrome");
  assert.ok(Number(seen.points) >= 1);
  const bars = await comes(other, "stream", ({ bars }) => Number(bars) > 0);
  assert.equal(bars.workers?.split(" ").length, 2);
  await browser.close();
});

test("a person chooses how much is shown, zooms, and goes through the seconds", async (t) => {
  const server = await Server.start(t);
  await submit(server);
  work(t, server);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, {
    locale: "en-US",
    viewport: { width: 1280, height: 900 },
  });
  const shown = ({ from, to } = /** @type {Record<string, string | undefined>} */ ({})) =>
    Number(to) - Number(from);
  // Of what has just begun, a minute.
  await comes(page, "throughput", (found) => shown(found) === 60 && Number(found.points) >= 8);
  for (const [name, seconds] of /** @type {const} */ ([["1 h", 3600], ["5 min", 300], ["1 min", 60]])) {
    await page.locator("#throughput").getByRole("button", { name, exact: true }).click();
    assert.equal(shown(await data(page, "throughput")), seconds);
    const pressed = page.locator('#throughput [aria-pressed="true"]');
    assert.deepEqual(await pressed.allTextContents(), [name]);
  }

  // By the keyboard, and the cursor stays at its second while the time goes on.
  const chart = page.locator("#throughput-chart");
  assert.match((await chart.getAttribute("aria-label")) ?? "", /^Tasks a second, now [\d.]+/);
  await chart.focus();
  await page.keyboard.press("End");
  const last = Number((await data(page, "throughput")).cursor);
  // To one of which all has been told, however late that was.
  for (let steps = 0; steps < 4; steps += 1) {
    await page.keyboard.press("ArrowLeft");
  }
  const { cursor, to } = await data(page, "throughput");
  assert.equal(Number(cursor), last - 4);
  const said = (await chart.getAttribute("aria-valuetext")) ?? "";
  assert.match(said, /^\d\d:\d\d:\d\d: [\d.]+[KMB]? tasks a second, tequio work [\d.]+[KMB]?$/);
  await comes(page, "throughput", (found) => Number(found.to) > Number(to));
  assert.equal((await data(page, "throughput")).cursor, cursor);
  assert.equal(await chart.getAttribute("aria-valuetext"), said);
  await page.keyboard.press("Escape");
  assert.equal((await data(page, "throughput")).cursor, "");

  // By hand, and what was zoomed into stands still.
  await page.evaluate(() => document.getElementById("throughput")?.scrollIntoView());
  const box = await page.locator("#throughput-chart .u-over").boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width / 2, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 2, box.y + 60, { steps: 3 });
  await page.mouse.up();
  const zoomed = await comes(page, "throughput", (found) => found.zoomed === "true");
  assert.ok(shown(zoomed) >= 20 && shown(zoomed) <= 40, `${shown(zoomed)} s`);
  const moment = zoomed.now;
  await comes(page, "throughput", ({ now }) => now !== moment);
  const later = await data(page, "throughput");
  assert.deepEqual([later.from, later.to], [zoomed.from, zoomed.to]);
  await page.mouse.dblclick(box.x + 100, box.y + 50);
  const back = await comes(page, "throughput", (found) => found.zoomed === "false");
  assert.equal(shown(back), 60);

  await page.locator("#throughput-data summary").click();
  const row = page.locator("#throughput-minutes tr").first();
  await until("the minute is counted", async () => {
    const [, all, native] = await row.locator("th, td").allTextContents();
    return all === native && numberIn(all) > 0;
  });
  await browser.close();
});

test("the stream shows the bars of each worker, and what one that was killed has lost", async (t) => {
  const server = await Server.start(t);
  await submit(server);
  const native = work(t, server);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {
    locale: "en-US",
    viewport: { width: 1280, height: 900 },
  });
  await page.locator("#cores").fill("1");
  await comes(page, "stream", ({ workers }) => workers?.split(" ").length === 2);
  await page.locator("#stream-data summary").click();
  const rows = page.locator("#stream-rows tr");
  await until("both have answered", async () => {
    const counts = await rows.locator("td:nth-child(2)").allTextContents();
    return counts.length === 2 && counts.every((count) => Number(count) > 0);
  });
  const names = await rows.locator("th").allTextContents();
  assert.ok(names.some((name) => /^#\d+ Chrome \d+$/.test(name)), names.join());
  assert.ok(names.some((name) => /^#\d+ tequio /.test(name)), names.join());
  await page.locator("#stream-legend").getByText("Job 1 “sweep”").waitFor();

  // The newest bar of the first row is always there: it ends now.
  const canvas = page.locator("#stream-canvas");
  const box = await canvas.boundingBox();
  assert.ok(box);
  await canvas.hover({ position: { x: box.width - 6, y: 6 } });
  await page.locator("#stream-tip").getByText("Job 1 “sweep”").waitFor();
  assert.match((await page.locator("#stream-tip-tasks").textContent()) ?? "", /^[\d,]+ tasks? in /);
  assert.match((await page.locator("#stream-tip-worker").textContent()) ?? "", /, slot 1$/);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#stream-tip").isVisible(), false);

  await comes(page, "stream", ({ lost }) => lost === "0");
  // One that is stopped answers nothing, and so has been lent something: a fast one may have nothing for
  // a moment.
  native.kill("SIGSTOP");
  await until("it has been lent something", async () => {
    /** @type {import("../js/protocol.js").WorkerView[]} */
    const workers = await (await fetch(`${server.page}api/workers`)).json();
    return workers.some((worker) => worker.agent?.startsWith("tequio") && worker.leases > 0);
  });
  native.kill("SIGKILL");
  await once(native, "exit");
  await comes(page, "stream", ({ lost }) => Number(lost) >= 1);
  await rows.getByText(/^#\d+ tequio .* \(left\)$/).waitFor();
  await page.locator("#stream").getByRole("button", { name: "30 s" }).click();
  assert.equal(await page.locator("#stream-mark-0").textContent(), "30 s ago");

  await page.locator("#language").getByText("Español").click();
  await page.locator("#stream-legend").getByText("Trabajo 1 “sweep”").waitFor();
  assert.equal(await page.locator("#stream-mark-0").textContent(), "hace 30 s");
  assert.equal(await page.locator("#throughput-title").textContent(), "Rendimiento");
  assert.equal(await page.locator("#throughput-when").textContent(), "Ahora");
  assert.match((await page.locator("#throughput-chart").getAttribute("aria-label")) ?? "", /^Tareas/);
  await browser.close();
});

test("the time goes on where nothing happens, and stands still while the server is away", async (t) => {
  const server = await Server.start(t);
  await submit(server);
  const native = work(t, server);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
  await comes(page, "throughput", ({ now }) => Number(now) > 0);
  native.kill();
  await once(native, "exit");
  await comes(page, "throughput", ({ now }) => now === "0");
  const before = await data(page, "throughput");
  await comes(page, "throughput", ({ to }) => Number(to) > Number(before.to) + 2);
  assert.equal((await data(page, "throughput")).now, "0");

  await server.kill();
  await page.getByText("The server is away.").waitFor();
  const { to } = await data(page, "throughput");
  const clock = page.locator("#throughput-chart");
  await clock.press("End");
  const said = await clock.getAttribute("aria-valuetext");
  // Longer than it takes to move on by a second where it does.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2500)));
  assert.equal((await data(page, "throughput")).to, to);
  assert.equal(await clock.getAttribute("aria-valuetext"), said);
  await browser.close(NO_CONNECTION);
});

test("of more slots than there are rows for, it is said how many are drawn", async (t) => {
  const server = await Server.start(t);
  await submit(server);
  // As many as a worker is lent that has shown nothing yet.
  const slots = 4;
  const numbers = Array.from({ length: 50 }, (_, number) => number + 1);
  const workers = await Promise.all(numbers.map((number) => hello(t, server, number, slots)));
  workers.forEach(({ say, leases }) => say({ type: "release", lease: leases[0] }));
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" });
  // Some may have had a row while they had not said hello, as clients of one slot.
  const drawn = /^1[0-2]\d of 200 slots are drawn\.$/;
  await page.getByText(drawn).waitFor();
  const { rows } = await comes(page, "stream", ({ returned }) => Number(returned) >= 1);
  assert.match(rows ?? "", /^1[0-2]\d$/);
  const canvas = page.locator("#stream-canvas");
  assert.equal((await canvas.boundingBox())?.height, Number(rows) * ROW_MIN);
  workers.forEach(({ leave }) => leave());
  await comes(page, "stream", ({ lost }) => Number(lost) >= 100 - workers.length);
  await page.locator("#stream-omitted").waitFor({ state: "hidden" });
  await browser.close();
});

/** A worker that is lent as much as it can hold, and computes nothing.
 * @param {import("node:test").TestContext} t @param {Server} server @param {number} number
 * @param {number} slots */
async function hello(t, server, number, slots) {
  /** @type {number[]} */
  const leases = [];
  const agent = "Test";
  const about = { agent, slots, worker: String(number).padStart(32, "0") };
  const worker = await simulateWorker(t, server, about, ({ type, task_id, lease }, say) => {
    if (type === "task") {
      say({ type: "result", task_id, result: Number(WELCOME_RESULT), duration_ms: 1, agent });
    } else if (type === "lease") {
      leases.push(lease);
    }
  });
  await until("it is lent something", () => leases.length >= slots);
  return { ...worker, leases };
}

test("a server that goes away and comes back is shown as both", async (t) => {
  const first = await Server.start(t);
  const { port } = first;
  await submit(first);
  const browser = await Browser.start(t);
  const page = await browser.open(first.page, { locale: "en-US" });
  await page.locator("#cores").fill("1");
  await comes(page, "throughput", ({ kinds, now }) => kinds === "chrome" && Number(now) > 0);
  await comes(page, "stream", ({ bars }) => Number(bars) > 0);
  await first.kill();
  await page.getByText("The server is away.").waitFor();
  assert.equal((await data(page, "throughput")).kinds, "chrome", "as it was");
  const { to } = await data(page, "throughput");
  const second = await Server.start(t, { port });
  await submit(second, "again");
  await page.locator("#link").waitFor({ state: "hidden" });
  await comes(page, "throughput", (found) => Number(found.now) > 0 && Number(found.to) < 60 + Number(to));
  await page.locator("#stream-legend").getByText("Job 1 “again”").waitFor();
  await browser.close(NO_CONNECTION);
});

test("both panels have the colours of the day and of the night, and are accessible", async (t) => {
  const server = await Server.start(t);
  await submit(server);
  work(t, server);
  const browser = await Browser.start(t);
  for (const width of [390, 1280]) {
    const page = await browser.open(`${server.page}?auto=0`, {
      bypassCSP: true,
      colorScheme: "light",
      reducedMotion: "reduce",
      viewport: { width, height: 900 },
    });
    await comes(page, "throughput", ({ points }) => Number(points) >= 2);
    await comes(page, "stream", ({ bars }) => Number(bars) >= 2);
    await page.locator("#throughput-data summary").click();
    await page.locator("#stream-data summary").click();
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      await page.emulateMedia({ colorScheme });
      await hasColour(page, "#throughput-chart canvas", "--series-2");
      await hasColour(page, "#stream-canvas", "--series-0");
      const found = await violations(page, ["#throughput", "#stream"]);
      assert.deepEqual(found, [], `${colorScheme}, ${width} px`);
    }
    assert.equal(await overflows(page), false, `no sideways scrolling at ${width} px`);
    await page.close();
  }
  await browser.close();
});

/** Waits until a canvas has pixels of a colour of the style sheet.
 * @param {Page} page @param {string} selector @param {string} name */
async function hasColour(page, selector, name) {
  await until(`${selector} has ${name}`, () =>
    page.locator(selector).evaluate((found, name) => {
      const canvas = /** @type {HTMLCanvasElement} */ (found);
      const wanted = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(
        0,
        0,
        canvas.width,
        canvas.height,
      );
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
      for (let at = 0; at < data.length; at += 4) {
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) {
          return true;
        }
      }
      return false;
    }, name),
  );
}
