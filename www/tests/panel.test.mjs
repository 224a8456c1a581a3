// @ts-check
// The tab's own panel, against a coordinator that does nothing but what a test says: what is
// offered, what is told, what is shown, and what is remembered.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { violations } from "./axe.mjs";
import {
  Browser,
  ENDLESS,
  PATIENCE_MS,
  Server,
  inState,
  overflows,
  shows,
  until,
  variable,
} from "./support.mjs";

/** @typedef {import("../js/protocol.js").FromPage} FromPage */
/** @typedef {import("../js/protocol.js").ToPage} ToPage */
/** @typedef {import("../js/protocol.js").JobView} JobView */
/** @typedef {import("playwright-core").BrowserContext} BrowserContext */
/** @typedef {import("playwright-core").BrowserContextOptions} BrowserContextOptions */

/** It keeps what it hears, and connects when it is told to start. */
const COORDINATOR = `
  globalThis.heard = [];
  addEventListener("message", ({ data }) => {
    heard.push(data);
    if (data.type === "start") {
      postMessage({ type: "connecting", attempt: 1 });
      postMessage({ type: "connected" });
      postMessage({ type: "lent", slots: data.allowance.cores, tabs: 1 });
    }
  });
  postMessage({ type: "ready" });
`;

const CORES = 8;

/** A machine of eight cores, which never runs on its battery, unless a test says otherwise. */
const MACHINE = `
  Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => ${CORES} });
  globalThis.battery = Object.assign(new EventTarget(), { charging: true });
  Navigator.prototype.getBattery = async () => battery;
`;

/** A page whose coordinator is in the hands of the test. */
class Tab {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  /** @param {BrowserContext} context @param {string} url */
  static async open(context, url) {
    const tab = new Tab(await context.newPage());
    await tab.page.goto(url);
    await tab.coordinator();
    return tab;
  }

  async coordinator() {
    return until("the coordinator runs", () => this.page.workers()[0]);
  }

  /** @param {ToPage[]} messages What the coordinator tells the page. */
  async hear(...messages) {
    const coordinator = await this.coordinator();
    await coordinator.evaluate((all) => all.forEach((one) => postMessage(one)), messages);
  }

  /** What the page has told the coordinator. @returns {Promise<FromPage[]>} */
  async told() {
    // @ts-expect-error The coordinator above has it.
    return (await this.coordinator()).evaluate(() => globalThis.heard);
  }

  /** Waits for what the page tells the coordinator last. @param {Partial<FromPage>} message */
  async tells(message) {
    /** @type {FromPage | undefined} */
    let last;
    await until(`the page tells ${JSON.stringify(message)}`, async () => {
      last = (await this.told()).at(-1);
      return Object.entries(message).every(([key, value]) => {
        return JSON.stringify(Object(last)[key]) === JSON.stringify(value);
      });
    });
  }

  /** @param {string} id @param {string | RegExp} text */
  async shows(id, text) {
    await shows(this.page, id, text);
  }

  /** The buttons that can be pressed. */
  async buttons() {
    return this.page.locator("#tab button:visible").allTextContents();
  }

  /** @param {string} id */
  async press(id) {
    await this.page.locator(`#${id}`).click();
  }

  async slots() {
    return this.page.locator("#slots > *").evaluateAll((meters) => {
      return meters.map((meter) => {
        const { slot, state, busy } = /** @type {HTMLElement} */ (meter).dataset;
        return { slot, state, busy: Number(busy) };
      });
    });
  }
}

/** Starts the server and the browser; gives a browser's profile with the coordinator above.
 * @param {import("node:test").TestContext} t
 * @param {BrowserContextOptions} [options] */
async function profile(t, options) {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const context = await browser.browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  /** @type {string[]} */
  const errors = [];
  context.on("weberror", (error) => errors.push(String(error.error())));
  t.after(() => assert.deepEqual(errors, []));
  await context.addInitScript(MACHINE);
  await context.route("**/worker_loader.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: COORDINATOR }),
  );
  return { server, browser, context };
}

