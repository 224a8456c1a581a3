// @ts-check
// Which of a browser's tabs reads the server's events for all of them: browsers open six connections to
// a server, for all of their tabs together, and the events take one for good. All tabs that are seen say
// that they are, and apply the same rule to the same list: the one that has been seen longest reads.

/** How often a tab says that it is there. */
export const BEAT_MS = 1500;
/** Silence after which a tab is taken for gone: frozen, or crashed. */
export const SILENCE_MS_MAX = 5000;
/** How long a new tab listens for others before it takes itself for the only one. */
export const GRACE_MS = 150;
/** Tabs that are known; what is said on a channel may be anybody's of this origin. */
const TABS_MAX = 1000;

/** What tabs say to each other of themselves. `since` is when a tab was seen, on the clock on the wall.
 * @typedef {{ type: "here", tab: string, since: number } | { type: "gone", tab: string }} Said */

export class Sharing {
  /** @type {Map<string, { since: number, heardMs: number }>} */
  #others = new Map();
  #me;
  #since;
  #beginMs;
  #beatMs = -Infinity;
  #say;

  /** @param {string} me @param {number} since @param {number} nowMs On any clock, the same at each call.
   * @param {(said: Said) => void} say Tells all other tabs. */
  constructor(me, since, nowMs, say) {
    this.#me = me;
    this.#since = since;
    this.#beginMs = nowMs;
    this.#say = say;
    this.pass(nowMs);
  }

  /** Says that it is there, when that is due, and forgets who is silent. To be called at least each
   * `BEAT_MS`. @param {number} nowMs */
  pass(nowMs) {
    for (const [tab, { heardMs }] of this.#others) {
      if (nowMs - heardMs >= SILENCE_MS_MAX) {
        this.#others.delete(tab);
      }
    }
    if (nowMs - this.#beatMs >= BEAT_MS) {
      this.#beat(nowMs);
    }
  }

  /** @param {unknown} said @param {number} nowMs */
  hear(said, nowMs) {
    const { type, tab, since } = Object(said);
    if (type === "gone") {
      this.#others.delete(tab);
    } else if (type === "here" && typeof tab === "string" && Number.isFinite(since) && tab !== this.#me) {
      const isNew = !this.#others.has(tab);
      if (isNew && this.#others.size >= TABS_MAX) {
        return;
      }
      this.#others.set(tab, { since, heardMs: nowMs });
      if (isNew) {
        // It has not heard of this one.
        this.#beat(nowMs);
      }
    }
  }

  leave() {
    this.#say({ type: "gone", tab: this.#me });
  }

  /** Whether another reads for this one: one that has been seen longer. */
  get follows() {
    return [...this.#others].some(
      ([tab, { since }]) => since < this.#since || (since === this.#since && tab < this.#me),
    );
  }

  /** Whether this tab reads for all. @param {number} nowMs */
  reads(nowMs) {
    return nowMs - this.#beginMs >= GRACE_MS && !this.follows;
  }

  /** @param {number} nowMs */
  #beat(nowMs) {
    this.#beatMs = nowMs;
    this.#say({ type: "here", tab: this.#me, since: this.#since });
  }
}
