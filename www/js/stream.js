// @ts-check
// The panel of the task stream: which slot of which worker was busy with which job, and when.

import { element, onResize, setText } from "./dom.js";
import { whileVisible } from "./lifecycle.js";
import { BARS_MAX } from "./live.js";
import { onTheme, seriesName } from "./palette.js";
import { drawStream, namesWidth, STRIPS } from "./stream-canvas.js";
import { barAt, endOf, keptMs, layOut, summaries } from "./stream-layout.js";
import { guarded } from "./part.js";
import { language, strings } from "./strings.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("./stream-layout.js").Layout} Layout */

/** How often the picture moves on. */
const DRAW_INTERVAL_MS = 1000;
/** What is shown first. */
const SPAN_S = 60;
/** Slots beyond are not drawn: `STREAM_ROWS_MAX` of the server. */
const ROWS_MAX = 128;
/** Jobs of the legend. */
const LEGEND_MAX = 8;
/** How far beside a bar one may point. */
const REACH_PX = 4;
/** How far from what is pointed at it is told of. */
const TIP_AWAY_PX = 14;

/** @type {Live | null} */
let live = null;
let spanS = SPAN_S;
/** @type {Layout | null} What is drawn. */
let layout = null;
/** The programs of workers that have rows, also of those that have left.
 * @type {Map<number, string>} */
const programs = new Map();
/** Where a person points, in pixels of the canvas.
 * @type {{ x: number, y: number } | null} */
let pointed = null;

export function setUp() {
  const canvas = element("stream-canvas");
  for (const button of spanButtons()) {
    button.addEventListener("click", () => {
      spanS = Number(button.dataset.seconds);
      draw();
    });
  }
  canvas.addEventListener("pointermove", (event) => point({ x: event.offsetX, y: event.offsetY }));
  // What a finger has shown stays until the next touch.
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && point(null));
  addEventListener("pointerdown", (event) => {
    point(event.target === canvas ? { x: event.offsetX, y: event.offsetY } : null);
  });
  addEventListener("keydown", (event) => event.key === "Escape" && point(null));
  element("stream-data").addEventListener("toggle", showTable);
  const redraw = guarded("stream", draw);
  onResize(element("stream-scroll"), redraw);
  onTheme(redraw);
  whileVisible(DRAW_INTERVAL_MS, redraw);
}

/** @param {Live} told */
export function show(told) {
  live = told;
  keepPrograms(told);
  // Else the picture goes on by itself.
  if (!layout || element("stream").dataset.language !== language()) {
    draw();
  }
}

/** @param {Live} told */
function keepPrograms({ state }) {
  const shown = new Set(state.rows.map(({ worker }) => worker));
  programs.forEach((_, worker) => shown.has(worker) || programs.delete(worker));
  for (const worker of shown) {
    const known = state.workers.get(worker);
    if (known) {
      programs.set(worker, known.program);
    }
  }
}

// ---- The picture --------------------------------------------------------------------------------

function draw() {
  if (!live) {
    return;
  }
  const { state } = live;
  layout = layOut(state, live.nowMs, spanS * 1000, BARS_MAX);
  const isEmpty = layout.groups.length === 0;
  element("stream-empty").hidden = !isEmpty;
  element("stream-shown").hidden = isEmpty;
  setText("stream-empty", state.workers.size ? strings.stream.idleAll : strings.stream.nobody);
  if (!isEmpty) {
    showAxis(element("stream-scroll").clientWidth);
    showLegend(layout);
    showTip();
    showTable();
  }
  showSpans();
  showOmitted(layout);
  tell(layout);
  // The rest stands where a browser draws nothing.
  if (!isEmpty) {
    const width = element("stream-scroll").clientWidth;
    const canvas = /** @type {HTMLCanvasElement} */ (element("stream-canvas"));
    drawStream(canvas, layout, width, ({ worker }) => nameOf(worker));
  }
}

/** What is drawn, for who tests it and for who does not see it. @param {Layout} drawn */
function tell({ groups, bars }) {
  const count = (/** @type {string} */ how) => bars.filter((bar) => bar.end?.how === how).length;
  const [rows, lost] = [groups.reduce((sum, { slots }) => sum + slots, 0), count("lost")];
  Object.assign(element("stream").dataset, {
    language: language(),
    rows,
    workers: groups.map(({ worker }) => worker).join(" "),
    bars: bars.length,
    lost,
    returned: count("returned"),
  });
  const text = strings.stream.picture(rows, groups.length, lost);
  element("stream-canvas").setAttribute("aria-label", text);
}

/** @param {number} worker */
function nameOf(worker) {
  const name = strings.stream.worker(worker, programs.get(worker) ?? "");
  return live?.state.workers.has(worker) ? name : strings.stream.left(name);
}

function showSpans() {
  for (const button of spanButtons()) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.seconds) === spanS));
  }
}

/** @returns {NodeListOf<HTMLElement>} */
function spanButtons() {
  return element("stream").querySelectorAll("[data-seconds]");
}

/** @param {number} width */
function showAxis(width) {
  element("stream-axis").style.marginLeft = `${namesWidth(width)}px`;
  for (let mark = 0; mark < STRIPS; mark += 1) {
    setText(`stream-mark-${mark}`, strings.stream.ago((spanS * (STRIPS - mark)) / STRIPS));
  }
  setText(`stream-mark-${STRIPS}`, strings.throughput.now);
}

