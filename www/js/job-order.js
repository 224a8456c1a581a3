// @ts-check
// Which jobs have a row, and in which order.

/** @typedef {import("./protocol.js").JobView} JobView */

/** Jobs that are not over and have a row before anybody asks for all: what fits a screen. */
export const CURRENT_SHOWN_MAX = 6;
/** Jobs that are over and have a row before anybody asks for all. */
export const OVER_SHOWN_MAX = 4;
/** Rows of each kind: as many as the server tells of, unless more than that are at work at once.
 * Beyond, a list is of no use to anybody, and costs the page its pace. */
export const ROWS_MAX = 200;

/** @param {JobView} job */
export function isOver({ state }) {
  return state === "done" || state === "cancelled";
}

/** Whether all that can be done about it is to remove it: it is over, or set aside since the server
 * cannot read all of it. @param {JobView} job */
export function isAtEnd(job) {
  return isOver(job) || Boolean(job.trouble);
}

/** What the order depends on, besides the jobs: the job that is looked at, those that have a row by
 * now, the one of them that has the focus, and of what all are asked for.
 * @typedef {{ looked?: number | null, focused?: number | null, shown?: { has(id: number): boolean },
 *   isAllCurrent?: boolean, isAllOver?: boolean }} Sight */

/** Newest first, and of each kind a few, or all. Of those that are over: the newest, and the one that
 * is looked at. Of the others: that one and the one with the focus, then those on which somebody
 * works, then the newest; one that has its row already keeps it before another gets one.
 * The counts say how many there are in all, `omitted` how many have no row whatever is asked for.
 * @param {Iterable<JobView>} jobs @param {Sight} sight */
export function arrange(jobs, { looked, focused, shown, isAllCurrent, isAllOver }) {
  const newestFirst = [...jobs].sort((one, other) => other.id - one.id);
  const over = newestFirst.filter(isOver);
  const overRows = over.slice(0, ROWS_MAX);
  /** @param {JobView} job */
  const importance = ({ id, leased, rate }) => {
    const isMoving = leased > 0 || rate > 0;
    const order = [isMoving, isMoving && shown?.has(id), id === focused, id === looked];
    return order.lastIndexOf(true);
  };
  const current = newestFirst.filter((job) => !isOver(job));
  const currentRows = most(current, importance, isAllCurrent ? ROWS_MAX : CURRENT_SHOWN_MAX);
  const currentCount = Math.min(current.length, ROWS_MAX);
  return {
    current: currentRows,
    currentCount,
    over: overRows.filter(({ id }, nth) => isAllOver || nth < OVER_SHOWN_MAX || id === looked),
    overCount: overRows.length,
    omitted: newestFirst.length - currentCount - overRows.length,
  };
}

/** The most important of them, as many as there is room for, in the order that they are in.
 * @param {JobView[]} jobs @param {(job: JobView) => number} importance @param {number} room */
function most(jobs, importance, room) {
  // The sort is stable: of equals, those that come first.
  const ranked = [...jobs].sort((one, other) => importance(other) - importance(one));
  const chosen = new Set(ranked.slice(0, room));
  return jobs.filter((job) => chosen.has(job));
}
