// @ts-check
// The panel of results: those of the chosen job, as a picture, in words and as a table.

import { ask, saidBy } from "./answer.js";
import { axisText, countOf, digitsOf, finiteOf, histogram, isForLog, layOut, sizes, textOf } from "./distribution.js";
import { cut, element, setText } from "./dom.js";
import { whileVisible } from "./lifecycle.js";
import { opName } from "./op-name.js";
import { jobColour } from "./palette.js";
import { Sampler, askSample } from "./sample.js";
import { strings } from "./strings.js";
import { Bars, Scatter } from "./values-plot.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./sample.js").Sample} Sample */
/** @typedef {import("./work.js").Work} Work */

/** How often it is looked whether the server is to be asked again. */
const LOOK_MS = 500;
/** Points that the table has: what is read; all of them are in the job's results. */
const ROWS_MAX = 100;
/** What is shown of an axis: a list may have a thousand values. */
const AXIS_CHARS_MAX = 80;

/** @type {Work} */
let work;
/** @type {JobView | null} */
let job = null;
/** Whether the server can be asked. */
let isLive = false;
/** The jobs that the stream of events began with: each time that it begins they are new ones.
 * @type {Map<number, JobView> | null} */
let jobsBegun = null;
/** Whether the axis of values is to be logarithmic; as the values are while nobody has said.
 * @type {boolean | null} */
let isLogWanted = null;
/** What is on the screen, for it to be drawn anew only where it differs.
 * @type {{ sample: Sample | null, look: string }} */
let drawn = { sample: null, look: "" };
/** @type {Scatter} */
let scatter;
/** @type {Bars} */
let bars;

/** The job as it is told of by itself: with its axes, which never change.
 * @type {JobView | null} */
let detail = null;
/** Whether what is shown is read in the table, since nothing can be drawn. */
let isRead = false;

const sampler = new Sampler(() => draw(), async (id, signal) => {
  const known = detail?.id === id ? detail : askJob(id, signal);
  const [told, sample] = await Promise.all([known, askSample(id, signal)]);
  detail = told;
  return sample;
});

/** @param {number} id @param {AbortSignal} signal @returns {Promise<JobView>} */
async function askJob(id, signal) {
  return saidBy(await ask(`api/jobs/${id}`, { signal }));
}

/** @param {Work} all */
export function setUp(all) {
  work = all;
  scatter = new Scatter(element("values-plot"));
  bars = new Bars(element("values-bins"));
  for (const button of scaleButtons()) {
    button.addEventListener("click", () => {
      isLogWanted = button.dataset.scale === "log";
      draw();
    });
  }
  element("values-data").addEventListener("toggle", drawTable);
  whileVisible(LOOK_MS, follow);
}

/** @param {Live} live */
export function show(live) {
  const next = work.shownJob(live);
  if (next?.id !== job?.id) {
    isLogWanted = null;
  }
  if (live.state.jobs !== jobsBegun) {
    // Where the stream begins anew the server may be another one, of which no job is the same.
    jobsBegun = live.state.jobs;
    sampler.forget();
    detail = null;
  }
  job = next;
  isLive = live.link === "live";
  follow();
  draw();
}

/** Nobody is there to be asked while the server is away. */
function follow() {
  if (isLive) {
    sampler.follow(job, performance.now());
  }
}

/** @returns {NodeListOf<HTMLElement>} */
function scaleButtons() {
  return element("values-scale").querySelectorAll("button");
}

// ---- The screen ---------------------------------------------------------------------------------

function draw() {
  const { sample } = sampler;
  const finite = sample ? finiteOf(sample.points) : [];
  const { values: words } = strings;
  element("values-job").hidden = job === null;
  setText("values-name", job ? strings.job(job.id, job.name) : "");
  element("values-mark").style.background = job ? jobColour(job.id) : "";
  setText("values-about", job ? aboutOf(job) : "");
  setText("values-said", job && sample ? said(job, sample) : "");
  setText("values-error", sampler.failure === null ? "" : words.failed(sampler.failure));
  setText("values-sizes", finite.length > 0 ? words.sizes(...texts(finite)) : "");
  setText("values-empty", whyNothing(sample, finite.length));
  element("values-empty").hidden = finite.length > 0;
  element("values-charts").hidden = finite.length === 0;
  element("values-data").hidden = !sample?.points.length;
  const isText = finite.length === 0 && countOf(sample?.points ?? [], isNone) > 0;
  if (isText !== isRead) {
    isRead = isText;
    /** @type {HTMLDetailsElement} */ (element("values-data")).open = isText;
  }
  drawPictures(sample, finite);
}

