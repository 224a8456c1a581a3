// @ts-check
// What is on the screen. Text from elsewhere becomes text nodes and nothing else.

import { strings } from "./strings.js";

/** Results that the table keeps, and lines that the log keeps: a tab may be open for weeks. */
const RESULTS_MAX = 20;
const LOG_LINES_MAX = 200;

/** @typedef {keyof typeof strings.state} State */

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`the page has no element #${id}`);
  }
  return found;
}

const state = element("state");
const stateText = element("state-text");
const retry = element("retry");
const countdown = element("countdown");
const computing = element("computing");
const table = element("results");
const log = element("log");

/** @type {ReturnType<typeof setInterval> | undefined} The countdown's timer. */
let ticking;
let resultCount = 0;

/** Writes every fixed word. */
export function showWords() {
  for (const [id, text] of Object.entries({
    tagline: strings.tagline,
    "tab-title": strings.tab,
    "computing-label": strings.computing,
    "count-label": strings.count,
    "results-title": strings.results,
    "no-results": strings.noResults,
    "column-task": strings.columns.task,
    "column-input": strings.columns.input,
    "column-result": strings.columns.result,
    "column-duration": strings.columns.duration,
    "log-title": strings.log,
    "retry-now": strings.retryNow,
  })) {
    element(id).textContent = text;
  }
  showState("starting");
  showComputing(null);
}

/** @param {State} name @param {string} [detail] Said instead of the state's own words. */
export function showState(name, detail) {
  clearInterval(ticking);
  retry.hidden = true;
  state.dataset.state = name;
  const text = detail ?? strings.state[name];
  // Setting the same text again would be announced again.
  if (stateText.textContent !== text) {
    stateText.textContent = text;
  }
}

/** Counts down to the next attempt. @param {number} ms */
export function showCountdown(ms) {
  showState("waiting");
  const until = performance.now() + ms;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    countdown.textContent = strings.countdown(seconds);
  };
  tick();
  ticking = setInterval(tick, 250);
  retry.hidden = false;
}

/** @param {string} url */
export function showServer(url) {
  element("server").textContent = strings.server(url);
}

/** @param {string | null} text What is computed; `null` when nothing is. */
export function showComputing(text) {
  computing.textContent = text ?? strings.idle;
  computing.classList.toggle("idle", text === null);
}

/** Shows one result, the last of `count` that were sent.
 * @param {{ task: string, result: string, text: string, count: number, duration_ms: number }} result */
export function addResult(result) {
  resultCount += result.count;
  element("result-count").textContent = String(resultCount);
  element("no-results").hidden = true;
  table.hidden = false;
  const row = document.createElement("tr");
  for (const text of [
    result.task,
    result.result,
    strings.duration(result.duration_ms),
    result.text,
  ]) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  const body = table.querySelector("tbody");
  body?.prepend(row);
  if (body && body.rows.length > RESULTS_MAX) {
    body.deleteRow(-1);
  }
}

/** Adds a line on top. @param {string} text */
export function addLogLine(text) {
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString([], { hourCycle: "h23" });
  const line = document.createElement("li");
  line.append(time, Object.assign(document.createElement("span"), { textContent: text }));
  log.prepend(line);
  if (log.children.length > LOG_LINES_MAX) {
    log.lastElementChild?.remove();
  }
}

/** @param {() => void} act */
export function onRetryNow(act) {
  element("retry-now").addEventListener("click", act);
}
