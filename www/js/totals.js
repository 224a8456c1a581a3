// @ts-check
// What this browser has computed, today and ever, in all of its tabs together.

import { keptObject } from "./keep.js";

/** @typedef {import("./keep.js").Keeper} Keeper */

/** How often the sums are written: as much as a browser that is killed forgets at most. */
export const SAVE_INTERVAL_MS = 3000;

export const TOTALS_KEY = "tequio-totals";

/** How many tasks, and the milliseconds that they took, one core's after another's.
 * @typedef {{ tasks: number, ms: number }} Sum */

/** @typedef {{ today: Sum, ever: Sum }} Sums */

export class Totals {
  /** What is not written yet, and the day on which it was computed. */
  #unsaved = none();
  #unsavedDay = "";
  #keeper;
  #today;
  #savedAt = -Infinity;
  /** What this page has computed since it was loaded. */
  here = none();

  /** @param {Keeper} keeper @param {() => string} today The day where the person is; any text that
   * another day does not have. */
  constructor(keeper, today = localDay) {
    this.#keeper = keeper;
    this.#today = today;
  }

  /** @param {number} tasks @param {number} ms @param {number} now */
  add(tasks, ms, now) {
    const day = this.#today();
    if (day !== this.#unsavedDay) {
      this.save(now);
      this.#unsavedDay = day;
    }
    const more = { tasks, ms };
    this.#unsaved = plus(this.#unsaved, more);
    this.here = plus(this.here, more);
    if (now - this.#savedAt >= SAVE_INTERVAL_MS) {
      this.save(now);
    }
  }

  /** Adds what is not written yet to what is written now: other tabs write there too.
   * @param {number} now */
  save(now) {
    if (this.#unsaved.tasks === 0 && this.#unsaved.ms === 0) {
      return;
    }
    const today = this.#today();
    const kept = this.#kept(today);
    const sums = {
      day: today,
      // What yesterday left is no part of today, which other tabs may have begun.
      today: this.#unsavedDay === today ? plus(kept.today, this.#unsaved) : kept.today,
      ever: plus(kept.ever, this.#unsaved),
    };
    this.#keeper.setItem(TOTALS_KEY, JSON.stringify(sums));
    this.#unsaved = none();
    this.#savedAt = now;
  }

  /** @returns {Sums} */
  get sums() {
    const day = this.#today();
    const kept = this.#kept(day);
    const isToday = day === this.#unsavedDay;
    return {
      today: isToday ? plus(kept.today, this.#unsaved) : kept.today,
      ever: plus(kept.ever, this.#unsaved),
    };
  }

  /** @param {string} day @returns {Sums} */
  #kept(day) {
    const kept = keptObject(this.#keeper, TOTALS_KEY);
    return { today: kept.day === day ? sum(kept.today) : none(), ever: sum(kept.ever) };
  }
}

/** @returns {Sum} */
function none() {
  return { tasks: 0, ms: 0 };
}

/** @param {Sum} a @param {Sum} b @returns {Sum} */
function plus(a, b) {
  return { tasks: a.tasks + b.tasks, ms: a.ms + b.ms };
}

/** What was kept, if it is a sum. @param {unknown} kept @returns {Sum} */
function sum(kept) {
  const { tasks, ms } = Object(kept);
  return tasks >= 0 && ms >= 0 && Number.isFinite(tasks + ms) ? { tasks, ms } : none();
}

function localDay() {
  return new Date().toDateString();
}
