// @ts-check
// Everybody's work, as the server tells it: starts the stream of events while the page is to be
// seen, and lets each panel draw what is new.

import { element, setText } from "./dom.js";
import { onVisibility } from "./lifecycle.js";
import { Live } from "./live.js";
import { onTheme } from "./palette.js";
import { begin, guarded } from "./part.js";
import { onLanguage, strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */

/** A panel: `show` draws how everything is, and is called after each telling, and when the language
 * or the colours have changed.
 * @typedef {{ setUp: (work: Work) => void, show: (live: Live) => void }} Panel */

/** Each panel by its section, in the order of the page. Each is loaded by itself: one that a browser
 * cannot run, or a library of its own, is no reason for the others to stand still.
 * @type {Record<string, () => Promise<Panel>>} */
const PANELS = {
  jobs: () => import("./jobs.js"),
  throughput: () => import("./throughput.js"),
  stream: () => import("./stream.js"),
  values: () => import("./values.js"),
  workers: () => import("./workers.js"),
  join: () => import("./join.js"),
};

/** What the panels share. */
export class Work {
  /** The job whose results are shown; none while nobody has chosen one.
   * @type {number | null} */
  chosenJob = null;
  /** The job that is looked at while nobody has chosen one. */
  #followed = 0;
  /** Of which start of the server that is. */
  #startedAtMs = 0;
  /** What draws each panel that has begun, by its section.
   * @type {Map<string, () => void>} */
  #draws = new Map();
  /** Panels that have yet to draw what is new, in the order in which they will.
   * @type {Set<string>} */
  #due = new Set();
  #live;

  constructor() {
    this.#live = new Live(() => this.#showSoon());
  }

  start() {
    for (const [id, load] of Object.entries(PANELS)) {
      void begin(id, load, (panel) => {
        panel.setUp(this);
        this.#draws.set(id, guarded(id, () => panel.show(this.#live)));
        this.#showSoon();
      });
    }
    onLanguage(() => this.#showSoon());
    onTheme(() => this.#showSoon());
    onVisibility({ shown: () => this.#live.start(), hidden: () => this.#live.stop() });
  }

  /** @param {number} job */
  choose(job) {
    this.chosenJob = job;
    this.show();
  }

  /** The job that is looked at: the chosen one; until one is chosen, one that runs and has results,
   * until it is over and there is another. None where there is no job.
   * @param {Live} live @returns {JobView | null} */
  shownJob({ state: { jobs } }) {
    const chosen = jobs.get(this.chosenJob ?? 0);
    if (chosen) {
      return chosen;
    }
    const followed = jobs.get(this.#followed);
    if (followed?.state === "running") {
      return followed;
    }
    const newestFirst = [...jobs.values()].reverse();
    const running = newestFirst.filter((job) => job.state === "running");
    const next = running.find((job) => job.done > 0) ?? followed ?? running[0] ?? newestFirst[0];
    this.#followed = next?.id ?? 0;
    return next ?? null;
  }

  /** The name of a job that the server tells of. @param {number} job */
  nameOf(job) {
    return this.#live.state.jobs.get(job)?.name;
  }

  /** Shows what the server has just answered about a job, before it tells of that by itself.
   * @param {JobView} job */
  learn(job) {
    this.#live.state.jobs.set(job.id, job);
    this.show();
  }

  /** Shows no more what the server has just removed. @param {number} job */
  forget(job) {
    this.#live.state.jobs.delete(job);
    this.show();
  }

  /** Shows what a person has just done: where they did it, at once. */
  show() {
    this.#showSoon();
    this.#draws.get("jobs")?.();
  }

  /** Draws all panels anew, one at a time and the page between them: whoever clicks or types waits
   * for one panel at most. */
  #showSoon() {
    const { link } = this.#live;
    element("everybodys").classList.toggle("stale", link === "lost");
    element("link").hidden = link !== "lost";
    setText("link", link === "lost" ? strings.work.away : "");
    this.#forgetIfAnother();
    const isDrawing = this.#due.size > 0;
    Object.keys(PANELS).forEach((id) => this.#due.add(id));
    if (!isDrawing) {
      afterFrame(() => this.#drawNext());
    }
  }

  #drawNext() {
    const [id] = this.#due;
    this.#due.delete(id);
    this.#draws.get(id)?.();
    if (this.#due.size > 0) {
      afterFrame(() => this.#drawNext());
    }
  }

  /** A server that was started anew may have other jobs by the same numbers. */
  #forgetIfAnother() {
    const { startedAtMs } = this.#live.state;
    if (startedAtMs !== this.#startedAtMs) {
      this.#startedAtMs = startedAtMs;
      this.chosenJob = null;
      this.#followed = 0;
    }
  }
}

/** Calls it when the browser has drawn the page. @param {() => void} act */
function afterFrame(act) {
  requestAnimationFrame(() => setTimeout(act));
}
