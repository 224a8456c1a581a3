// @ts-check
// Starts the coordinator, which does all the work in a worker of its own, tells it what the person
// wants, and shows what it says.

import { Activity } from "./activity.js";
import { browserId, randomHex } from "./browser-id.js";
import * as chat from "./chat.js";
import { Choice } from "./choice.js";
import { element } from "./dom.js";
import * as echo from "./echo.js";
import { keeper } from "./keep.js";
import * as languageSwitch from "./language-switch.js";
import { ALLOWANCE_KEY, Lending } from "./lending.js";
import { onLifecycle, sayBye, whileVisible } from "./lifecycle.js";
import * as panel from "./panel.js";
import { serverUrl, serviceUrl } from "./server-url.js";
import { LANGUAGE_KEY, onLanguage, rereadLanguage, strings } from "./strings.js";
import { TabState } from "./tab-state.js";
import { Totals } from "./totals.js";
import * as view from "./view.js";
import { Work } from "./work.js";
import { showWords } from "./words.js";

/** @typedef {import("./protocol.js").FromPage} FromPage */
/** @typedef {import("./protocol.js").ToPage} ToPage */

/** How long the worker may take to load and start before the page says that something is wrong:
 * long enough for its wasm to come over a poor network. */
const WORKER_START_MS_MAX = 20_000;

/** How often what counts and measures is drawn anew. */
const RENDER_INTERVAL_MS = 500;

/** The bytes of a tab's own id. */
const TAB_ID_LENGTH = 8;

const server = serverUrl(location);
const tab = randomHex(TAB_ID_LENGTH);
const ofBrowser = keeper("localStorage");
const choice = new Choice(keeper("sessionStorage"), ofBrowser);
const totals = new Totals(ofBrowser);
const activity = new Activity();
const isToAsk = "url" in server && server.isOwn;
const work = isToAsk ? new Work() : null;

/** @type {Worker | null} None where there is no server to work for. */
let coordinator = null;
/** What the coordinator has said last, of what is not counted elsewhere. */
let lent = { slots: 1, tabs: 1 };
let retryAt = 0;
/** Why it cannot compute, in the language of the moment. */
let failure = () => "";

const state = new TabState(firstWish(), (word) => {
  tell(word === "start" ? startMessage() : { type: word });
});
const lending = new Lending(navigator, ofBrowser, () => {
  if (state.hasBegun) {
    tell({ type: "allow", allowance: lending.allowance });
  }
  panel.showLending(lending, lent);
});

function start() {
  element("unstarted").remove();
  languageSwitch.setUp();
  panel.setUp(lending, {
    start: () => choose("yes", () => state.start()),
    pause: () => choose("no", () => state.pause()),
    finish: () => choose("no", () => state.finish()),
    retryNow: () => tell({ type: "retry_now" }),
  });
  if ("bad" in server) {
    fail(() => strings.error.badServer(server.bad));
  } else {
    coordinator = startCoordinator();
    echo.setUp(serviceUrl(server, "echo"));
  }
  renderWords();
  onLanguage(renderWords);
  work?.start();
  if (isToAsk) {
    chat.setUp(serviceUrl(server, "chat"), ofBrowser);
  }

  addEventListener("storage", (event) => {
    // Without a key, everything was removed.
    if (event.key === ALLOWANCE_KEY || event.key === null) {
      lending.reread();
    }
    if (event.key === LANGUAGE_KEY || event.key === null) {
      rereadLanguage();
    }
  });
  addEventListener("online", () => tellAtWork({ type: "retry_now" }));
  onLifecycle({
    suspend: () => tellAtWork({ type: "suspend" }),
    resume: () => tellAtWork({ type: "resume" }),
  });
  addEventListener("pagehide", () => {
    sayBye(tab);
    totals.save(performance.now());
  });
  document.addEventListener("visibilitychange", () => totals.save(performance.now()));
  whileVisible(RENDER_INTERVAL_MS, render);
}

function firstWish() {
  if (new URL(location.href).searchParams.get("auto") === "0") {
    return "ready";
  }
  return choice.isToRun ? "running" : "paused";
}

/** @param {"yes" | "no"} word Whether the tab is to compute from now on. @param {() => void} act */
function choose(word, act) {
  choice.keep(word);
  act();
  renderState();
}

// ---- The coordinator ----------------------------------------------------------------------------