/** What is computed, and of what. @param {JobView} job */
function aboutOf({ id, op, block }) {
  const axes = Object.entries((detail?.id === id && detail.axes) || {});
  const parts = axes.map(([name, axis]) => `${name} = ${cut(axisText(axis), AXIS_CHARS_MAX)}`);
  return [opName(op), ...parts, block === 1 ? "" : strings.values.block(block)].filter(Boolean).join(" · ");
}

/** @param {number | null} number */
const isNone = (number) => number === null;

/** The smallest, the middle and the largest. @param {number[]} values @returns {[string, string, string]} */
function texts(values) {
  const digits = digitsOf(values);
  const [min, median, max] = sizes(values).map((value) => strings.values.size(value, digits));
  return [min, median, max];
}

/** @param {Sample | null} sample @param {number} finite */
function whyNothing(sample, finite) {
  const { values: words } = strings;
  if (!job) {
    return words.none;
  }
  if (!sample) {
    return sampler.failure === null ? words.asking : "";
  }
  return sample.points.length + sample.errors > 0 && finite === 0 ? words.noneFinite : words.noneYet;
}

/** What the picture is of. @param {JobView} job @param {Sample} sample */
function said(job, { points, total, wanted, errors }) {
  const { values: words } = strings;
  const count = points.length;
  const parts = [];
  if (count > 0 && wanted < total) {
    // The job may have been told of before what was drawn since.
    parts.push(words.drawn(count, Math.max(job.done, count)));
  } else if (count > 0) {
    parts.push(count + errors < total ? words.soFar(count, total) : words.all(count));
  }
  const infinite = countOf(points, (number) => Math.abs(number ?? 0) === Infinity);
  const notNumbers = countOf(points, Number.isNaN);
  parts.push(infinite > 0 ? words.infinite(infinite) : "");
  parts.push(notNumbers > 0 ? words.notNumbers(notNumbers) : "");
  const texts = countOf(points, isNone);
  parts.push(texts > 0 ? words.texts(texts) : "");
  parts.push(job.failed > 0 ? words.failedTasks(job.failed) : "");
  return parts.filter(Boolean).join(" · ");
}

/** @param {Sample | null} sample @param {number[]} finite */
function drawPictures(sample, finite) {
  const isOffered = finite.length > 0 && isForLog(finite);
  const isLog = isOffered && (isLogWanted ?? true);
  const colour = job ? jobColour(job.id) : "";
  const look = [isLog, colour, document.documentElement.lang].join();
  if (drawn.sample === sample && drawn.look === look) {
    return;
  }
  drawn = { sample, look };
  element("values-scale").hidden = !isOffered;
  for (const button of scaleButtons()) {
    button.setAttribute("aria-pressed", String((button.dataset.scale === "log") === isLog));
  }
  const { dataset } = element("values");
  Object.assign(dataset, { job: sample?.job ?? "", points: sample?.points.length ?? 0 });
  dataset.scale = isLog ? "log" : "linear";
  if (!sample || finite.length === 0) {
    scatter.clear();
    bars.clear();
    element("values-bins").dataset.counts = "";
  } else {
    drawCharts(sample, finite, isLog, colour);
  }
  drawTable();
}

/** @param {Sample} sample @param {number[]} finite @param {boolean} isLog @param {string} colour */
function drawCharts({ points, wanted, total }, finite, isLog, colour) {
  const layout = layOut(finite, isLog);
  const { edges, counts } = histogram(finite.map(layout.placeOf));
  const isWhole = wanted === total;
  const digits = digitsOf(finite);
  const picture = { points, total, isWhole, layout, edges, counts, digits, colour };
  scatter.draw(picture);
  bars.draw(picture);
  element("values-bins").dataset.counts = counts.join();
}

/** Filled while it is open alone: it is long, and few look at it. */
function drawTable() {
  const isOpen = /** @type {HTMLDetailsElement} */ (element("values-data")).open;
  const points = (isOpen && sampler.sample?.points) || [];
  const shown = points.slice(0, ROWS_MAX);
  element("values-rows").replaceChildren(
    ...shown.map(([index, value]) => row(strings.values.grouped(index), cut(textOf(value)))),
  );
  const isMore = points.length > ROWS_MAX;
  setText("values-more", isMore ? strings.values.more(ROWS_MAX, points.length) : "");
}

/** @param {string[]} cells */
function row(...cells) {
  const row = document.createElement("tr");
  row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return row;
}
