// @ts-check
// Where this tab is between a person, who says start, pause and finish, and the coordinator, which
// does it and says how it goes.

/** @typedef {"starting" | "connecting" | "connected" | "waiting"} Link */
/** What the person wants; `ready` until they have said so, `pausing` until it is so.
 * @typedef {"ready" | "running" | "pausing" | "paused" | "finishing"} Wish */
/** @typedef {Link | Exclude<Wish, "running"> | "failed"} State */

export class TabState {
  /** @type {Wish} */
  #wish;
  /** @type {Link} */
  #link = "starting";
  /** @type {{ canRetry: boolean } | null} */
  #failure = null;
  #listens = false;
  #begun = false;
  #tell;

  /** @param {"ready" | "running" | "paused"} wish
   * @param {(word: "start" | "pause" | "finish") => void} tell Posts to the coordinator. */
  constructor(wish, tell) {
    this.#wish = wish;
    this.#tell = tell;
  }

  /** @returns {State} */
  get state() {
    if (this.#failure) {
      return "failed";
    }
    return this.#wish === "running" ? this.#link : this.#wish;
  }

  get canRetry() {
    return this.#failure?.canRetry ?? false;
  }

  /** Whether the coordinator has been told to begin, and so listens to more. */
  get hasBegun() {
    return this.#begun;
  }

  /** Whether the coordinator has, or wants, a connection. */
  get isAtWork() {
    return this.#begun && this.#wish !== "paused";
  }

  /** The coordinator listens. */
  listens() {
    this.#listens = true;
    this.#failure = null;
    if (this.#wish === "running") {
      this.#begin();
    }
  }

  start() {
    this.#wish = "running";
    if (this.#listens) {
      this.#begin();
    }
  }

  pause() {
    this.#stop("pausing", "pause");
  }

  finish() {
    this.#stop("finishing", "finish");
  }

  /** The coordinator has stopped. If the person wants it to go on by now, it is about to hear so. */
  paused() {
    this.#link = "starting";
    if (this.#failure?.canRetry) {
      // What could be tried again is begun anew by Start.
      this.#failure = null;
    }
    if (this.#wish !== "running") {
      this.#wish = "paused";
    }
  }

  /** @param {Link} link */
  linked(link) {
    this.#link = link;
    this.#failure = null;
  }

  /** @param {boolean} canRetry */
  failed(canRetry) {
    this.#failure = { canRetry };
  }

  #begin() {
    this.#begun = true;
    this.#tell("start");
  }

  /** @param {"pausing" | "finishing"} wish @param {"pause" | "finish"} word */
  #stop(wish, word) {
    if (this.#begun) {
      this.#wish = wish;
      this.#tell(word);
    } else {
      this.#wish = "paused";
    }
  }
}
