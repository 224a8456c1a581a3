// @ts-check
// The tab's own panel: how it is, what it computes and how fast, and what its person lends.

import { element, input, setText } from "./dom.js";
import { SHARE_MAX, SHARE_MIN, SHARE_STEP } from "./lending.js";
import { kernelOf, opName } from "./op-name.js";
import { strings } from "./strings.js";

/** @typedef {import("./activity.js").Work} Work */
/** @typedef {import("./lending.js").Lending} Lending */
/** @typedef {import("./tab-state.js").State} State */
/** @typedef {import("./totals.js").Sum} Sum */

/** Slots from which on their meters are narrow, so that those of a big machine fit. */
const SLOTS_NARROW_MIN = 13;

/** Which buttons there are, in which state; the one that tries again is beside them. */
const BUTTONS = /** @type {const} */ (["start", "pause", "finish"]);
/** @type {Record<State, readonly (typeof BUTTONS[number])[]>} */
const OFFERED = {
  starting: ["pause", "finish"],
  connecting: ["pause", "finish"],
  connected: ["pause", "finish"],
  waiting: ["pause", "finish"],
  ready: ["start"],
  paused: ["start"],
  pausing: ["start"],
  finishing: ["start", "pause"],
  failed: [],
};

/** Makes the controls do what they say.
 * @param {Lending} lending
 * @param {{ start: () => void, pause: () => void, finish: () => void, retryNow: () => void }} act */
export function setUp(lending, act) {
  element("start").addEventListener("click", act.start);
  element("pause").addEventListener("click", act.pause);
  element("finish").addEventListener("click", act.finish);
  element("retry-now").addEventListener("click", act.retryNow);

  const [cores, share] = [input("cores"), input("share")];
  Object.assign(cores, { min: 1, max: lending.coresMax, step: 1 });
  Object.assign(share, { min: SHARE_MIN, max: SHARE_MAX, step: SHARE_STEP });
  // While it is drawn, not only when it is let go.
  cores.addEventListener("input", () => lending.setCores(cores.valueAsNumber));
  share.addEventListener("input", () => lending.setShare(share.valueAsNumber));
}

/** @param {string} url @param {boolean} lacksKernels Whether it has kernels that the page cannot get. */
export function showServer(url, lacksKernels) {
  setText("server", strings.server(url));
  setText("no-kernels", lacksKernels ? strings.noKernels : "");
}

/** @param {State} state @param {boolean} canRetry */
export function showState(state, canRetry) {
  element("state").dataset.state = state;
  setText("state-text", strings.state[state]);
  setText("start", state === "finishing" || state === "pausing" ? strings.goOn : strings.start);
  setText("retry-now", state === "failed" ? strings.tryAgain : strings.retryNow);
  const offered = OFFERED[state];
  const focused = document.activeElement;
  for (const id of BUTTONS) {
    element(id).hidden = !offered.includes(id);
  }
  element("buttons").hidden = offered.length === 0;
  element("retry").hidden = state !== "waiting" && !canRetry;
  element("countdown").hidden = state !== "waiting";
  keepFocus(focused);
}

/** Whoever was at a button that is gone finds the next one where they were.
 * @param {Element | null} focused */
function keepFocus(focused) {
  const buttons = [...BUTTONS, "retry-now"].map(element);
  const isOffered = (/** @type {Element} */ button) => !button.closest("[hidden]");
  if (buttons.some((button) => button === focused && !isOffered(button))) {
    buttons.find(isOffered)?.focus();
  }
}

/** What keeps the socket from opening, where that is known.
 * @param {import("./why-not.js").Why | null} why */
export function showWhyNot(why) {
  element("why-not").hidden = why === null;
  element("why-not").dataset.why = why?.kind ?? "";
  setText("why-not", why ? strings.whyNot(why) : "");
}

/** @param {number} ms */
export function showCountdown(ms) {
  setText("countdown", strings.countdown(Math.max(0, Math.ceil(ms / 1000))));
}

/** What is computed, or why nothing is.
 * @param {State} state @param {string} failure @param {Work[]} work
 * @param {(job: number) => string} nameOf */