/** @param {number} slot @param {number} job @returns {ToPage} */
const lease = (slot, job) => ({ type: "lease", slot, op: "repeat_multiply", job, first: 0, count: 9 });

/** @param {number} slot @param {number} count @param {number} duration_ms @returns {ToPage} */
const results = (slot, count, duration_ms) => ({
  type: "results",
  slot,
  job: 3,
  last: 8,
  count,
  text: "1 × 2^3",
  result: "8",
  duration_ms,
});

test("a tab begins by itself, with all cores but one, and says what is needed", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  const [start, ...others] = await tab.told();
  assert.deepEqual(others, []);
  assert.ok(start.type === "start");
  assert.match(start.tab, /^[0-9a-f]{16}$/);
  assert.match(start.worker ?? "", /^[0-9a-f]{32}$/);
  assert.equal(start.url, `ws://127.0.0.1:${server.port}/ws`);
  assert.deepEqual(start.allowance, { cores: CORES - 1, share_percent: 100 });
  await tab.shows("cores-text", "7 of 8 cores");
  await tab.shows("share-text", "100 % of each core");
  assert.deepEqual(await tab.buttons(), ["Pause", "Finish, then stop"]);

  await tab.page.reload();
  await until("it begins again", async () => (await tab.told()).length === 1);
  const [again] = await tab.told();
  assert.ok(again.type === "start");
  assert.notEqual(again.tab, start.tab, "another page");
  assert.equal(again.worker, start.worker, "the same browser");
});

test("pausing takes until the coordinator has paused, and is remembered", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.page.locator("#pause").focus();
  await tab.page.keyboard.press("Enter");
  await inState(tab.page, "pausing");
  await tab.tells({ type: "pause" });
  assert.equal(await tab.page.evaluate(() => document.activeElement?.id), "start");
  await tab.hear({ type: "disconnected", reason: "on request", retry_in_ms: 1e6 });
  await inState(tab.page, "pausing");
  await tab.hear({ type: "paused" });
  await inState(tab.page, "paused");
  await tab.shows("computing", "Nothing is computed here until you press Start.");
  assert.deepEqual(await tab.buttons(), ["Start"]);

  // Nothing wakes a tab that is paused but its person.
  const before = (await tab.told()).length;
  await tab.page.evaluate(() => {
    for (const name of ["online", "pagehide"]) {
      dispatchEvent(new Event(name));
    }
    document.dispatchEvent(new Event("resume"));
  });
  assert.equal((await tab.told()).length, before);

  await tab.page.reload();
  await inState(tab.page, "paused");
  const other = await Tab.open(context, server.page);
  await inState(other.page, "paused");
  await tab.press("start");
  await inState(tab.page, "connected");
  assert.deepEqual((await tab.told()).map((message) => message.type), ["start"]);

  // Each tab has its own word; a new one takes the last.
  await other.page.reload();
  await inState(other.page, "paused");
  assert.deepEqual(await other.told(), []);
  await inState((await Tab.open(context, server.page)).page, "connected");
});

test("a tab that finishes says so, and can go on or pause instead", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.press("finish");
  await inState(tab.page, "finishing");
  await tab.tells({ type: "finish" });
  assert.deepEqual(await tab.buttons(), ["Go on", "Pause"]);
  await tab.press("start");
  await inState(tab.page, "connected");
  await tab.tells({ type: "start" });

  await tab.press("finish");
  await tab.press("pause");
  await inState(tab.page, "pausing");
  await tab.tells({ type: "pause" });
  // It is told to go on before it has paused: then it says so of a pause that is over.
  await tab.press("start");
  await tab.hear({ type: "paused" }, { type: "connected" });
  await inState(tab.page, "connected");

  await tab.press("finish");
  await tab.hear({ type: "paused" });
  await inState(tab.page, "paused");
  await tab.page.reload();
  await inState(tab.page, "paused");
});

