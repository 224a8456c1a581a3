// @ts-check
// The row of one job: how far it is, and what can be done about it. It is made once, from the
// page's template, and only what has changed is written into it.

import { element } from "./dom.js";
import { isAtEnd, isOver } from "./job-order.js";
import { opName } from "./op-name.js";
import { seriesName } from "./palette.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */

/** What may be asked of the server about a job.
 * @typedef {"pause" | "resume" | "close" | "cancel" | "remove"} Wish */

/** @typedef {{ choose: (id: number) => void, wish: (job: JobView, wish: Wish) => void }} Act */

const FORMATS = /** @type {const} */ (["jsonl", "csv"]);

/** The parts of its bar that are so small that they would not be seen are this wide, in pixels. */
const PART_PX_MIN = 3;

export class JobRow {
  /** What it was drawn of, the last time.
   * @type {unknown[]} */
  #drawn = [];
  /** @type {Map<string, HTMLElement>} By the first of their classes. */
  #parts = new Map();
  /** @type {JobView} */
  #job;

  /** @param {JobView} job @param {Act} act */
  constructor(job, act) {
    this.#job = job;
    const template = /** @type {HTMLTemplateElement} */ (element("job-row"));
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = /** @type {HTMLElement} */ (copy.firstElementChild);
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (copy.querySelectorAll("li [class]"))) {
      this.#parts.set(part.classList[0], part);
    }
    this.element.dataset.job = String(job.id);
    this.element.style.setProperty("--job", `var(${seriesName(job.id - 1)})`);
    this.#find("job-choose").addEventListener("click", () => act.choose(job.id));
    this.#find("job-turn").addEventListener("click", () => {
      act.wish(this.#job, this.#job.state === "paused" ? "resume" : "pause");
    });
    this.#find("job-end").addEventListener("click", () => {
      act.wish(this.#job, isAtEnd(this.#job) ? "remove" : "cancel");
    });
    this.#find("job-close").addEventListener("click", () => act.wish(this.#job, "close"));
    for (const format of FORMATS) {
      const link = /** @type {HTMLAnchorElement} */ (this.#find(`job-${format}`));
      // A plain link: the browser itself keeps what may be larger than its memory, and says where it
      // broke off.
      link.href = `api/jobs/${job.id}/results?format=${format}`;
    }
  }

  focus() {
    this.#find("job-choose").focus();
  }

  /** @param {JobView} job @param {boolean} isLooked Whether its results are those that are shown.
   * @param {boolean} mayChange @param {Wish} [asked] What the server has been asked and has not
   * answered yet. */
  show(job, isLooked, mayChange, asked) {
    const op = opName(job.op);
    const drawn = [job, op, isLooked, mayChange, asked, strings];
    if (drawn.every((part, nth) => part === this.#drawn[nth])) {
      return;
    }
    this.#drawn = drawn;
    this.#job = job;
    this.element.dataset.state = job.state;
    this.#find("job-choose").setAttribute("aria-pressed", String(isLooked));
    // Where there is no room for all of them.
    this.#write("job-name", strings.jobs.name(job.id, job.name)).title = job.name;
    this.#write("job-about", strings.jobs.about(job.id, job.name, op));
    this.#write("job-word", strings.jobs.state[job.trouble ? "damaged" : job.state]);
    this.#write("job-trouble", job.trouble ?? "");
    this.#showBar();
    this.#showFacts();
    this.#showControls(mayChange);
    const isTurning = asked === "pause" || asked === "resume";
    this.#find("job-turn").setAttribute("aria-busy", String(isTurning));
    this.#find("job-close").setAttribute("aria-busy", String(asked === "close"));
    const isEnding = asked === "cancel" || asked === "remove";
    this.#find("job-end").setAttribute("aria-busy", String(isEnding));
  }

  #showBar() {
    const { id, name, total, done, failed, leased } = this.#job;
    const parts = { done, failed, leased: isOver(this.#job) ? 0 : leased };
    for (const [part, tasks] of Object.entries(parts)) {
      const { style } = this.#find(`bar-${part}`);
      style.width = `${total > 0 ? (100 * tasks) / total : 0}%`;
      style.minWidth = `${tasks > 0 ? PART_PX_MIN : 0}px`;
    }
    const bar = this.#find("job-bar");
    const now = total > 0 ? Math.floor((100 * (done + failed)) / total) : 0;
    bar.setAttribute("aria-valuenow", String(now));
    bar.setAttribute("aria-valuetext", this.#progress());
    bar.setAttribute("aria-label", strings.job(id, name));
  }

  #showFacts() {
    const { state, rate, eta_s: etaS, done, failed, total, leased, workers } = this.#job;
    const { audited, unconfirmed, slowest, block } = this.#job;
    const isRunning = state === "running";
    const said = strings.jobs;
    const isLeft = isRunning && done + failed < total;
    const isAll = state === "done" && total > 0;
    this.#write("job-progress", isAll ? strings.newJob.total(total) : this.#progress());
    this.#write("job-second", isLeft && unconfirmed > 0 ? said.second(unconfirmed) : "");
    this.#write("job-audited", done + failed > 0 ? said.audited(audited, done + failed) : "");
    this.#write("job-slow", slowest ? said.slow(slowest, block > 1) : "");
    this.#write("job-failed", failed > 0 ? said.failed(failed) : "");
    this.#write("job-open", this.#isOpen ? said.open : "");
    this.#write("job-leased", isLeft && leased > 0 ? said.leased(leased, workers) : "");
    this.#write("job-rate", isRunning && rate > 0 ? said.rate(rate) : "");
    this.#write("job-left", isLeft ? this.#left(etaS) : "");
  }

  /** @param {number | null} etaS */
  #left(etaS) {
    if (etaS !== null) {
      return strings.jobs.left(etaS);
    }
    return this.#job.workers === 0 && this.#job.rate === 0 ? strings.jobs.waiting : "";
  }

  #progress() {
    const { done, failed, total } = this.#job;
    const said = strings.jobs;
    return (this.#isOpen ? said.progressOpen : said.progress)(done + failed, total);
  }

  /** Whether it waits for inputs. One that is over or set aside does not, whatever was. */
  get #isOpen() {
    return this.#job.open && !isAtEnd(this.#job);
  }

  /** @param {boolean} mayChange */
  #showControls(mayChange) {
    const { id, name, state, done, failed, total } = this.#job;
    const over = isOver(this.#job);
    const atEnd = isAtEnd(this.#job);
    const focused = document.activeElement;
    const called = strings.job(id, name);
    const turn = state === "paused" ? "resume" : "pause";
    const end = atEnd ? "remove" : "cancel";
    for (const [name, wish] of /** @type {const} */ ([["turn", turn], ["close", "close"], ["end", end]])) {
      const said = strings.jobs[wish];
      this.#write(`job-${name}`, said).setAttribute("aria-label", `${said}: ${called}`);
    }
    this.#find("job-close").hidden = !this.#isOpen || !mayChange;
    this.#find("job-turn").hidden = atEnd || !mayChange;
    this.#find("job-end").hidden = !mayChange;
    this.#find("job-do").hidden = !mayChange;
    const results = over ? strings.jobs.results : strings.jobs.resultsSoFar;
    this.#find("job-results").hidden = done + failed === 0;
    this.#write("job-results-name", results);
    for (const format of FORMATS) {
      const link = /** @type {HTMLAnchorElement} */ (this.#find(`job-${format}`));
      // A part is not to be taken for the whole, wherever it is found later.
      link.download = `tequio-job-${id}${over ? "" : "-so-far"}.${format}`;
      link.title = over ? "" : strings.jobs.part(done + failed, total);
      link.setAttribute("aria-label", `${link.textContent}: ${results}, ${called}`);
    }
    // Whoever was at a button that is gone is at the job still.
    if (focused && this.element.contains(focused) && focused.closest("[hidden]")) {
      this.focus();
    }
  }

  /** @param {string} name @returns {HTMLElement} */
  #find(name) {
    const found = this.#parts.get(name);
    if (!found) {
      throw new Error(`a job's row has no .${name}`);
    }
    return found;
  }

  /** @param {string} name @param {string} text */
  #write(name, text) {
    const found = this.#find(name);
    if (found.textContent !== text) {
      found.textContent = text;
    }
    return found;
  }
}
