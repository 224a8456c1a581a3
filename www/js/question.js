// @ts-check
// Asks before a job is closed, cancelled or removed: none of it can be undone.

import { dialog, element, setText } from "./dom.js";
import { isOver } from "./job-order.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */

/** What is asked about before it is done.
 * @typedef {"close" | "cancel" | "remove"} Grave */

export class Question {
  /** What it is about, or was. */
  #job = 0;
  /** @type {Grave} */
  #grave = "cancel";

  /** @param {(id: number, grave: Grave) => void} act */
  constructor(act) {
    element("question-yes").addEventListener("click", () => {
      this.#dialog.close();
      act(this.#job, this.#grave);
    });
    element("question-no").addEventListener("click", () => this.#dialog.close());
  }

  /** @param {JobView} job @param {Grave} grave */
  ask(job, grave) {
    this.#job = job.id;
    this.#grave = grave;
    this.#write(job);
    this.#dialog.showModal();
    element("question-no").focus();
  }

  /** Follows the job while the question waits for its answer. @param {Map<number, JobView>} jobs */
  show(jobs) {
    const job = jobs.get(this.#job);
    if (!this.#dialog.open) {
      return;
    }
    const isOpen = this.#grave !== "close" || job?.open;
    if (job && isOpen && isOver(job) === (this.#grave === "remove")) {
      this.#write(job);
    } else {
      // It is answered: the job has come to its end, or somebody has removed it.
      this.#dialog.close();
    }
  }

  /** @param {JobView} job */
  #write({ id, name, done, failed, total }) {
    const said = strings.jobs.question[this.#grave];
    setText("question-text", said.text(strings.job(id, name)));
    setText("question-means", said.means(done + failed, total));
    setText("question-yes", said.yes);
    setText("question-no", said.no);
  }

  get #dialog() {
    return dialog("question");
  }
}