test("with auto=0 a tab waits for its person, whatever was remembered", async (t) => {
  const { server, context } = await profile(t);
  const url = `${server.page}?auto=0`;
  const tab = await Tab.open(context, url);
  await inState(tab.page, "ready");
  await tab.shows("computing", "Nothing is computed here until you press Start.");
  // Past the header, of which the languages are all that can be pressed.
  for (let presses = 0; presses < 3; presses += 1) {
    await tab.page.keyboard.press("Tab");
  }
  assert.equal(await tab.page.evaluate(() => document.activeElement?.id), "start");
  await tab.page.locator("#cores").fill("2");
  assert.deepEqual(await tab.told(), []);
  await tab.page.locator("#start").press("Enter");
  await inState(tab.page, "connected");
  await tab.tells({ type: "start", allowance: { cores: 2, share_percent: 100 } });
  await tab.page.reload();
  await inState(tab.page, "ready");
});

test("what is lent takes effect at once, is remembered, and holds for all tabs", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  const other = await Tab.open(context, server.page);
  await Promise.all([tab, other].map(({ page }) => inState(page, "connected")));
  await tab.page.locator("#cores").fill("3");
  await tab.tells({ type: "allow", allowance: { cores: 3, share_percent: 100 } });
  await tab.page.locator("#share").focus();
  await tab.page.keyboard.press("ArrowLeft");
  await tab.page.keyboard.press("ArrowLeft");
  for (const one of [tab, other]) {
    await one.tells({ type: "allow", allowance: { cores: 3, share_percent: 90 } });
    await one.shows("cores-text", "3 of 8 cores");
    await one.shows("share-text", "90 % of each core");
    assert.equal(await one.page.locator("#share").inputValue(), "90");
    assert.equal(await one.page.locator("#cores").getAttribute("aria-valuetext"), "3 of 8 cores");
  }
  await tab.page.locator("#share").press("Home");
  await other.shows("share-text", "25 % of each core");
  await tab.page.reload();
  await tab.tells({ type: "start", allowance: { cores: 3, share_percent: 25 } });

  await tab.hear({ type: "lent", slots: 2, tabs: 2 });
  await tab.shows("tabs", "This tab has 2 of 3 cores; 2 tabs of this browser share them");
  await tab.hear({ type: "lent", slots: 3, tabs: 1 });
  await tab.shows("tabs", "");

  // Somebody has cleared what this browser keeps, or written what makes no sense.
  await other.page.evaluate(() => localStorage.clear());
  await tab.tells({ type: "allow", allowance: { cores: 7, share_percent: 100 } });
  for (const [kept, allowance] of /** @type {const} */ ([
    ['{"cores":99,"share":1}', { cores: 8, share_percent: 25 }],
    ['{"cores":-3,"share":"50"}', { cores: 1, share_percent: 100 }],
    ["[", { cores: 7, share_percent: 100 }],
  ])) {
    await other.page.evaluate((kept) => localStorage.setItem("tequio-allowance", kept), kept);
    await tab.tells({ type: "allow", allowance });
  }
});

test("on its battery a machine lends half, until its person says how much", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  /** @param {boolean} charging */
  const plug = (charging) =>
    tab.page.evaluate((charging) => {
      // @ts-expect-error The machine above has it.
      const { battery } = globalThis;
      Object.assign(battery, { charging }).dispatchEvent(new Event("chargingchange"));
    }, charging);
  await plug(false);
  await tab.tells({ type: "allow", allowance: { cores: 7, share_percent: 50 } });
  await tab.shows("share-note", /battery/);
  await plug(true);
  await tab.tells({ type: "allow", allowance: { cores: 7, share_percent: 100 } });
  await tab.shows("share-note", "");
  await plug(false);
  await tab.page.locator("#share").fill("75");
  await tab.tells({ type: "allow", allowance: { cores: 7, share_percent: 75 } });
  await tab.shows("share-note", "");
  const before = (await tab.told()).length;
  await plug(true);
  await plug(false);
  assert.equal((await tab.told()).length, before);
});

test("a phone lends one core", async (t) => {
  const { server, context } = await profile(t, {
    userAgent: "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile",
    isMobile: true,
    hasTouch: true,
    viewport: { width: 390, height: 844 },
  });
  const tab = await Tab.open(context, server.page);
  await tab.tells({ type: "start", allowance: { cores: 1, share_percent: 100 } });
  await tab.shows("cores-text", "1 of 8 cores");
});

