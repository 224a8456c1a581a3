// @ts-check
// What is on the screen below the tab's own panel: the last results and the log.

import { cut, element } from "./dom.js";
import { strings } from "./strings.js";

/** Results that the table keeps, and lines that the log keeps: a tab may be open for weeks. */
const RESULTS_MAX = 20;
const LOG_LINES_MAX = 200;
const LINE_CHARS_MAX = 1000;

/** @typedef {{ task: string, result: string, text: string, duration_ms: number }} Result */

/** @type {Result[]} What is not on the screen yet, the oldest first. */
let results = [];
/** @type {Result[]} What is, the oldest first. */
let shown = [];
/** @type {{ at: Date, text: string }[]} */
let lines = [];

/** @param {Result} result */
export function addResult(result) {
  results.push(result);
  results = results.slice(-RESULTS_MAX);
}

/** @param {string} text */
export function addLogLine(text) {
  lines.push({ at: new Date(), text });
  lines = lines.slice(-LOG_LINES_MAX);
}

/** Puts what was added onto the screen, the newest on top. */
export function render() {
  if (results.length > 0) {
    element("no-results").hidden = true;
    element("results").hidden = false;
    prepend(resultRows(), results.map(resultRow), RESULTS_MAX);
    shown = [...shown, ...results].slice(-RESULTS_MAX);
    results = [];
  }
  prepend(element("log"), lines.map(logLine), LOG_LINES_MAX);
  lines = [];
}

/** Draws the results anew, in another language. The log's lines stay as they were written. */
export function redraw() {
  resultRows().replaceChildren(...shown.map(resultRow).reverse());
}

function resultRows() {
  return /** @type {HTMLTableElement} */ (element("results")).tBodies[0];
}

/** @param {Element} list @param {Element[]} added @param {number} max */
function prepend(list, added, max) {
  list.prepend(...added.reverse());
  while (list.children.length > max) {
    list.lastElementChild?.remove();
  }
}

/** @param {Result} result */
function resultRow(result) {
  const row = document.createElement("tr");
  for (const text of [
    result.task,
    cut(result.result),
    strings.duration(result.duration_ms),
    cut(result.text),
  ]) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  return row;
}

/** @param {{ at: Date, text: string }} line */
function logLine({ at, text }) {
  const time = document.createElement("time");
  time.dateTime = at.toISOString();
  time.textContent = strings.time(at);
  const line = document.createElement("li");
  line.append(time, Object.assign(document.createElement("span"), { textContent: cut(text, LINE_CHARS_MAX) }));
  return line;
}
