// @ts-check
// The table of everybody who computes: sorted by what one likes, searched, and a page at a time.

import { element, input, setText } from "./dom.js";
import { whileVisible } from "./lifecycle.js";
import { guarded } from "./part.js";
import { strings } from "./strings.js";
import { COLUMNS, isDownFirst, kept, ordered, programOf, sinceMs } from "./worker-order.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./live.js").ShownWorker} ShownWorker */
/** @typedef {import("./worker-order.js").Column} Column */
/** @typedef {import("./worker-order.js").Wish} Wish */

/** Workers of a page of the table: what is looked at in one go, and drawn at little cost. */
const PAGE_ROWS = 25;
/** Workers from which on there is a search: fewer are seen at a glance. */
const SEARCH_MIN = 8;
/** How often times since are told anew while the server says nothing. */
const REDRAW_MS = 1000;
/** How often the order follows what it is sorted by: no row may jump while one reads it. */
const REORDER_MS = 5000;

/** @type {Wish} */
const wish = { column: "id", isDown: false, search: "" };
let page = 0;
/** @type {number | null} The worker of which all is shown. */
let open = null;

/** @typedef {[row: HTMLElement, details: HTMLElement]} Rows */
/** @type {Map<number, Rows>} Those of each worker that is drawn. */
const rowsOf = new Map();

/** @type {Live | null} */
let live = null;
/** @type {number[]} */
let order = [];
/** What the order was made of. */
let basis = { key: "", workers: new Map(), size: 0, newest: 0, at: 0 };

export function setUp() {
  const head = element("workers-columns");
  head.append(...COLUMNS.map(columnHead));
  input("workers-search").addEventListener("input", () => turn(0));
  element("workers-previous").addEventListener("click", () => turn(page - 1));
  element("workers-next").addEventListener("click", () => turn(page + 1));
  element("workers-rows").addEventListener("click", toggle);
  whileVisible(REDRAW_MS, guarded("workers", draw));
}

/** @param {Live} now */
export function show(now) {
  live = now;
  draw();
}

/** @param {Column} column */
function columnHead(column) {
  const head = Object.assign(document.createElement("th"), { scope: "col" });
  head.dataset.column = column;
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.addEventListener("click", () => sort(column));
  head.append(button);
  return head;
}

/** @param {Column} column */
function sort(column) {
  wish.isDown = column === wish.column ? !wish.isDown : isDownFirst(column);
  wish.column = column;
  turn(0);
}

/** @param {number} to */
function turn(to) {
  wish.search = input("workers-search").value;
  page = to;
  draw();
}

/** @param {Event} event */
function toggle(event) {
  const button = /** @type {Element} */ (event.target).closest("button");
  if (button) {
    const id = Number(button.dataset.worker);
    open = id === open ? null : id;
    draw();
  }
}

// ---- The order ----------------------------------------------------------------------------------

/** Follows the workers, and what a person wants. @param {Live} live */
function reorder({ state: { workers } }) {
  const newest = [...workers.keys()].pop() ?? 0;
  const [key, now] = [JSON.stringify(wish), performance.now()];
  const isSame = basis.workers === workers && basis.size === workers.size && basis.newest === newest;
  const isStill = basis.key === key;
  // Whoever points at a row, or is in one, finds it where it is.
  const isRead = element("workers-rows").matches(":hover, :focus-within");
  if (isStill && isSame && (isRead || now - basis.at < REORDER_MS)) {
    return;
  }
  order = isStill && isRead ? kept(workers, wish, order) : ordered(workers, wish);
  basis = { key, workers, size: workers.size, newest, at: now };
}

// ---- The screen ---------------------------------------------------------------------------------

function draw() {
  if (!live) {
    return;
  }
  reorder(live);
  const { workers } = live.state;
  page = Math.max(0, Math.min(page, Math.ceil(order.length / PAGE_ROWS) - 1));
  const from = page * PAGE_ROWS;
  const shown = order.slice(from, from + PAGE_ROWS).flatMap((id) => workers.get(id) ?? []);
  drawAround(from, shown.length);
  drawColumns();
  drawRows(shown, live.nowMs);
  drawBars(shown, Math.max(...[...workers.values()].map(({ rate }) => rate)));
}

/** What is above and below the table. @param {number} from @param {number} count */
function drawAround(from, count) {
  const words = strings.workers;
  const workers = [...(live?.state.workers.values() ?? [])];
  const [slots, rate] = [sum(workers, "slots"), sum(workers, "rate")];
  const isEmpty = workers.length === 0;
  // What was known before the page was hidden is still shown while it is asked for anew.
  const isAsking = isEmpty && live?.link === "asking";
  setText("workers-summary", isEmpty ? "" : words.summary(workers.length, slots, rate));
  setText("workers-empty", isEmpty && !isAsking ? words.empty : count === 0 && !isEmpty ? words.noMatch : "");
  element("workers-empty").hidden = count > 0 || isAsking;
  input("workers-search").placeholder = words.searchHint;
  element("workers-find").hidden = workers.length < SEARCH_MIN && !wish.search;
  element("workers-box").hidden = count === 0;
  element("workers-pages").hidden = order.length <= PAGE_ROWS;
  setText("workers-page", words.page(from + 1, from + count, order.length));
  setDisabled("workers-previous", from === 0);
  setDisabled("workers-next", from + count >= order.length);
}

/** @param {ShownWorker[]} workers @param {"slots" | "rate"} key */
function sum(workers, key) {
  return workers.reduce((sum, worker) => sum + worker[key], 0);
}

