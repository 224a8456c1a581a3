// @ts-check
// The form of a new job: an op, and an axis for each of its parameters. The server tells which there are,
// and checks the axes while they are typed, so that page and command line take the same ones and count the
// same tasks.

import { Refused, ask, saidBy, whyOf } from "./answer.js";
import { element, input, setText } from "./dom.js";
import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./operator.js").Operator} Operator */
/** @typedef {import("./protocol.js").AxisView} AxisView */
/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */
/** @typedef {import("./protocol.js").GridView} GridView */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").OpView} OpView */
/** @typedef {import("./protocol.js").ParamView} ParamView */

/** The pause in typing after which the server is asked: about that between two keys. */
const TYPING_PAUSE_MS = 200;
/** The longest text of an axis, in characters: as many bytes as the server takes. */
export const AXIS_CHARS_MAX = 16 * 1024;
/** A field whose text is longer is wider than the others, where there is room. */
const WIDE_CHARS_MIN = 10;
/** What the server answers where they are too long together for it to look at any. */
const TOO_LONG_STATUSES = [414, 431];

/** Axes that are there at first, of the op that most begin with: a job that is worth looking at.
 * @type {Record<string, Axes>} */
const BEGIN = {
  repeat_multiply: { initial: "100", factor: "0.99999..=1.00001:0.000005", times: "0..200000" },
};

/** As they were typed, by their parameters. @typedef {Record<string, string>} Axes */

export class NewJob {
  /** Whether a person has opened or closed it; null while nobody has.
   * @type {boolean | null} */
  #wish = null;
  /** The op that the fields are of; none before the server has told of any.
   * @type {OpView | null} */
  #op = null;
  /** The ops that the server knows.
   * @type {OpView[]} */
  #ops = [];
  /** Whether it has told of them since the page has come to it. */
  #isTold = false;
  /** What was typed, of every op. @type {Map<string, Axes>} */
  #typed = new Map(Object.entries(BEGIN));
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
   * @type {Set<string>} */
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
    opSelect().addEventListener("change", () => {
      this.#choose(opSelect().value);
      void this.#ask();
    });
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

