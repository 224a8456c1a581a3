// @ts-check
// The form of a new job: an op or a kernel, and an axis for each of its parameters. The server tells which there are,
// and checks the axes while they are typed, so that page and command line take the same ones and count the
// same tasks. It is loaded when it is opened.

import { ask, saidBy, whyOf } from "./answer.js";
import { element, input, setText } from "./dom.js";
import { KernelForm } from "./kernel-form.js";
import { kernelWords } from "./kernel-words.js";
import { free, ofKernel, ofOp } from "./new-job-choice.js";
import { checked, fieldId, makeField, nameId, noteOf, showError, wordsOf, writeField } from "./new-job-fields.js";
import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./kernel-form.js").Ready} Ready */
/** @typedef {import("./new-job-choice.js").Choice} Choice */
/** @typedef {import("./new-job-choice.js").Field} Field */
/** @typedef {import("./new-job-fields.js").Axes} Axes */
/** @typedef {import("./operator.js").Operator} Operator */
/** @typedef {import("./protocol.js").GridView} GridView */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").KernelView} KernelView */
/** @typedef {import("./protocol.js").OpView} OpView */

/** The pause in typing after which the server is asked: about that between two keys. */
const TYPING_PAUSE_MS = 200;

/** What was typed of a choice: each field's name and text, and how many fields there are.
 * @typedef {{ fields: Map<string, { name: string, text: string }>, count: number }} Typed */

export class NewJob {
  /** What the fields are of; none before the server has told of anything.
   * @type {Choice | null} */
  #choice = null;
  /** What the server can compute. @type {Choice[]} */
  #choices = [];
  /** Whether it has told of them since the page has come to it. */
  #isTold = false;
  /** What was typed, by the choices' keys. @type {Map<string, Typed>} */
  #typed = new Map();
  /** The server's last answer about the axes; none while there is none about these.
   * @type {GridView | null} */
  #grid = null;
  /** The axes that it is about.
   * @type {Map<string, string>} */
  #asked = new Map();
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
  #kernel;
  #operator;
  #submitted;

