// @ts-check
// Asks before a job is cancelled: that cannot be undone.

import { element, setText } from "./dom.js";
import { isOver } from "./job-order.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */

export class CancelQuestion {
  /** The job that it is about, or was. */
  #asked = 0;

  /** @param {(id: number) => void} cancel */
  constructor(cancel) {
    element("cancel-yes").addEventListener("click", () => {
      this.#dialog.close();
      cancel(this.#asked);
    });
    element("cancel-no").addEventListener("click", () => this.#dialog.close());
  }

  /** @param {JobView} job */
  ask(job) {
    this.#asked = job.id;
    this.#write(job);
    this.#dialog.showModal();
    element("cancel-no").focus();
  }

  /** Follows the job while the question waits for its answer. @param {Map<number, JobView>} jobs */
  show(jobs) {
    const job = jobs.get(this.#asked);
    if (!this.#dialog.open) {
      return;
    }
    if (job && !isOver(job)) {
      this.#write(job);
    } else {
      this.#dialog.close();
    }
  }

  /** @param {JobView} job */
  #write({ id, name, done, failed }) {
    setText("cancel-question", strings.jobs.cancelQuestion(strings.job(id, name)));
    setText("cancel-means", strings.jobs.cancelMeans(done + failed));
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (element("cancel-job"));
  }
}