/** What is not drawn: slots that have no row, and what is forgotten. @param {Layout} drawn */
function showOmitted(drawn) {
  const kept = keptMs(drawn);
  const texts = [omittedSlots(drawn)];
  if (kept !== null) {
    texts.push(strings.stream.kept(Math.floor(kept / 1000)));
  }
  const text = texts.filter((each) => each !== "").join(" ");
  element("stream-omitted").hidden = text === "";
  setText("stream-omitted", text);
}

/** @param {Layout} layout */
function omittedSlots({ groups }) {
  const workers = [...(live?.state.workers.values() ?? [])];
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  const here = groups.filter((group) => group.isHere);
  const drawn = here.reduce((sum, group) => sum + group.slots, 0);
  return slots > ROWS_MAX && drawn < slots ? strings.stream.omitted(drawn, slots) : "";
}

/** The newest of the jobs in view, before what is always there. @param {Layout} drawn */
function showLegend({ bars }) {
  const jobs = [...new Set(bars.map((bar) => bar.job))].sort((a, b) => a - b);
  const list = element("stream-legend");
  const shown = jobs.slice(-LEGEND_MAX);
  if (list.dataset.jobs !== shown.join(" ")) {
    list.dataset.jobs = shown.join(" ");
    list.replaceChildren(...shown.map(legendItem));
  }
  for (const job of shown) {
    setText(`stream-job-${job}`, jobName(job));
    // A long one is cut.
    element(`stream-job-${job}`).title = jobName(job);
  }
  const isCut = jobs.length > shown.length;
  setText("stream-more", isCut ? strings.stream.moreJobs(jobs.length - shown.length) : "");
}

/** @param {number} job */
function legendItem(job) {
  const [item, swatch, name] = ["li", "span", "span"].map((tag) => document.createElement(tag));
  swatch.className = "swatch";
  swatch.style.setProperty("--swatch", `var(${seriesName(job - 1)})`);
  name.id = `stream-job-${job}`;
  item.append(swatch, name);
  return item;
}

/** @param {number} job */
function jobName(job) {
  return strings.job(job, live?.state.jobs.get(job)?.name ?? "");
}

// ---- What is pointed at -------------------------------------------------------------------------

/** @param {{ x: number, y: number } | null} at */
function point(at) {
  pointed = at;
  showTip();
}

function showTip() {
  const tip = element("stream-tip");
  const bar = pointed && barBelow(pointed);
  tip.hidden = !bar;
  if (!bar || !pointed || !layout) {
    return;
  }
  const said = strings.stream;
  const ms = endOf(bar, layout.nowMs) - bar.from_ms;
  setText("stream-tip-job", jobName(bar.job));
  setText("stream-tip-state", said.states[bar.end?.how ?? "open"]);
  setText("stream-tip-tasks", said.tasks(bar.tasks, strings.duration(ms)));
  setText("stream-tip-worker", said.slot(nameOf(bar.worker), bar.slot + 1));
  const { clientWidth: width } = element("stream-shown");
  const top = element("stream-scroll").offsetTop - element("stream-scroll").scrollTop + pointed.y;
  // On the side where there is room for it.
  const left = pointed.x + TIP_AWAY_PX + tip.offsetWidth <= width;
  const x = left ? pointed.x + TIP_AWAY_PX : pointed.x - TIP_AWAY_PX - tip.offsetWidth;
  tip.style.left = `${Math.max(0, x)}px`;
  tip.style.top = `${top + TIP_AWAY_PX}px`;
}

/** @param {{ x: number, y: number }} at */
function barBelow({ x, y }) {
  const width = element("stream-scroll").clientWidth;
  const names = namesWidth(width);
  return layout && barAt(layout, width - names, x - names, y, REACH_PX);
}

// ---- The table ----------------------------------------------------------------------------------

/** What each worker did, while it is open. */
function showTable() {
  const table = /** @type {HTMLDetailsElement} */ (element("stream-data"));
  if (!table.open || !layout) {
    return;
  }
  const rows = [...summaries(layout)].map(([worker, { answered, returned, lost, busy }]) => {
    const numbers = [answered, returned, lost].map(String);
    return [nameOf(worker), ...numbers, strings.stream.percent(Math.round(busy * 100))];
  });
  const body = element("stream-rows");
  while (body.children.length > rows.length) {
    body.lastElementChild?.remove();
  }
  while (body.children.length < rows.length) {
    body.append(tableRow(rows[0].length));
  }
  rows.forEach((texts, index) => {
    texts.forEach((text, column) => {
      const cell = body.children[index].children[column];
      if (cell.textContent !== text) {
        cell.textContent = text;
      }
    });
  });
}

/** @param {number} columns The first of which has the name. */
function tableRow(columns) {
  const row = document.createElement("tr");
  for (let column = 0; column < columns; column += 1) {
    const cell = document.createElement(column === 0 ? "th" : "td");
    if (column === 0) {
      cell.setAttribute("scope", "row");
    } else {
      cell.className = "number";
    }
    row.append(cell);
  }
  return row;
}