test("each slot shows how much of the time it computes", async (t) => {
  const { server, context } = await profile(t);
  await context.clock.install({ time: 0 });
  const tab = await Tab.open(context, server.page);
  await tab.page.clock.pauseAt(60_000);
  await tab.page.locator("#cores").fill("4");
  await tab.hear({ type: "lent", slots: 4, tabs: 1 });
  await tab.hear(lease(0, 3), lease(1, 3), lease(2, 3));
  await tab.told();
  for (let second = 0; second < 4; second += 1) {
    await tab.page.clock.runFor(1000);
    await tab.hear(results(0, 1000, 1000), results(1, 500, 500));
    await until("it is counted", async () => {
      await tab.page.clock.runFor(0);
      return (await tab.told()).length > 0;
    });
  }
  await tab.page.clock.runFor(500);
  await until("slots are drawn", async () => (await tab.slots())[2].busy > 0);
  assert.deepEqual(await tab.slots(), [
    { slot: "0", state: "computing", busy: 100 },
    { slot: "1", state: "computing", busy: 50 },
    { slot: "2", state: "computing", busy: 100 },
    { slot: "3", state: "idle", busy: 0 },
  ]);
  await tab.shows("slots-summary", "3 of 4 cores computing, 63 % of the time");
  await tab.shows("speed", /^1,[23]\d\d tasks a second$/);

  await tab.hear({ type: "idle", slot: 0 }, { type: "idle", slot: 1 }, { type: "idle", slot: 2 });
  await tab.told();
  await tab.page.clock.runFor(20_000);
  await tab.shows("slots-summary", "4 cores, all idle");
  await tab.shows("speed", "0 tasks a second");
  assert.deepEqual(new Set((await tab.slots()).map(({ busy }) => busy)), new Set([0]));
});

test("what is computed is said by its job's name, as text", async (t) => {
  const { server, context } = await profile(t);
  await submitNamed(server, ["first", "second", "sweep", "<b>bold</b>", ""]);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.shows("computing", "Nothing at the moment; the next task comes by itself.");
  await tab.hear(lease(0, 3));
  await tab.shows("computing", "repeat_multiply · Job 3 “sweep”");
  for (const [job, text] of /** @type {const} */ ([
    [4, "Job 4 “<b>bold</b>”"],
    [5, "Job 5"],
    [6, "Job 6"],
    [3, "Job 3 “sweep”"],
  ])) {
    await tab.hear(lease(0, job));
    await tab.shows("job", text);
  }
  await tab.hear(lease(1, 4));
  await tab.shows("job", "Job 3 “sweep”, Job 4 “<b>bold</b>”");

  // Of another server nothing is known but the number.
  const foreign = await Tab.open(context, `${server.page}?server=ws://localhost:${server.port}/ws`);
  await foreign.hear(lease(0, 3));
  await foreign.shows("computing", "repeat_multiply · Job 3");
});

test("what was computed is summed over reloads and tabs, and each day begins anew", async (t) => {
  const { server, context } = await profile(t);
  const DAY = 24 * 3600 * 1000;
  await context.clock.install({ time: new Date(2026, 2, 3, 12) });
  const [tab, other] = [await Tab.open(context, server.page), await Tab.open(context, server.page)];
  await tab.hear(lease(0, 3), results(0, 10_000, 60_000), results(1, 2345, 140_000));
  await tab.shows("result-count", "12,345");
  await tab.shows("tasks-today", "12,345");
  await tab.shows("time-today", "3 min 20 s");
  const one = { slot: 0, task_id: 1, text: "1 × 2^3", result: "8", duration_ms: 0 };
  await other.hear({ type: "result", ...one });
  await other.hear(results(0, 5, 1000));
  await other.shows("result-count", "6");
  // One after the other: of two that write in the same moment one may undo the other's last seconds.
  await tab.page.reload();
  await other.page.reload();
  for (const one of [tab, other]) {
    await one.shows("result-count", "0");
    await one.shows("tasks-today", "12,351");
    await one.shows("time-ever", "3 min 21 s");
  }

  await tab.page.clock.setFixedTime(new Date(2026, 2, 3, 12).getTime() + DAY);
  await tab.shows("tasks-today", "0");
  await tab.shows("time-today", "0 s");
  await tab.hear(results(0, 7, 1000));
  await tab.shows("tasks-today", "7");
  await tab.shows("tasks-ever", "12,358");
  // It is closed with what is not written yet.
  await tab.hear(results(0, 1, 0));
  await tab.shows("tasks-ever", "12,359");
  await tab.page.close({ runBeforeUnload: true });
  await other.shows("tasks-ever", "12,359");
});

