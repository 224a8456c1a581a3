// @ts-check
// The button that opens the form of a new job and closes it. The form itself is loaded when it is opened first:
// guests never do.

import { element, input, setText } from "./dom.js";
import { begin, guarded } from "./part.js";
import { strings } from "./strings.js";

/** @typedef {import("./new-job.js").NewJob} NewJob */
/** @typedef {import("./operator.js").Operator} Operator */
/** @typedef {import("./protocol.js").JobView} JobView */

export class NewJobDoor {
  /** Whether a person has opened or closed it; null while nobody has.
   * @type {boolean | null} */
  #wish = null;
  /** @type {NewJob | null} */
  #form = null;
  /** Whether it is being loaded, or could not be. */
  #isAsked = false;
  #draw = guarded("new-job", () => this.#form?.show());
  #operator;
  #submitted;

  /** @param {Operator} operator @param {(job: JobView) => void} submitted */
  constructor(operator, submitted) {
    this.#operator = operator;
    this.#submitted = submitted;
    const form = element("new-job");
    element("new-job-open").addEventListener("click", () => this.#turn());
    form.addEventListener("focusin", () => (this.#wish = true));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.#turn();
      }
    });
    // The browser itself sends nothing, also before there is anybody who does.
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** @param {boolean} isAtHand Whether it is open unless somebody has closed it. */
  show(isAtHand) {
    const { mayChange } = this.#operator;
    const isOpen = mayChange && (this.#wish ?? isAtHand);
    const opener = element("new-job-open");
    opener.hidden = !mayChange;
    opener.setAttribute("aria-expanded", String(isOpen));
    setText("new-job-open", isOpen ? strings.newJob.close : strings.newJob.open);
    element("new-job").hidden = !isOpen;
    if (isOpen) {
      this.#load();
      // While there is none, what is said in its place stays.
      if (this.#form) {
        this.#draw();
      }
    }
  }

  /** The server may be another one than before. */
  refresh() {
    this.#form?.refresh();
    // What could not be loaded may be there by now.
    this.#isAsked = false;
  }

  #load() {
    if (this.#form || this.#isAsked) {
      return;
    }
    this.#isAsked = true;
    void begin("new-job", () => import("./new-job.js"), ({ NewJob }) => {
      // It may have been asked for twice.
      this.#form ??= new NewJob(this.#operator, (job) => {
        this.#wish = false;
        this.#submitted(job);
      });
      this.#draw();
    });
  }

  #turn() {
    this.#wish = element("new-job").hidden === true;
    if (this.#wish) {
      // Somebody may have added kernels meanwhile.
      this.refresh();
    }
    this.show(false);
    (this.#wish ? input("new-name") : element("new-job-open")).focus();
  }
}
