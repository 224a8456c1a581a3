// @ts-check
// The panel of throughput: how many tasks a second are done, by kind of worker, over up to an hour.

import { element, setText } from "./dom.js";
import { whileVisible } from "./lifecycle.js";
import { onTheme } from "./palette.js";
import { guarded } from "./part.js";
import { strings } from "./strings.js";
import { Chart, KIND_COLOURS } from "./throughput-chart.js";
import {
  firstBusy,
  kindsIn,
  knownEnd,
  minutes,
  present,
  rate,
  rates,
  stepFor,
} from "./throughput-series.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./protocol.js").WorkerKind} WorkerKind */
/** @typedef {import("./throughput-series.js").Span} Span */

/** What is shown until a person chooses: long enough to see what came of what one did, and not lost
 * in it; and of what has just begun, the little that there is. */
const SPAN_S = 300;
const SPAN_S_YOUNG = 60;
/** A closer look than this shows no more. */
const ZOOM_S_MIN = 5;
/** What the server tells comes a little late, and not always as late; a clock that was set is another
 * thing. */
const DELAY_MS_MAX = 1000;
/** How often it is looked whether a second has gone by. */
const LOOK_INTERVAL_MS = 500;
/** Minutes of the table. */
const ROWS_MAX = 15;

/** @type {Live | null} */
let live = null;
/** @type {Chart | null} */
let chart = null;
/** The seconds before now that a person has chosen to see.
 * @type {number | null} */
let chosenS = null;
/** What is shown where a person has zoomed: it stands still.
 * @type {Span | null} */
let zoomed = null;
/** What makes a time of the server one of the clock on the wall. */
let offsetMs = 0;
/** @type {WorkerKind[]} From the ground of the stack upwards. */
let kinds = [];
/** @type {{ steps: Span[], rates: number[][] }} What is drawn; `rates[kind][step]`. */
let drawn = { steps: [], rates: [] };
/** The end of what was drawn last. */
let drawnEndS = -1;
/** The second at which the keyboard has put the cursor.
 * @type {number | null} */
let heldS = null;
/** The step below the cursor.
 * @type {number | null} */
let pointed = null;

export function setUp() {
  const box = element("throughput-chart");
  chart = new Chart(box, { cursor: point, zoom, reset: () => choose(chosenS) });
  for (const button of spanButtons()) {
    button.addEventListener("click", () => choose(Number(button.dataset.seconds)));
  }
  box.addEventListener("keydown", move);
  box.addEventListener("pointermove", () => (heldS = null));
  box.addEventListener("blur", () => hold(null));
  element("throughput-data").addEventListener("toggle", showTable);
  const redraw = guarded("throughput", draw);
  onTheme(redraw);
  whileVisible(LOOK_INTERVAL_MS, () => {
    if (live && knownEnd(live.state.throughput, live.nowMs) !== drawnEndS) {
      redraw();
    }
  });
}

/** @param {Live} told */
export function show(told) {
  live = told;
  if (told.link === "live") {
    const newOffsetMs = Date.now() - told.nowMs;
    // Or a second's name would change with each delay on the way.
    if (Math.abs(newOffsetMs - offsetMs) > DELAY_MS_MAX) {
      offsetMs = newOffsetMs;
    }
  }
  draw();
}

/** @param {number | null} seconds */
function choose(seconds) {
  [chosenS, zoomed] = [seconds, null];
  draw();
}

/** The seconds before now that are shown. */
function span() {
  const beganS = live ? firstBusy(live.state.throughput) : 0;
  const isYoung = drawnEndS - beganS < SPAN_S_YOUNG;
  return chosenS ?? (isYoung ? SPAN_S_YOUNG : SPAN_S);
}

/** @param {number} fromMs @param {number} toMs */
function zoom(fromMs, toMs) {
  const fromS = Math.round((fromMs - offsetMs) / 1000);
  const toS = Math.max(fromS + ZOOM_S_MIN, Math.round((toMs - offsetMs) / 1000));
  zoomed = { fromS, toS };
  draw();
}

// ---- The picture --------------------------------------------------------------------------------

function draw() {
  if (!live) {
    return;
  }
  const { throughput } = live.state;
  drawnEndS = knownEnd(throughput, live.nowMs);
  kinds = kindsIn(throughput);
  const isEmpty = kinds.length === 0;
  element("throughput-empty").hidden = !isEmpty;
  element("throughput-shown").hidden = isEmpty;
  showPresent();
  if (isEmpty) {
    return;
  }
  const view = zoomed ?? { fromS: drawnEndS - span(), toS: drawnEndS };
  const known = { fromS: view.fromS, toS: Math.min(view.toS, drawnEndS) };
  drawn = rates(throughput, kinds, known, stepFor(view.toS - view.fromS, chart?.width ?? 0));
  const edges = [...drawn.steps.map(({ fromS }) => fromS), known.toS];
  const [fromMs, toMs] = [wall(view.fromS), wall(view.toS)];
  chart?.draw({ kinds, edgesMs: edges.map(wall), rates: drawn.rates, fromMs, toMs });
  hold(heldS);
  showSpans();
  showLegend();
  showTable();
  Object.assign(element("throughput").dataset, {
    kinds: kinds.join(" "),
    points: drawn.steps.length,
    from: view.fromS,
    to: view.toS,
  });
}

/** A second of the server's as a time of the wall. @param {number} second */
function wall(second) {
  return second * 1000 + offsetMs;
}

