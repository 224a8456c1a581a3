// @ts-check
// Which jobs have a row, and in which order.

/** @typedef {import("./protocol.js").JobView} JobView */

/** Jobs that are over and have a row before anybody asks for all. */
export const OVER_SHOWN_MAX = 4;
/** Rows of each kind: as many as the server tells of, unless more than that are at work at once.
 * Beyond, a list is of no use to anybody, and costs the page its pace. */
export const ROWS_MAX = 200;

/** @param {JobView} job */
export function isOver({ state }) {
  return state === "done" || state === "cancelled";
}

/** Newest first. Of those that are over, the newest few and the one that is looked at, or all.
 * `overCount` says how many there are in all, `omitted` how many have no row whatever is asked for.
 * @param {Iterable<JobView>} jobs @param {number | null} looked @param {boolean} isAll */
export function arrange(jobs, looked, isAll) {
  const newestFirst = [...jobs].sort((one, other) => other.id - one.id);
  const current = newestFirst.filter((job) => !isOver(job));
  const over = newestFirst.filter(isOver);
  const [currentRows, overRows] = [current.slice(0, ROWS_MAX), over.slice(0, ROWS_MAX)];
  return {
    current: currentRows,
    over: overRows.filter(({ id }, nth) => isAll || nth < OVER_SHOWN_MAX || id === looked),
    overCount: overRows.length,
    omitted: newestFirst.length - currentRows.length - overRows.length,
  };
}