/** A button that keeps the focus, so that who pressed it last is not thrown out of the page.
 * @param {string} id @param {boolean} is */
function setDisabled(id, is) {
  element(id).setAttribute("aria-disabled", String(is));
}

function drawColumns() {
  const heads = /** @type {HTMLElement[]} */ ([...element("workers-columns").children]);
  COLUMNS.forEach((column, index) => {
    const head = heads[index];
    setTextOf(head.firstElementChild, strings.workers.columns[column]);
    if (column === wish.column) {
      head.setAttribute("aria-sort", wish.isDown ? "descending" : "ascending");
    } else {
      head.removeAttribute("aria-sort");
    }
  });
}

/** A worker keeps its rows wherever they move, so that who is in one stays with that worker.
 * @param {ShownWorker[]} workers @param {number} nowMs */
function drawRows(workers, nowMs) {
  const inRow = /** @type {HTMLElement | null} */ (element("workers-rows").querySelector(":focus"));
  const drawn = new Set(workers.map(({ id }) => id));
  for (const [id, pair] of rowsOf) {
    if (!drawn.has(id)) {
      rowsOf.delete(id);
      pair.forEach((row) => row.remove());
    }
  }
  let next = element("workers-rows").firstElementChild;
  for (const worker of workers) {
    const [row, details] = rowsOf.get(worker.id) ?? newRows(worker.id);
    if (row === next) {
      next = details.nextElementSibling;
    } else {
      element("workers-rows").insertBefore(row, next);
      row.after(details);
    }
    drawRow(row, worker, nowMs);
    drawDetails(details, worker, nowMs);
  }
  keepFocus(inRow);
}

/** What is moved loses the focus. Whoever was in a row that is gone is still at the table, but at
 * no other worker, which they did not choose.
 * @param {HTMLElement | null} inRow What had the focus, if a row had it. */
function keepFocus(inRow) {
  if (inRow && document.activeElement !== inRow) {
    const kept = inRow.isConnected ? inRow : element("workers-box");
    kept.focus({ preventScroll: true });
  }
}

/** A worker's row, and that of its details. @param {number} id @returns {Rows} */
function newRows(id) {
  const [row, details] = [document.createElement("tr"), document.createElement("tr")];
  const cells = COLUMNS.map((column) => {
    const cell = document.createElement(column === "id" ? "th" : "td");
    cell.dataset.column = column;
    return cell;
  });
  const button = Object.assign(document.createElement("button"), { type: "button" });
  Object.assign(cells[0], { scope: "row" }).append(button);
  row.append(...cells);
  const cell = Object.assign(document.createElement("td"), { colSpan: COLUMNS.length });
  cell.append(document.createElement("p"), document.createElement("p"));
  details.className = "details";
  details.append(cell);
  rowsOf.set(id, [row, details]);
  return [row, details];
}

/** @param {HTMLElement} row @param {ShownWorker} worker @param {number} nowMs */
function drawRow(row, worker, nowMs) {
  const texts = textsOf(worker, nowMs);
  row.dataset.worker = String(worker.id);
  row.classList.toggle("faulty", worker.errors > 0);
  COLUMNS.forEach((column, index) => {
    const cell = /** @type {HTMLElement} */ (row.children[index]);
    if (column === "id") {
      drawButton(/** @type {HTMLElement} */ (cell.firstElementChild), worker);
    } else {
      setTextOf(cell, texts[column]);
    }
    if (column === "program" && cell.title !== (worker.agent ?? "")) {
      cell.title = worker.agent ?? "";
    }
  });
}

/** How fast each is next to the fastest of all. @param {ShownWorker[]} workers @param {number} fastest */
function drawBars(workers, fastest) {
  const rows = element("workers-rows").children;
  workers.forEach(({ rate }, index) => {
    const cell = /** @type {HTMLElement} */ (rows[2 * index].children[COLUMNS.indexOf("rate")]);
    const part = `${fastest > 0 ? Math.round((100 * rate) / fastest) : 0}%`;
    if (cell.style.getPropertyValue("--part") !== part) {
      cell.style.setProperty("--part", part);
    }
  });
}

/** @param {HTMLElement} button @param {ShownWorker} worker */
function drawButton(button, { id }) {
  setTextOf(button, strings.workers.name(id));
  button.dataset.worker = String(id);
  button.setAttribute("aria-expanded", String(id === open));
}

/** @param {ShownWorker} worker @param {number} nowMs @returns {Record<Column, string>} */
function textsOf(worker, nowMs) {
  const words = strings.workers;
  return {
    id: words.name(worker.id),
    program: programOf(worker) || words.unknown,
    system: worker.system || words.unknown,
    slots: words.count(worker.slots),
    rate: words.rate(worker.rate),
    results: words.count(worker.results),
    errors: words.count(worker.errors),
    seen: words.ago(nowMs - worker.heardMs),
    lag: worker.lag_ms === null ? words.unknown : words.lag(worker.lag_ms),
    since: words.since(nowMs - sinceMs(worker)),
  };
}

/** @param {HTMLElement} row @param {ShownWorker} worker @param {number} nowMs */
function drawDetails(row, worker, nowMs) {
  row.hidden = worker.id !== open;
  if (!row.hidden) {
    const [agent, rest] = row.querySelectorAll("p");
    setTextOf(agent, worker.agent ?? strings.workers.noAgent);
    setTextOf(rest, strings.workers.details(worker, textsOf(worker, nowMs)));
  }
}

/** @param {Element | null} found @param {string} text */
function setTextOf(found, text) {
  if (found && found.textContent !== text) {
    found.textContent = text;
  }
}