  /** Asks the server anew what there is: it may be another one than before. */
  refresh() {
    this.#isTold = false;
    clearTimeout(this.#typing);
    this.#typing = undefined;
    this.forgive();
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

  /** @param {string} name */
  #type(name) {
    this.#touched.add(name);
    this.#asking.abort();
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#ask(), TYPING_PAUSE_MS);
  }

  /** What there is, and of the axes that are there at first. */
  #askOnce() {
    if (!this.#isTold && this.#typing === undefined) {
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
    try {
      if (!this.#isTold) {
        this.#offer(saidBy(await ask("api/ops", { signal })));
      }
      const axes = this.#axes();
      const grid = await checked(this.#op?.name ?? "", axes, signal);
      if (!signal.aborted) {
        [this.#grid, this.#asked] = [grid, axes];
        this.#write();
      }
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.#unasked = error;
        [this.#grid, this.#asked] = [null, null];
        // Without any there is nothing that could be submitted.
        this.#trouble = this.#op ? this.#trouble : () => whyOf(error);
        this.#write();
      }
      return signal.aborted;
    }
  }

  /** @param {OpView[]} ops */
  #offer(ops) {
    const name = this.#op?.name;
    const next = ops.find((op) => op.name === name) ?? ops[0];
    const isSame = JSON.stringify(next) === JSON.stringify(this.#op);
    [this.#ops, this.#isTold] = [ops, true];
    opSelect().replaceChildren(...ops.map((op) => new Option(op.name)));
    opSelect().value = next.name;
    // There is no choice of one.
    element("new-job-op").hidden = ops.length < 2;
    // Whoever types goes on.
    if (!isSame) {
      this.#choose(next.name);
    }
  }

  /** Makes the fields of an op. @param {string} name */
  #choose(name) {
    const op = this.#ops.find((op) => op.name === name) ?? this.#ops[0];
    const typed = { ...this.#typed.get(op.name) };
    this.#typed.set(op.name, typed);
    this.#op = op;
    [this.#grid, this.#asked] = [null, null];
    this.#touched.clear();
    const fields = op.params.map((param) => field(param, typed[param.name] ?? "", () => {
      typed[param.name] = axisInput(param).value;
      this.#type(param.name);
    }));
    element("new-job-axes").replaceChildren(...fields);
    element("new-job-total").setAttribute("for", op.params.map(fieldId).join(" "));
    this.#write();
  }

  async #submit() {
    if (this.#isSending) {
      return;
    }
    this.#setSending(true);
    this.#trouble = () => "";
    const isAnswered = await this.#ask();
    this.#params.forEach(({ name }) => this.#touched.add(name));
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

  get #params() {
    return this.#op?.params ?? [];
  }

  /** The id of the first field that is wrong. @returns {string | undefined} */
  #wrong() {
    const errors = this.#grid?.errors ?? {};
    const param = this.#params.find(({ name }) => errors.grid ?? errors[name]);
    if (param) {
      return fieldId(param);
    }
    return input("new-priority").validity.valid ? undefined : "new-priority";
  }

  /** @returns {Axes} */
  #axes() {
    return Object.fromEntries(this.#params.map((param) => [param.name, axisInput(param).value]));
  }

  #job() {
    return {
      op: this.#op?.name,
      axes: this.#axes(),
      name: input("new-name").value.trim(),
      priority: Number(input("new-priority").value),
    };
  }

  #write() {
    const said = strings.newJob;
    for (const param of this.#params) {
      const { name } = param;
      const error = this.#grid?.errors[name];
      const isEarly = error?.code === "missing" && !this.#touched.has(name);
      showError(fieldId(param), error && !isEarly ? wordsOf(error, param) : "");
      const text = this.#asked?.[name];
      const note = text === undefined ? "" : noteOf(text, this.#grid?.axes[name], param);
      setText(`${fieldId(param)}-note`, note);
    }
    const isPriority = input("new-priority").validity.valid;
    showError("new-priority", isPriority ? "" : said.badPriority);
    const whole = this.#grid?.errors.grid;
    setText("new-job-trouble", whole ? wordsOf(whole) : this.#trouble());
    const total = this.#grid?.total ?? null;
    setText("new-job-total", total === null ? "" : said.total(total));
    const about = wordsFor(said.ops, { code: this.#op?.name ?? "", message: "" });
    setText("new-job-what", `${about} ${said.what}`.trim());
  }
}

function opSelect() {
  return /** @type {HTMLSelectElement} */ (element("new-op"));
}

/** @param {ParamView} param */
function fieldId({ name }) {
  return `axis-${name}`;
}

/** @param {ParamView} param */
function axisInput(param) {
  return input(fieldId(param));
}

/** The field of a parameter, from the page's template. Its name is not translated.
 * @param {ParamView} param @param {string} text @param {() => void} typed */
function field(param, text, typed) {
  const template = /** @type {HTMLTemplateElement} */ (element("new-axis"));
  const made = /** @type {any} */ (template.content.firstElementChild).cloneNode(true);
  const [label, box, error, note] = made.children;
  const id = fieldId(param);
  Object.assign(label, { htmlFor: id, textContent: param.name });
  Object.assign(box, { id, name: param.name, value: text, placeholder: param.example });
  box.setAttribute("aria-describedby", `${id}-error ${id}-note new-job-ways`);
  box.addEventListener("input", typed);
  error.id = `${id}-error`;
  note.id = `${id}-note`;
  // What is long is to be read as well.
  made.style.flexGrow = Math.max(WIDE_CHARS_MIN, text.length);
  return made;
}

/** @param {string} op @param {Axes} axes @param {AbortSignal} signal
 * @returns {Promise<GridView | null>} None where the server does not say. */
async function checked(op, axes, signal) {
  if (Object.values(axes).some((text) => text.length > AXIS_CHARS_MAX)) {
    return tooLong(axes);
  }
  const answer = await ask(`api/grid?${new URLSearchParams({ op, ...axes })}`, { signal });
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
  const [longest] = Object.keys(axes).sort((one, other) => axes[other].length - axes[one].length);
  return { total: null, errors: { [longest]: { code: "too_long", message: "" } }, axes: {} };
}

/** What is to be known of an axis: what may be typed, where nothing is; and of one that is right what its
 * commas mean, where they may be meant otherwise, or how much a range has.
 * @param {string} text @param {AxisView | undefined} view @param {ParamView} param */
export function noteOf(text, view, { min, max }) {
  const said = strings.newJob;
  const typed = text.trim();
  if (typed === "" && min !== undefined && max !== undefined) {
    return said.integers(min, max);
  }
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

/** @param {ErrorDetail} error @param {ParamView} [param] That it is about; none where it is about all. */
function wordsOf(error, { min, max } = /** @type {ParamView} */ ({})) {
  const { integers, errors } = strings.newJob;
  const isRange = error.code === "not_an_integer" && min !== undefined && max !== undefined;
  return isRange ? integers(min, max) : wordsFor(errors, error);
}

/** @param {string} id Of the field. @param {string} text Empty where nothing is wrong. */
function showError(id, text) {
  setText(`${id}-error`, text);
  input(id).setAttribute("aria-invalid", String(text !== ""));
}
