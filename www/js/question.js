// @ts-check
// Asks before something that cannot be undone, or that nobody has chosen: a job is closed, cancelled or
// removed; a link has named another server.

import { dialog, element, setText } from "./dom.js";
import { isAtEnd } from "./job-order.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */

/** What is asked about before it is done.
 * @typedef {"close" | "cancel" | "remove"} Grave */

/** What is asked, what it means, and what the answers are called.
 * @typedef {{ text: string, means: string, yes: string, no: string }} Asked */

/** @param {Asked} asked */
export function write({ text, means, yes, no }) {
  setText("question-text", text);
  setText("question-means", means);
  setText("question-yes", yes);
  setText("question-no", no);
}

/** @param {Asked} asked */
export function open(asked) {
  write(asked);
  question().showModal();
  element("question-no").focus();
}

export function question() {
  return dialog("question");
}

export class Question {
  /** What it is about, or was. */
  #job = 0;
  /** @type {Grave} */
  #grave = "cancel";

  /** @param {(id: number, grave: Grave) => void} act */
  constructor(act) {
    element("question-yes").addEventListener("click", () => {
      question().close();
      act(this.#job, this.#grave);
    });
    element("question-no").addEventListener("click", () => question().close());
  }

  /** @param {JobView} job @param {Grave} grave */
  ask(job, grave) {
    this.#job = job.id;
    this.#grave = grave;
    open(this.#asked(job));
  }

  /** Follows the job while the question waits for its answer. @param {Map<number, JobView>} jobs */
  show(jobs) {
    const job = jobs.get(this.#job);
    if (!question().open) {
      return;
    }
    const isOpen = this.#grave !== "close" || job?.open;
    if (job && isOpen && isAtEnd(job) === (this.#grave === "remove")) {
      write(this.#asked(job));
    } else {
      // It is answered: the job has come to its end, or somebody has removed it.
      question().close();
    }
  }

  /** @param {JobView} job @returns {Asked} */
  #asked({ id, name, done, failed, total }) {
    const said = strings.jobs.question[this.#grave];
    return { ...said, text: said.text(strings.job(id, name)), means: said.means(done + failed, total) };
  }
}