test("a tab that is put away says so, and so it does when it is back", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.page.evaluate(() => dispatchEvent(new Event("online")));
  await tab.tells({ type: "retry_now" });
  await tab.page.evaluate(() => document.dispatchEvent(new Event("freeze")));
  await tab.tells({ type: "suspend" });
  await tab.page.evaluate(() => document.dispatchEvent(new Event("resume")));
  await tab.tells({ type: "resume" });
  await tab.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
  await tab.tells({ type: "suspend" });
  await tab.page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  });
  await tab.tells({ type: "resume" });
});

test("a tab that is closed tells the others of its browser", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  const other = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  const [start] = await tab.told();
  assert.ok(start.type === "start");
  const heard = await other.page.evaluateHandle(() => {
    /** @type {string[]} */
    const heard = [];
    new BroadcastChannel("tequio").onmessage = ({ data }) => heard.push(data);
    return heard;
  });
  await tab.page.close({ runBeforeUnload: true });
  await until("it says bye", async () => (await heard.jsonValue()).length > 0);
  const said = (await heard.jsonValue()).map((text) => JSON.parse(text));
  assert.deepEqual(said, [{ type: "bye", tab: start.tab }]);
});

test("what has failed can be tried again where that may help", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.hear({ type: "failed", text: "The server is full.", can_retry: true });
  await inState(tab.page, "failed");
  await tab.shows("computing", "The server is full.");
  assert.deepEqual(await tab.buttons(), ["Try again"]);
  await tab.press("retry-now");
  await tab.tells({ type: "retry_now" });
  await tab.hear({ type: "connecting", attempt: 1 });
  await inState(tab.page, "connecting");
  await tab.hear({ type: "disconnected", reason: "gone", retry_in_ms: 9000 });
  await inState(tab.page, "waiting");
  await tab.shows("countdown", /^Next attempt in [89] s$/);
  assert.deepEqual(await tab.buttons(), ["Pause", "Finish, then stop", "Try now"]);
  await tab.hear({ type: "failed", text: "Turned away.", can_retry: false });
  await tab.shows("computing", "Turned away.");
  assert.deepEqual(await tab.buttons(), []);
});

test("whoever is at a button that goes away is at the next one", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  const focused = () => tab.page.evaluate(() => document.activeElement?.id);
  await tab.hear({ type: "disconnected", reason: "gone", retry_in_ms: 9000 });
  await inState(tab.page, "waiting");
  await tab.page.locator("#retry-now").press("Enter");
  await tab.hear({ type: "connecting", attempt: 2 });
  await inState(tab.page, "connecting");
  assert.equal(await focused(), "pause");
  await tab.hear({ type: "failed", text: "The server is full.", can_retry: true });
  await inState(tab.page, "failed");
  assert.equal(await focused(), "retry-now");
});

test("a browser that keeps nothing computes all the same", async (t) => {
  const { server, context } = await profile(t);
  await context.addInitScript(() => {
    for (const area of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, area, {
        get() {
          throw new DOMException("Storage is forbidden.", "SecurityError");
        },
      });
    }
    Reflect.deleteProperty(globalThis, "BroadcastChannel");
  });
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  await tab.page.locator("#cores").fill("2");
  await tab.tells({ type: "allow", allowance: { cores: 2, share_percent: 100 } });
  await tab.shows("cores-text", "2 of 8 cores");
  await tab.hear(results(0, 3, 2000), results(0, 3, 3000));
  await tab.shows("tasks-ever", "6");
  await tab.shows("time-today", "5 s");
  await tab.press("pause");
  await tab.hear({ type: "paused" });
  await inState(tab.page, "paused");
  await tab.page.reload();
  await inState(tab.page, "connected");
});

