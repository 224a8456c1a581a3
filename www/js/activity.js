// @ts-check
// How busy each slot is, and how fast the tab: from what the coordinator tells, without a clock.

/** Over how long a slot's busy share is measured. */
export const BUSY_WINDOW_MS = 3000;
/** Over how long the speed is. */
export const SPEED_WINDOW_MS = 10_000;
/** What a speed is measured over at the least, however young the first result. */
const SPEED_WINDOW_MS_MIN = 1000;
/** A slot that has work and has been silent for longer computes a long piece. Pieces otherwise
 * take about a second at most. */
export const SILENCE_MS_MAX = 1500;
/** For how long work that has ended is still shown: between two leases there may be a moment. */
const LINGER_MS = 1000;

/** What a slot computes, for people: a task as such, or a lease of a job.
 * @typedef {{ text: string } | { op: string, job: number }} Work */

export class Slot {
  /** @type {Work | null} */
  work = null;
  isComputing = false;
  /** When it was last told of. */
  #heardAt = -Infinity;
  /** How long it then rests, as the share of a core's time demands. */
  #restMs = 0;
  /** @type {{ from: number, to: number }[]} When it computed, within the last window. */
  #pieces = [];

  /** @param {Work} work @param {number} now */
  begin(work, now) {
    this.work = work;
    this.isComputing = true;
    this.#heardAt = now;
    this.#restMs = 0;
  }

  /** A piece has just been computed.
   * @param {number} durationMs @param {number} sharePercent @param {number} now */
  computed(durationMs, sharePercent, now) {
    this.#heardAt = now;
    this.#restMs = durationMs * (100 / sharePercent - 1);
    this.#pieces = this.#pieces.filter((piece) => piece.to > now - 2 * BUSY_WINDOW_MS);
    this.#pieces.push({ from: now - durationMs, to: now });
  }

  /** @param {number} now */
  idle(now) {
    this.isComputing = false;
    this.#heardAt = now;
  }

  /** In percent. @param {number} now */
  busy(now) {
    // Of what is being computed nothing is known before its end; so until then, the share is that
    // of the time before, and of a piece that is long, the whole time counts.
    const silentFrom = this.#heardAt + this.#restMs;
    const isLong = this.isComputing && now - silentFrom > SILENCE_MS_MAX;
    const to = this.isComputing && !isLong ? this.#heardAt : now;
    const from = to - BUSY_WINDOW_MS;
    const pieces = isLong ? [...this.#pieces, { from: silentFrom, to: now }] : this.#pieces;
    const ms = pieces.reduce(
      (sum, piece) => sum + Math.max(0, Math.min(piece.to, to) - Math.max(piece.from, from)),
      0,
    );
    return Math.min(100, Math.round((100 * ms) / BUSY_WINDOW_MS));
  }

  /** What it computes, or did a moment ago. @param {number} now */
  shownWork(now) {
    return this.isComputing || now - this.#heardAt < LINGER_MS ? this.work : null;
  }
}

export class Activity {
  slots = [new Slot()];
  /** @type {{ at: number, tasks: number }[]} */
  #results = [];
  /** Since when results have been coming. */
  #since = 0;

  /** The tab has as many slots from now on. @param {number} count */
  resize(count) {
    this.slots = Array.from({ length: count }, (_, index) => this.slots[index] ?? new Slot());
  }

  /** Nothing is computed any more. */
  stop() {
    this.slots = this.slots.map(() => new Slot());
    this.#results = [];
  }

  /** @param {number} slot @param {Work} work @param {number} now */
  begin(slot, work, now) {
    this.slots[slot]?.begin(work, now);
  }

  /** @param {number} slot
   * @param {{ tasks: number, durationMs: number, sharePercent: number }} piece
   * @param {number} now */
  computed(slot, { tasks, durationMs, sharePercent }, now) {
    this.slots[slot]?.computed(durationMs, sharePercent, now);
    this.#forget(now);
    if (this.#results.length === 0) {
      this.#since = now - durationMs;
    }
    this.#results.push({ at: now, tasks });
  }

  /** @param {number} slot @param {number} now */
  idle(slot, now) {
    this.slots[slot]?.idle(now);
  }

  /** Tasks a second. @param {number} now */
  speed(now) {
    this.#forget(now);
    const tasks = this.#results.reduce((sum, result) => sum + result.tasks, 0);
    const ms = Math.max(SPEED_WINDOW_MS_MIN, Math.min(SPEED_WINDOW_MS, now - this.#since));
    return (1000 * tasks) / ms;
  }

  /** What is computed, each thing once. @param {number} now @returns {Work[]} */
  work(now) {
    const shown = this.slots.map((slot) => slot.shownWork(now)).filter((work) => work !== null);
    return [...new Map(shown.map((work) => [JSON.stringify(work), work])).values()];
  }

  /** @param {number} now */
  #forget(now) {
    const kept = this.#results.findIndex((result) => result.at > now - SPEED_WINDOW_MS);
    this.#results.splice(0, kept < 0 ? this.#results.length : kept);
  }
}
