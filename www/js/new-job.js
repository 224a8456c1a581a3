// @ts-check
// The form of a new job. The server checks its axes while they are typed, so that page and command
// line take the same ones and count the same tasks.

import { Refused, ask, saidBy, whyOf } from "./answer.js";
import { element, input, setText } from "./dom.js";
import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./operator.js").Operator} Operator */
/** @typedef {import("./protocol.js").AxisView} AxisView */
/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */
/** @typedef {import("./protocol.js").GridView} GridView */
/** @typedef {import("./protocol.js").JobView} JobView */

/** The pause in typing after which the server is asked: about that between two keys. */
const TYPING_PAUSE_MS = 200;
/** The longest text of an axis, in characters: as many bytes as the server takes. */
export const AXIS_CHARS_MAX = 16 * 1024;
/** What the server answers where they are too long together for it to look at any. */
const TOO_LONG_STATUSES = [414, 431];

const AXES = /** @type {const} */ (["initial", "factor", "times"]);
/** @typedef {typeof AXES[number]} Axis */
/** As they were typed. @typedef {Record<Axis, string>} Axes */

export class NewJob {
  /** Whether a person has opened or closed it; null while nobody has.
   * @type {boolean | null} */
  #wish = null;
  /** The server's last answer about the axes; none while there is none about these.
   * @type {GridView | null} */
  #grid = null;
  /** The axes that it is about.
   * @type {Axes | null} */
  #asked = null;
  /** Why there is none.
   * @type {unknown} */
  #unasked = null;
  /** Axes that were typed into: what is missing in the others is not wrong yet.
   * @type {Set<Axis>} */
  #touched = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  #asking = new AbortController();
  #isSending = false;
  /** Why the job was not taken, in the language of the moment. */
  #trouble = () => "";
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
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    for (const axis of AXES) {
      input(`new-${axis}`).addEventListener("input", () => this.#type(axis));
    }
    form.addEventListener("input", () => this.forgive());
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
      this.#askOnce();
      this.#write();
    }
  }

  /** Says no more why the last job was not taken: it may be by now. */
  forgive() {
    this.#trouble = () => "";
    this.#write();
  }

  #turn() {
    this.#wish = element("new-job").hidden === true;
    this.show(false);
    (this.#wish ? input("new-name") : element("new-job-open")).focus();
  }

  /** @param {Axis} axis */
  #type(axis) {
    this.#touched.add(axis);
    this.#asking.abort();
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#ask(), TYPING_PAUSE_MS);
  }

  /** Of the axes that are there at first. */
  #askOnce() {
    if (!this.#grid && this.#touched.size === 0 && this.#typing === undefined) {
      this.#typing = setTimeout(() => void this.#ask(), 0);
    }
  }

  /** Asks the server about the axes; what it says of older ones is of no use.
   * @returns {Promise<boolean>} Whether the server has answered, or need not. */
  async #ask() {
    clearTimeout(this.#typing);
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const axes = this.#axes();
    const grid = await checked(axes, signal).catch((error) => {
      this.#unasked = error;
      return undefined;
    });
    if (!signal.aborted) {
      [this.#grid, this.#asked] = [grid ?? null, axes];
      this.#write();
    }
    return grid !== undefined || signal.aborted;
  }

  async #submit() {
    if (this.#isSending) {
      return;
    }
    this.#setSending(true);
    this.#trouble = () => "";
    AXES.forEach((axis) => this.#touched.add(axis));
    const isAnswered = await this.#ask();
    const wrong = this.#wrong();
    if (isAnswered && wrong) {
      this.#setSending(false);
      return input(wrong).focus();
    }
    try {
      if (!isAnswered) {
        throw this.#unasked;
      }
      const job = await this.#operator.post("api/jobs", this.#job());
      this.#wish = false;
      input("new-name").value = "";
      this.#submitted(job);
    } catch (error) {
      this.#trouble = () => whyOf(error);
    } finally {
      this.#setSending(false);
    }
  }

  /** @param {boolean} isSending */
  #setSending(isSending) {
    const button = /** @type {HTMLButtonElement} */ (element("new-job-submit"));
    const hadFocus = document.activeElement === button || document.activeElement === document.body;
    this.#isSending = isSending;
    button.disabled = isSending;
    button.setAttribute("aria-busy", String(isSending));
    this.#write();
    // A button that is disabled loses the focus.
    if (!isSending && hadFocus && !element("new-job").hidden) {
      button.focus();
    }
  }

  /** The id of the first field that is wrong. @returns {string | undefined} */
  #wrong() {
    const axis = AXES.find((axis) => this.#grid?.errors[axis]);
    if (axis) {
      return `new-${axis}`;
    }
    if (this.#grid?.errors.grid) {
      return "new-initial";
    }
    return input("new-priority").validity.valid ? undefined : "new-priority";
  }

  /** @returns {Axes} */
  #axes() {
    const [initial, factor, times] = AXES.map((axis) => input(`new-${axis}`).value);
    return { initial, factor, times };
  }

  #job() {
    return {
      op: "repeat_multiply",
      grid: this.#axes(),
      name: input("new-name").value.trim(),
      priority: Number(input("new-priority").value),
    };
  }

  #write() {
    const said = strings.newJob;
    for (const axis of AXES) {
      const error = this.#grid?.errors[axis];
      const isEarly = error?.code === "missing" && !this.#touched.has(axis);
      showError(`new-${axis}`, error && !isEarly ? wordsOf(error) : "");
      setText(`new-${axis}-note`, noteOf(this.#asked?.[axis] ?? "", this.#grid?.axes[axis]));
    }
    const isPriority = input("new-priority").validity.valid;
    showError("new-priority", isPriority ? "" : said.badPriority);
    const whole = this.#grid?.errors.grid;
    setText("new-job-trouble", whole ? wordsOf(whole) : this.#trouble());
    const total = this.#grid?.total ?? null;
    setText("new-job-total", total === null ? "" : said.total(total));
  }
}

/** @param {Axes} axes @param {AbortSignal} signal
 * @returns {Promise<GridView | null>} None where the server does not say. */
async function checked(axes, signal) {
  if (Object.values(axes).some((text) => text.length > AXIS_CHARS_MAX)) {
    return tooLong(axes);
  }
  const answer = await ask(`api/grid?${new URLSearchParams(axes)}`, { signal });
  if (TOO_LONG_STATUSES.includes(answer.status)) {
    return tooLong(axes);
  }
  try {
    return saidBy(answer);
  } catch (error) {
    // What the server refuses here it says of the job as well.
    if (error instanceof Refused && error.foreign === null) {
      return null;
    }
    throw error;
  }
}

/** What the server would say of axes that are too long to be sent: it is the longest that is wrong.
 * @param {Axes} axes @returns {GridView} */
export function tooLong(axes) {
  const [longest] = [...AXES].sort((one, other) => axes[other].length - axes[one].length);
  return { total: null, errors: { [longest]: { code: "too_long", message: "" } }, axes: {} };
}

/** What is to be known of an axis that is right: what its commas mean, where they may be meant
 * otherwise, or how much a range has.
 * @param {string} text @param {AxisView | undefined} view */
export function noteOf(text, view) {
  const said = strings.newJob;
  const typed = text.trim();
  if (!view || view.count === 1) {
    return "";
  }
  const parts = typed.split(",");
  // As the page itself writes numbers.
  if (/^-?[1-9]\d{0,2}(,\d{3})+$/.test(typed)) {
    return said.comma(parts.length, parts.join(""));
  }
  if (/^-?\d+,\d+$/.test(typed)) {
    return said.comma(parts.length, parts.join("."));
  }
  return said.values(view.count, Number(view.last));
}

/** @param {ErrorDetail} error */
function wordsOf(error) {
  return wordsFor(strings.newJob.errors, error);
}

/** @param {string} id Of the field. @param {string} text Empty where nothing is wrong. */
function showError(id, text) {
  setText(`${id}-error`, text);
  input(id).setAttribute("aria-invalid", String(text !== ""));
}