test("a hidden page counts, and draws when it is seen again", async (t) => {
  const { server, context } = await profile(t);
  const tab = await Tab.open(context, server.page);
  await inState(tab.page, "connected");
  /** @param {boolean} hidden */
  const hide = (hidden) =>
    tab.page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await hide(true);
  const changes = await tab.page.evaluateHandle(() => {
    /** @type {MutationRecord[]} */
    const changes = [];
    const watched = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver((some) => changes.push(...some)).observe(document.body, watched);
    return changes;
  });
  await tab.hear(lease(0, 3), results(0, 41, 100), results(0, 1, 100));
  // What the page does after this it does after those.
  await tab.page.locator("#share").press("ArrowLeft");
  await tab.tells({ type: "allow" });
  await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1000)));
  const drawn = await changes.evaluate((all) => all.map(({ target }) => target.parentElement?.id));
  assert.ok(!drawn.includes("slots") && !drawn.includes("results"), drawn.join());
  assert.equal(await tab.page.locator("#result-count").textContent(), "0");
  await hide(false);
  await tab.shows("result-count", "42");
  assert.equal(await tab.page.locator("#results tbody tr").count(), 2);
});

test("the panel is accessible and looks as it should in every state", async (t) => {
  const { server, browser } = await profile(t);
  await submitNamed(server, ["first", "second", "sweep"]);
  const folder = variable("TEQUIO_ARTIFACTS");
  /** @type {Record<string, (tab: Tab) => Promise<unknown>>} */
  const STATES = {
    computing: (tab) => compute(tab, 4),
    many: (tab) => compute(tab, 64),
    tabs: async (tab) => {
      await compute(tab, 2);
      await tab.hear({ type: "lent", slots: 2, tabs: 2 });
    },
    paused: async (tab) => {
      await tab.press("pause");
      await tab.hear({ type: "paused" });
    },
    finishing: async (tab) => {
      await compute(tab, 4);
      await tab.press("finish");
    },
    waiting: (tab) => tab.hear({ type: "disconnected", reason: "gone", retry_in_ms: 12_000 }),
    failed: (tab) =>
      tab.hear({ type: "failed", text: "The server has no room for more.", can_retry: true }),
  };
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const width of [360, 390, 1000]) {
      for (const [name, bring] of Object.entries(STATES)) {
        // The policy of the page forbids foreign scripts, axe's included.
        const context = await browser.browser.newContext({
          colorScheme,
          bypassCSP: true,
          reducedMotion: "reduce",
          viewport: { width, height: 900 },
        });
        await context.addInitScript(MACHINE);
        await context.route("**/worker_loader.js", (route) =>
          route.fulfill({ contentType: "text/javascript", body: COORDINATOR }),
        );
        const tab = await Tab.open(context, server.page);
        await inState(tab.page, "connected");
        await bring(tab);
        await tab.told();
        await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 600)));
        const path = join(folder, `panel-${name}-${colorScheme}-${width}.png`);
        await tab.page.screenshot({ path, fullPage: true });
        assert.equal(await overflows(tab.page), false, `no sideways scrolling at ${width} px`);
        assert.deepEqual(await violations(tab.page), [], `${name}, ${colorScheme}, ${width} px`);
        await context.close();
      }
    }
  }
});

/** Jobs by these names, numbered from 1. @param {Server} server @param {string[]} names */
async function submitNamed(server, names) {
  for (const name of names) {
    await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", name);
  }
}

/** Slots that are busy to different degrees, and the last one idle. @param {Tab} tab @param {number} slots */
async function compute(tab, slots) {
  await tab.hear({ type: "lent", slots, tabs: 1 });
  for (let slot = 0; slot < slots - 1; slot += 1) {
    const busy_ms = 3000 - 400 * (slot % 4);
    await tab.hear(lease(slot, 3), results(slot, 17_000 + slot, busy_ms));
  }
  await tab.shows("job", "Job 3 “sweep”");
}