export function showComputing(state, failure, work, nameOf) {
  const isAtRest = state === "ready" || state === "paused" || state === "failed";
  const shown = isAtRest ? [] : work;
  const jobs = shown.filter((each) => "job" in each);
  const texts = shown.flatMap((each) => ("text" in each ? [each.text] : []));
  const isWorking = shown.length > 0 && state !== "pausing";
  const kernels = new Set(isWorking ? jobs.map((each) => kernelText(each.op)) : []);
  setText("computing-kernels", [...kernels].filter(Boolean).join(" "));
  element("computing").classList.toggle("idle", !isWorking && state !== "failed");
  element("computing").classList.toggle("words", !isWorking);
  if (!isWorking) {
    setText("ops", state === "failed" ? failure : whyIdle(state));
    setText("job", "");
  } else if (jobs.length > 0) {
    const ops = new Set(jobs.map((each) => opName(each.op)));
    setText("ops", strings.ops(strings.several([...ops])));
    const ids = new Set(jobs.map((each) => each.job));
    setText("job", strings.several([...ids].map((id) => strings.job(id, nameOf(id)))));
  } else {
    setText("ops", strings.several(texts));
    setText("job", "");
  }
  // A long name is cut.
  element("computing").title = isWorking ? (element("computing").textContent ?? "") : "";
}

/** What a kernel is, once the server has said it; empty of other ops. @param {string} op */
function kernelText(op) {
  const kernel = kernelOf(op);
  return kernel ? strings.kernel(kernel.name, kernel.bytes) : "";
}

/** @param {Exclude<State, "failed">} state */
function whyIdle(state) {
  switch (state) {
    case "ready":
    case "paused":
      return strings.stopped;
    case "pausing":
      return strings.pausing;
    case "finishing":
      return strings.finished;
    case "connected":
      return strings.idle;
    default:
      return strings.offline;
  }
}

/** One meter a slot, and the sum of them in words.
 * @param {{ isComputing: boolean, busy: number }[]} slots */
export function showSlots(slots) {
  const list = element("slots");
  list.classList.toggle("narrow", slots.length >= SLOTS_NARROW_MIN);
  while (list.children.length > slots.length) {
    list.lastElementChild?.remove();
  }
  while (list.children.length < slots.length) {
    const meter = document.createElement("span");
    meter.dataset.slot = String(list.children.length);
    list.append(meter);
  }
  slots.forEach(({ isComputing, busy }, index) => {
    const meter = /** @type {HTMLElement} */ (list.children[index]);
    meter.dataset.state = isComputing ? "computing" : "idle";
    meter.dataset.busy = String(busy);
    meter.style.setProperty("--busy", String(busy / 100));
  });
  const computing = slots.filter((slot) => slot.isComputing).length;
  const busy = slots.reduce((sum, slot) => sum + slot.busy, 0) / Math.max(1, slots.length);
  setText("slots-summary", strings.slots(computing, slots.length, Math.round(busy)));
}

/** @param {number} perSecond */
export function showSpeed(perSecond) {
  setText("speed", strings.tasksPerSecond(perSecond));
}

/** @param {Lending} lending @param {{ slots: number, tabs: number }} lent */
export function showLending(lending, lent) {
  const { cores, share_percent } = lending.allowance;
  showRange("cores", cores, strings.coresOf(cores, lending.coresMax));
  showRange("share", share_percent, strings.shareOf(share_percent));
  setText("share-note", lending.spares ? strings.onBattery : "");
  setText("tabs", lent.tabs > 1 ? strings.sharedOut(lent.slots, cores, lent.tabs) : "");
}

/** @param {string} id @param {number} value @param {string} text */
function showRange(id, value, text) {
  const range = input(id);
  range.value = String(value);
  range.setAttribute("aria-valuetext", text);
  setText(`${id}-text`, text);
}

/** @param {{ here: Sum, today: Sum, ever: Sum }} sums */
export function showTotals({ here, today, ever }) {
  setText("result-count", strings.grouped(here.tasks));
  setText("tasks-today", strings.grouped(today.tasks));
  setText("tasks-ever", strings.grouped(ever.tasks));
  setText("time-here", strings.longTime(here.ms));
  setText("time-today", strings.longTime(today.ms));
  setText("time-ever", strings.longTime(ever.ms));
}