function startCoordinator() {
  const script = new URL("worker_loader.js", document.baseURI);
  const worker = new Worker(script, { type: "module", name: "coordinator" });
  const late = setTimeout(
    () => fail(() => strings.error.silentWorker(WORKER_START_MS_MAX / 1000)),
    WORKER_START_MS_MAX,
  );
  // Also what a worker's script awaits in vain comes here, such as wasm that is missing.
  worker.addEventListener("error", (event) => {
    clearTimeout(late);
    // What it would still do nobody could stop.
    worker.terminate();
    const { message } = event;
    fail(() => (message ? strings.error.brokenWorker(message) : strings.error.noWorker));
  });
  worker.addEventListener("message", (event) => {
    clearTimeout(late);
    hear(event.data, performance.now());
  });
  return worker;
}

/** @param {FromPage} message */
function tell(message) {
  coordinator?.postMessage(message);
}

/** The same, of what a coordinator that rests is not to be woken by. @param {FromPage} message */
function tellAtWork(message) {
  if (state.isAtWork) {
    tell(message);
  }
}

/** @returns {FromPage} */
function startMessage() {
  if ("bad" in server) {
    throw new Error("no coordinator is started without a server");
  }
  const worker = server.takesLeases ? browserId(ofBrowser) : null;
  return { type: "start", url: server.url, worker, tab, allowance: lending.allowance };
}

/** @param {ToPage} message @param {number} now */
function hear(message, now) {
  const said = strings.logged;
  switch (message.type) {
    case "ready":
      // It speaks first: what is posted to a worker before it listens is lost.
      state.listens();
      return renderState();
    case "connecting":
      view.addLogLine(said.connecting(message.attempt));
      return link("connecting");
    case "connected":
      view.addLogLine(said.connected);
      return link("connected");
    case "disconnected":
      retryAt = now + message.retry_in_ms;
      view.addLogLine(said.disconnected(message.reason, message.retry_in_ms / 1000));
      return link("waiting");
    case "paused":
      state.paused();
      activity.stop();
      lent = { ...lent, tabs: 1 };
      panel.showLending(lending, lent);
      view.addLogLine(said.paused);
      return renderState();
    case "failed":
      return fail(() => message.text, message.can_retry);
    case "lent":
      lent = message;
      activity.resize(message.slots);
      return panel.showLending(lending, lent);
    case "task":
      activity.begin(message.slot, { text: message.text }, now);
      return view.addLogLine(said.task(message.task_id, message.text));
    case "result":
      view.addLogLine(said.result(message.task_id, message.result));
      return computed(message, 1, String(message.task_id), now);
    case "lease":
      return activity.begin(message.slot, { op: message.op, job: message.job }, now);
    case "results":
      // A line of the log for each would be several a second.
      return computed(message, message.count, strings.taskOf(message.job, message.last), now);
    case "idle":
      return activity.idle(message.slot, now);
    case "notice":
      return view.addLogLine(message.text);
  }
}

/** @param {{ slot: number, text: string, result: string, duration_ms: number }} piece
 * @param {number} tasks @param {string} task The last one's name. @param {number} now */
function computed(piece, tasks, task, now) {
  const { share_percent: sharePercent } = lending.allowance;
  activity.computed(piece.slot, { tasks, durationMs: piece.duration_ms, sharePercent }, now);
  totals.add(tasks, piece.duration_ms, now);
  view.addResult({ ...piece, task });
}

/** @param {"connecting" | "connected" | "waiting"} name */
function link(name) {
  state.linked(name);
  renderState();
}

/** @param {() => string} why @param {boolean} [canRetry] */
function fail(why, canRetry = false) {
  failure = why;
  state.failed(canRetry);
  activity.stop();
  view.addLogLine(why());
  renderState();
}

// ---- The screen ---------------------------------------------------------------------------------

/** All that has words, in the language of the moment. */
function renderWords() {
  showWords();
  if (!("bad" in server)) {
    panel.showServer(server.url);
  }
  panel.showLending(lending, lent);
  view.redraw();
  renderState();
}

/** What a person waits for is drawn at once, and is rare. */
function renderState() {
  panel.showState(state.state, state.canRetry);
  render();
}

function render() {
  const now = performance.now();
  panel.showCountdown(retryAt - now);
  panel.showComputing(state.state, failure(), activity.work(now), (job) => work?.nameOf(job) ?? "");
  panel.showSlots(
    activity.slots.map((slot) => ({ isComputing: slot.isComputing, busy: slot.busy(now) })),
  );
  panel.showSpeed(activity.speed(now));
  panel.showTotals({ here: totals.here, ...totals.sums });
  view.render();
}

start();