  /** @param {Operator} operator @param {(job: JobView) => void} submitted */
  constructor(operator, submitted) {
    this.#operator = operator;
    this.#submitted = submitted;
    this.#kernel = new KernelForm(operator, {
      added: (kernel) => this.#add(kernel),
      ready: () => this.#ready(),
      axes: (count) => this.#resize(count),
      changed: () => this.#write(),
    });
    const form = element("new-job");
    form.addEventListener("submit", () => void this.#submit());
    opSelect().addEventListener("change", () => {
      this.#choose(opSelect().value);
      void this.#ask();
    });
    form.addEventListener("input", () => this.#forgive());
  }

  /** Draws it as it is now. */
  show() {
    if (!this.#isTold && this.#typing === undefined) {
      this.#typing = setTimeout(() => void this.#ask(), 0);
    }
    this.#write();
  }

  /** Asks the server anew what there is: it may be another one than before, or have more by now. */
  refresh() {
    this.#isTold = false;
    clearTimeout(this.#typing);
    this.#typing = undefined;
    this.#forgive();
  }

  /** Says no more why the last job was not taken: it may be by now. */
  #forgive() {
    this.#trouble = () => "";
    this.#write();
  }

  /** @param {Field} field */
  #type(field) {
    this.#typedNow.fields.set(field.key, boxesOf(field));
    this.#touched.add(field.key);
    this.#kernel.forget();
    this.#asking.abort();
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#ask(), TYPING_PAUSE_MS);
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
        const [ops, kernels] = await Promise.all(["api/ops", "api/kernels"].map((path) => ask(path, { signal })));
        this.#offer([...saidBy(ops).map(ofOp), ...saidBy(kernels).map(ofKernel)]);
        this.#isTold = true;
      }
      const axes = this.#axes;
      const grid = this.#choice && (await checked(this.#choice, axes, signal));
      if (!signal.aborted) {
        [this.#grid, this.#asked] = [grid, new Map(axes)];
        this.#write();
      }
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.#unasked = error;
        [this.#grid, this.#asked] = [null, new Map()];
        // Without any there is nothing that could be submitted.
        this.#trouble = this.#choice ? this.#trouble : () => whyOf(error);
        this.#write();
      }
      return signal.aborted;
    }
  }

  /** @param {Choice[]} choices */
  #offer(choices) {
    const key = this.#choice?.key;
    const next = choices.find((choice) => choice.key === key) ?? choices[0];
    const isSame = JSON.stringify(next) === JSON.stringify(this.#choice);
    this.#choices = choices;
    const option = (/** @type {Choice} */ { name, key }) => new Option(name, key);
    const kernels = document.createElement("optgroup");
    kernels.append(...choices.filter(({ kernel }) => kernel).map(option));
    const ops = choices.filter(({ kernel }) => !kernel).map(option);
    opSelect().replaceChildren(...ops, ...(kernels.children.length > 0 ? [kernels] : []));
    opSelect().value = next.key;
    // There is no choice of one.
    element("new-job-op").hidden = choices.length < 2;
    // Whoever types goes on.
    if (!isSame) {
      this.#choose(next.key);
    }
  }

  /** A kernel that a person has brought is the one to compute. @param {KernelView} kernel */
  #add(kernel) {
    const added = ofKernel(kernel);
    const others = this.#choices.filter(({ key }) => key !== added.key);
    this.#offer([...others, added]);
    this.#choose(added.key);
    void this.#ask();
  }

  /** Makes the fields of a choice. @param {string} key */
  #choose(key) {
    const choice = this.#choices.find((choice) => choice.key === key) ?? this.#choices[0];
    this.#choice = choice;
    opSelect().value = choice.key;
    [this.#grid, this.#asked] = [null, new Map()];
    this.#touched.clear();
    this.#kernel.choose(choice);
    this.#makeFields();
  }

  #makeFields() {
    const fields = this.#fields;
    const typed = this.#typedNow.fields;
    const made = fields.map((field) => {
      const { name, text } = typed.get(field.key) ?? { name: "", text: field.text };
      return makeField(field, { name, text }, () => this.#type(field));
    });
    element("new-job-axes").replaceChildren(...made);
    element("new-job-total").setAttribute("for", fields.map(fieldId).join(" "));
    this.#write();
  }

  /** Makes there be so many axes. @param {number} count */
  #resize(count) {
    this.#typedNow.count = count;
    this.#kernel.forget();
    this.#makeFields();
    const last = this.#fields[count - 1];
    input(last.takesName ? nameId(last) : fieldId(last)).focus();
    void this.#ask();
  }

  /** The axes, once the server has said that they are right. Else shows what is wrong.
   * @returns {Promise<Ready | null>} */
  async #ready() {
    const isAnswered = await this.#ask();
    this.#fields.forEach(({ key }) => this.#touched.add(key));
    this.#write();
    const { op, axes = {} } = this.#grid ?? {};
    const wrong = this.#wrongAxis();
    if (isAnswered && !wrong && op) {
      const input = this.#axes.map(([name]) => `${name} = ${axes[name]?.first}`).join(", ");
      return { op, axes: this.#axes, input };
    }
    if (wrong) {
      input(wrong).focus();
    } else {
      this.#trouble = () => whyOf(this.#unasked);
    }
    return null;
  }

  async #submit() {
    if (this.#isSending) {
      return;
    }
    this.#setSending(true);
    this.#trouble = () => "";
    const isAnswered = await this.#ask();
    this.#fields.forEach(({ key }) => this.#touched.add(key));
    const wrong = this.#wrong();
    if (isAnswered && wrong) {
      this.#setSending(false);
      const field = input(wrong);
      field.closest("details")?.setAttribute("open", "");
      return field.focus();
    }
    try {
      if (!isAnswered) {
        throw this.#unasked;
      }
      const job = await this.#operator.post("api/jobs", await this.#job());
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

  // ---- What was typed ---------------------------------------------------------------------------

  get #typedNow() {
    const key = this.#choice?.key ?? "";
    const typed = this.#typed.get(key) ?? { fields: new Map(), count: this.#choice?.fields.length ?? 0 };
    this.#typed.set(key, typed);
    return typed;
  }


  /** @returns {Field[]} */
  get #fields() {
    const { fields = [], isOpen = false } = this.#choice ?? {};
    return isOpen ? Array.from({ length: this.#typedNow.count }, (_, at) => free(at)) : fields;
  }

  /** @returns {Axes} */
  get #axes() {
    return this.#fields.map((field) => [nameOf(field), boxesOf(field).text]);
  }

  /** The id of the first field that is wrong. @returns {string | undefined} */
  #wrong() {
    const isPriority = input("new-priority").validity.valid;
    return this.#wrongAxis() ?? (isPriority ? this.#kernel.wrong : "new-priority");
  }

  /** @returns {string | undefined} */
  #wrongAxis() {
    const errors = this.#grid?.errors ?? {};
    const field = this.#fields.find((field) => errors.grid ?? errors[nameOf(field)]);
    if (!field) {
      return undefined;
    }
    const error = errors[nameOf(field)];
    return error && error.code in kernelWords().names && field.takesName ? nameId(field) : fieldId(field);
  }

  async #job() {
    const name = input("new-name").value.trim();
    const rest = { axes: Object.fromEntries(this.#axes), priority: Number(input("new-priority").value) };
    if (this.#choice?.kernel) {
      // The server calls it like its kernel, where nothing is said.
      return { ...(await this.#kernel.asked()), ...rest, name: name || undefined };
    }
    return { op: this.#choice?.id, ...rest, name };
  }

  #write() {
    const said = strings.newJob;
    for (const field of this.#fields) {
      const name = nameOf(field);
      const error = this.#grid?.errors[name];
      const isEarly = error?.code === "missing" && !this.#touched.has(field.key);
      const text = this.#asked.get(name);
      const note = text === undefined ? "" : noteOf(text, this.#grid?.axes[name], field);
      writeField(field, { error: isEarly ? undefined : error, note });
    }
    const isPriority = input("new-priority").validity.valid;
    showError("new-priority", isPriority ? "" : said.badPriority);
    const whole = this.#grid?.errors.grid;
    setText("new-job-trouble", whole ? wordsOf(whole) : this.#trouble());
    const total = this.#grid?.total ?? null;
    setText("new-job-total", total === null ? "" : said.total(total));
    const about = wordsFor(said.ops, { code: this.#choice?.key ?? "", message: "" });
    setText("new-job-what", `${about} ${said.what}`.trim());
    opSelect().querySelector("optgroup")?.setAttribute("label", kernelWords().group);
    this.#kernel.write(this.#fields.length);
  }
}

/** What is in a field's boxes: a browser may have put it there, too. @param {Field} field */
const boxesOf = (field) => ({ name: input(nameId(field)).value, text: input(fieldId(field)).value });

/** What an axis is called. @param {Field} field */
const nameOf = (field) => boxesOf(field).name.trim() || field.key;

function opSelect() {
  return /** @type {HTMLSelectElement} */ (element("new-op"));
}
