// @ts-check
// Which workers are shown, and in which order.

/** @typedef {import("./live.js").ShownWorker} ShownWorker */

/** @typedef {ReadonlyMap<number, ShownWorker>} Workers */
/** @typedef {{ column: Column, isDown: boolean, search: string }} Wish */

/** What each column is sorted by; none is sorted last, either way. */
const SORTED_BY = {
  /** @param {ShownWorker} worker */
  id: (worker) => worker.id,
  /** @param {ShownWorker} worker */
  program: (worker) => programOf(worker).toLowerCase() || null,
  /** @param {ShownWorker} worker */
  system: (worker) => worker.system.toLowerCase() || null,
  /** @param {ShownWorker} worker */
  slots: (worker) => worker.slots,
  /** @param {ShownWorker} worker */
  rate: (worker) => worker.rate,
  /** @param {ShownWorker} worker */
  results: (worker) => worker.results,
  /** @param {ShownWorker} worker */
  errors: (worker) => worker.errors,
  /** By how long it has been silent. @param {ShownWorker} worker */
  seen: (worker) => -worker.heardMs,
  /** @param {ShownWorker} worker */
  lag: (worker) => worker.lag_ms,
  /** By how long it has been there. @param {ShownWorker} worker */
  since: (worker) => -sinceMs(worker),
};

/** @typedef {keyof typeof SORTED_BY} Column */

export const COLUMNS = /** @type {Column[]} */ (Object.keys(SORTED_BY));

/** Columns of which the largest is what one looks for first. */
const DOWN_FIRST = new Set(["slots", "rate", "results", "errors", "lag"]);

/** @param {Column} column */
export function isDownFirst(column) {
  return DOWN_FIRST.has(column);
}

/** What it is, as far as that is known. @param {ShownWorker} worker */
export function programOf(worker) {
  return worker.program || (worker.agent ?? "");
}

/** When it connected, in milliseconds since the server started. @param {ShownWorker} worker */
export function sinceMs(worker) {
  return worker.heardMs - (worker.connected_s - worker.idle_s) * 1000;
}

/** Those that are looked for, in order. @param {Workers} workers @param {Wish} wish */
export function ordered(workers, wish) {
  const { column, isDown } = wish;
  const found = [...workers.values()].filter(finder(wish.search));
  const keyed = found.map((worker) => ({ id: worker.id, key: SORTED_BY[column](worker) }));
  keyed.sort((a, b) => compare(a.key, b.key, isDown) || a.id - b.id);
  return keyed.map(({ id }) => id);
}

/** The same order still, without those who have left, and with the new ones at its end.
 * @param {Workers} workers @param {Wish} wish @param {number[]} before */
export function kept(workers, wish, before) {
  const known = new Set(before);
  const stay = before.filter((id) => workers.has(id));
  return [...stay, ...ordered(workers, wish).filter((id) => !known.has(id))];
}

/** @param {number | string | null} a @param {number | string | null} b @param {boolean} isDown */
function compare(a, b, isDown) {
  if (a === b) {
    return 0;
  }
  if (a === null || b === null) {
    return a === null ? 1 : -1;
  }
  return a < b === isDown ? 1 : -1;
}

/** Tells who matches: by number, as `#7`, or by every word in what is known of it.
 * @param {string} search */
function finder(search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (/** @type {ShownWorker} */ worker) => {
    const { program, system, agent, address } = worker;
    const text = `${program} ${system} ${agent ?? ""} ${address}`.toLowerCase();
    return words.every((word) => (/^#\d+$/.test(word) ? word === `#${worker.id}` : text.includes(word)));
  };
}
