// @ts-check
// Everybody's work, as the server tells it: starts the stream of events while the page is to be
// seen, and lets each panel draw what is new.

import { element, setText } from "./dom.js";
import * as jobs from "./jobs.js";
import * as join from "./join.js";
import { onVisibility } from "./lifecycle.js";
import { Live } from "./live.js";
import { onTheme } from "./palette.js";
import * as stream from "./stream.js";
import { onLanguage, strings } from "./strings.js";
import * as throughput from "./throughput.js";
import * as values from "./values.js";
import * as workers from "./workers.js";

/** @typedef {import("./protocol.js").JobView} JobView */

/** A panel: `show` draws how everything is, and is called after each telling, and when the language
 * or the colours have changed.
 * @typedef {{ setUp: (work: Work) => void, show: (live: Live) => void }} Panel */

/** @type {Panel[]} In the order of the page. */
const PANELS = [jobs, throughput, stream, values, workers, join];

/** What the panels share. */
export class Work {
  /** The job whose results are shown; none while nobody has chosen one.
   * @type {number | null} */
  chosenJob = null;
  /** The job that is looked at while nobody has chosen one. */
  #followed = 0;
  /** Of which start of the server that is. */
  #startedAtMs = 0;
  /** Panels that have yet to draw what is new, in the order in which they will.
   * @type {Set<Panel>} */
  #due = new Set();
  #live;

  constructor() {
    this.#live = new Live(() => this.#showSoon());
  }

  start() {
    element("everybodys").hidden = false;
    PANELS.forEach((panel) => panel.setUp(this));
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
    this.#draw(jobs);
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
    PANELS.forEach((panel) => this.#due.add(panel));
    if (!isDrawing) {
      afterFrame(() => this.#drawNext());
    }
  }

  #drawNext() {
    const [panel] = this.#due;
    this.#due.delete(panel);
    this.#draw(panel);
    if (this.#due.size > 0) {
      afterFrame(() => this.#drawNext());
    }
  }

  /** @param {Panel} panel */
  #draw(panel) {
    try {
      panel.show(this.#live);
    } catch (error) {
      // What is wrong with one panel is said, and no reason for the others to stand still.
      reportError(error);
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