/** How fast it is, in large. */
function showPresent() {
  const now = sum(presentRates());
  element("throughput").dataset.now = String(now);
  setText("throughput-now", strings.throughput.short(now));
  const box = element("throughput-chart");
  // Whoever is at it would hear its name anew with each second.
  if (document.activeElement !== box) {
    box.setAttribute("aria-label", strings.throughput.chart(strings.throughput.short(now)));
  }
}

function presentRates() {
  const throughput = live?.state.throughput;
  const seconds = throughput && present(throughput, drawnEndS);
  return seconds ? kinds.map((kind) => rate(throughput, kind, seconds)) : [];
}

function showSpans() {
  const root = element("throughput");
  root.dataset.zoomed = String(zoomed !== null);
  element("throughput-back").hidden = zoomed === null;
  const shownS = span();
  for (const button of spanButtons()) {
    const isOn = !zoomed && Number(button.dataset.seconds) === shownS;
    button.setAttribute("aria-pressed", String(isOn));
  }
}

/** @returns {NodeListOf<HTMLElement>} */
function spanButtons() {
  return element("throughput").querySelectorAll("[data-seconds]");
}

// ---- The cursor ---------------------------------------------------------------------------------

/** @param {number | null} step */
function point(step) {
  pointed = step;
  showLegend();
}

/** @param {KeyboardEvent} event */
function move(event) {
  const last = drawn.steps.length - 1;
  const at = pointed ?? last + 1;
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  if (event.key === "Escape") {
    hold(null);
  } else if (event.key in steps && last >= 0) {
    event.preventDefault();
    const step = Math.min(last, Math.max(0, steps[event.key]));
    hold(drawn.steps[step].fromS);
  }
}

/** Holds the cursor at a second, wherever that moves. @param {number | null} second */
function hold(second) {
  const isToGo = second === null && heldS !== null;
  heldS = second;
  if (second !== null) {
    const step = drawn.steps.findIndex(({ toS }) => toS > second);
    chart?.point(step < 0 ? null : step);
  } else if (isToGo) {
    chart?.point(null);
  }
}

/** How much of what there is at the cursor, or now. */
function showLegend() {
  const step = pointed !== null && pointed < drawn.steps.length ? pointed : null;
  const values = step === null ? presentRates() : drawn.rates.map((layer) => layer[step]);
  const when = step === null ? strings.throughput.now : timeOf(drawn.steps[step]);
  const [all, ...each] = [sum(values), ...values].map(strings.throughput.short);
  setText("throughput-when", when);
  setText("throughput-all", `${all} ${strings.throughput.unit}`);
  const list = element("throughput-legend");
  if (list.dataset.kinds !== kinds.join()) {
    list.dataset.kinds = kinds.join();
    list.replaceChildren(...kinds.map(legendItem).reverse());
  }
  kinds.forEach((kind, index) => {
    setText(`throughput-kind-${kind}`, strings.throughput.kinds[kind]);
    setText(`throughput-rate-${kind}`, each[index]);
  });
  const box = element("throughput-chart");
  const parts = kinds.map((kind, index) => `${strings.throughput.kinds[kind]} ${each[index]}`);
  box.setAttribute("aria-valuemax", String(Math.max(0, drawn.steps.length - 1)));
  if (step !== null || document.activeElement !== box) {
    box.setAttribute("aria-valuenow", String(step ?? Math.max(0, drawn.steps.length - 1)));
    box.setAttribute("aria-valuetext", strings.throughput.pointed(when, all, parts));
  }
  element("throughput").dataset.cursor = step === null ? "" : String(drawn.steps[step].fromS);
}

/** @param {Span} step */
function timeOf({ fromS, toS }) {
  const [from, to] = [fromS, toS].map((second) => strings.time(new Date(wall(second))));
  return toS - fromS > 1 ? strings.throughput.between(from, to) : from;
}

/** @param {WorkerKind} kind */
function legendItem(kind) {
  const [item, swatch, name, amount] = ["li", "span", "span", "b"].map((tag) =>
    document.createElement(tag),
  );
  swatch.className = "swatch";
  swatch.style.setProperty("--swatch", `var(${KIND_COLOURS[kind]})`);
  name.id = `throughput-kind-${kind}`;
  amount.id = `throughput-rate-${kind}`;
  item.append(swatch, name, amount);
  return item;
}

// ---- The table ----------------------------------------------------------------------------------

/** The last minutes, while it is open. */
function showTable() {
  const table = /** @type {HTMLDetailsElement} */ (element("throughput-data"));
  if (!table.open || !live) {
    return;
  }
  const said = strings.throughput;
  const head = [said.all, ...kinds.map((kind) => said.kinds[kind])];
  const rows = minutes(live.state.throughput, kinds, drawnEndS, offsetMs, ROWS_MAX);
  element("throughput-head").replaceChildren(
    heading("col", said.minute),
    ...head.map((text) => number(heading("col", text))),
  );
  element("throughput-minutes").replaceChildren(
    ...rows.map(({ atMs, tasks }) => {
      const row = document.createElement("tr");
      row.append(heading("row", said.timeToMinute(new Date(atMs))));
      for (const count of [sum(tasks), ...tasks]) {
        const cell = document.createElement("td");
        cell.textContent = said.grouped(count);
        row.append(number(cell));
      }
      return row;
    }),
  );
}

/** @param {"row" | "col"} scope @param {string} text */
function heading(scope, text) {
  return Object.assign(document.createElement("th"), { scope, textContent: text });
}

/** @param {HTMLElement} cell */
function number(cell) {
  cell.className = "number";
  return cell;
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

