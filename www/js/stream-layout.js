// @ts-check
// Where everything of the task stream is: rows, the times of which something is known, and bars.
// Times are milliseconds since the server started; lengths are pixels.

/** @typedef {import("./live.js").LiveState} LiveState */
/** @typedef {import("./live.js").ShownWorker} ShownWorker */
/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("./protocol.js").HowEnded} HowEnded */

/** Heights of a row: as one reads it, and as one can still tell it from the next. */
export const ROW_MAX = 22;
export const ROW_MIN = 4;
/** Rows become lower so that they are not higher than this together. */
const HEIGHT_AIM = 380;
/** Between two workers, where there is room for it. */
const WORKERS_GAP = 4;
const ROW_OF_GAP_MIN = 8;

/** A worker's rows, and the time of which it is known what they did. It may have been there before,
 * from `maybeMs` on, where what it did is forgotten.
 * @typedef {{ worker: number, slots: number, top: number, isHere: boolean,
 *   maybeMs: number, fromMs: number, toMs: number }} Group */

/** What is drawn of a time and of whom; `bars` are in the order of their beginnings. What was before
 * `knownMs` is forgotten, if that is not the beginning.
 * @typedef {{ groups: Group[], rowHeight: number, height: number, fromMs: number, knownMs: number,
 *   nowMs: number, bars: Bar[] }} Layout */

/** @param {LiveState} state @param {number} nowMs @param {number} spanMs
 * @param {number} barsMax Bars that are kept: where there are so many, older ones are forgotten.
 * @returns {Layout} */
export function layOut(state, nowMs, spanMs, barsMax) {
  const fromMs = nowMs - spanMs;
  const all = [...state.bars.values()];
  const bars = all.filter((bar) => endOf(bar, nowMs) >= fromMs);
  const knownMs = Math.max(0, fromMs, all.length < barsMax ? 0 : all[0].from_ms);
  const times = timesOfBars(bars, nowMs);
  // Of who has left only what is in view.
  const shown = state.rows.filter(({ worker }) => state.workers.has(worker) || times.has(worker));
  const rowHeight = heightFor(shown.reduce((sum, { slots }) => sum + slots, 0));
  const gap = rowHeight >= ROW_OF_GAP_MIN ? WORKERS_GAP : 0;
  let top = 0;
  const groups = shown.map(({ worker, slots }) => {
    const known = state.workers.get(worker);
    const ofBars = times.get(worker) ?? { fromMs: nowMs, toMs: nowMs };
    const begin = known ? Math.min(beganMs(known), ofBars.fromMs) : ofBars.fromMs;
    const toMs = known ? nowMs : ofBars.toMs;
    const isHere = known !== undefined;
    // Since when one was there that has left nobody tells.
    const maybeMs = Math.max(0, fromMs, known ? begin : 0);
    const group = { worker, slots, top, isHere, maybeMs, fromMs: Math.max(knownMs, begin), toMs };
    top += slots * rowHeight + gap;
    return group;
  });
  return { groups, rowHeight, height: Math.max(0, top - gap), fromMs, knownMs, nowMs, bars };
}

/** The time of which it is known what everybody did, where that is less than what is shown.
 * @param {Layout} layout @returns {number | null} */
export function keptMs({ fromMs, knownMs, nowMs }) {
  return knownMs > Math.max(0, fromMs) ? nowMs - knownMs : null;
}

/** @param {number} rows */
export function heightFor(rows) {
  return Math.min(ROW_MAX, Math.max(ROW_MIN, Math.floor(HEIGHT_AIM / Math.max(1, rows))));
}

/** When a worker connected. @param {ShownWorker} worker */
function beganMs({ heardMs, idle_s, connected_s }) {
  return heardMs + (idle_s - connected_s) * 1000;
}

/** @param {Bar} bar @param {number} nowMs */
export function endOf({ end }, nowMs) {
  return end ? end.at_ms : nowMs;
}

/** From when to when each worker has bars.
 * @param {Bar[]} bars @param {number} nowMs */
function timesOfBars(bars, nowMs) {
  /** @type {Map<number, { fromMs: number, toMs: number }>} */
  const times = new Map();
  for (const bar of bars) {
    const known = times.get(bar.worker) ?? { fromMs: bar.from_ms, toMs: 0 };
    known.toMs = Math.max(known.toMs, endOf(bar, nowMs));
    times.set(bar.worker, known);
  }
  return times;
}

/** The left and right edge of a time, in whole pixels: at least one wide, with one free before what
 * follows.
 * @param {number} fromMs @param {number} toMs @param {Layout} layout @param {number} width
 * @returns {[left: number, right: number]} */
export function edges(fromMs, toMs, layout, width) {
  const scale = width / (layout.nowMs - layout.fromMs);
  const left = Math.round((fromMs - layout.fromMs) * scale);
  const right = Math.round((toMs - layout.fromMs) * scale) - 1;
  const shown = Math.min(width - 1, Math.max(0, left));
  return [shown, Math.max(shown + 1, Math.min(width, right))];
}

/** The bar at a point, or the nearest one within `reach` beside it, of the newest of several.
 * @param {Layout} layout @param {number} width @param {number} x @param {number} y
 * @param {number} reach */
export function barAt(layout, width, x, y, reach) {
  const found = rowAt(layout, y);
  /** @type {Bar | null} */
  let best = null;
  let least = reach;
  for (const bar of layout.bars) {
    if (bar.worker === found?.group.worker && bar.slot === found.slot) {
      const [left, right] = edges(bar.from_ms, endOf(bar, layout.nowMs), layout, width);
      const away = Math.max(left - x, x - right, 0);
      if (away <= least) {
        [best, least] = [bar, away];
      }
    }
  }
  return best;
}

/** @param {Layout} layout @param {number} y */
function rowAt({ groups, rowHeight }, y) {
  for (const group of groups) {
    const slot = Math.floor((y - group.top) / rowHeight);
    if (slot >= 0 && slot < group.slots) {
      return { group, slot };
    }
  }
  return null;
}

/** What each worker did with its leases, as far as it is shown.
 * @param {Layout} layout
 * @returns {Map<number, Record<HowEnded, number> & { busy: number }>} `busy` is from 0 to 1. */
export function summaries({ groups, bars, fromMs, nowMs }) {
  const found = new Map(
    groups.map(({ worker }) => [worker, { answered: 0, returned: 0, lost: 0, busy: 0 }]),
  );
  const times = new Map(
    groups.map((group) => [group.worker, Math.max(1, group.toMs - group.fromMs) * group.slots]),
  );
  for (const bar of bars) {
    const summary = found.get(bar.worker);
    if (summary) {
      const ms = endOf(bar, nowMs) - Math.max(fromMs, bar.from_ms);
      summary.busy = Math.min(1, summary.busy + ms / (times.get(bar.worker) ?? 1));
      if (bar.end) {
        summary[bar.end.how] += 1;
      }
    }
  }
  return found;
}
