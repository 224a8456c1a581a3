// @ts-check
// What the form of a new job has for kernels: a module from a file, what the server says of it, data, and a task that
// is tried in this tab before a room full of others computes a million of them.

import { Refused, whyOf } from "./answer.js";
import { cut, element, input, setText } from "./dom.js";
import { TRY_MS_MAX, tryTask } from "./kernel-try.js";
import { kernelWords } from "./kernel-words.js";
import { AXES_MAX } from "./new-job-choice.js";
import { showError } from "./new-job-fields.js";

/** @typedef {import("./kernel-try.js").Tried} Tried */
/** @typedef {import("./new-job-choice.js").Choice} Choice */
/** @typedef {import("./operator.js").Operator} Operator */
/** @typedef {import("./protocol.js").KernelView} KernelView */

/** As the server takes them, in bytes. */
const MODULE_BYTES_MAX = 4 * 1024 * 1024;
const DATA_BYTES_MAX = 16 * 1024 * 1024;

/** As many tasks as a block may have. */
const BLOCK_MAX = 32_768;

/** As many letters as a kernel's name may have. */
const NAME_CHARS_MAX = 64;

/** Codes of refusals whose words the page has for jobs only. */
const IN_THE_SERVERS_WORDS = ["bad_name"];

/** Axes that are right: `op` is what they make of the kernel, and `input` the first task's, for people.
 * @typedef {{ op: string, axes: [string, string][], input: string }} Ready */

/** `added` is called with a kernel that a person has brought; `ready` gives the axes, or shows what is wrong with
 * them; `axes` makes there be so many.
 * @typedef {{ added: (kernel: KernelView) => void, ready: () => Promise<Ready | null>,
 *   axes: (count: number) => void, changed: () => void }} Act */

export class KernelForm {
  /** @type {Choice | null} */
  #choice = null;
  #axes = 0;
  /** What each kernel is given. @type {Map<string, File>} */
  #data = new Map();
  /** What came of the last module. @type {() => string} */
  #said = () => "";
  /** Why it was not taken. @type {() => string} */
  #trouble = () => "";
  #isWrongData = () => "";
  #adding = new AbortController();
  /** What came of the last task that was tried. @type {() => string} */
  #tried = () => "";
  /** How that ended; for tests and for the page's look. @type {Tried["kind"] | ""} */
  #kind = "";
  /** A task that is being tried. @type {AbortController | null} */
  #trying = null;
  #operator;
  #act;

  /** @param {Operator} operator @param {Act} act */
  constructor(operator, act) {
    this.#operator = operator;
    this.#act = act;
    onFile("kernel-pick", "kernel-file", (file) => void this.#add(file));
    onFile("data-pick", "data-file", (file) => this.#give(file));
    element("data-none").addEventListener("click", () => {
      this.#data.delete(this.#choice?.key ?? "");
      this.#isWrongData = () => "";
      act.changed();
      element("data-pick").focus();
    });
    element("kernel-axes-more").addEventListener("click", () => act.axes(this.#axes + 1));
    element("kernel-axes-less").addEventListener("click", () => act.axes(this.#axes - 1));
    element("try").addEventListener("click", () => void this.#try());
    this.#takeDrops();
  }

  /** Another kernel is chosen, or an op. @param {Choice | null} choice */
  choose(choice) {
    if (choice?.key !== this.#choice?.key) {
      this.forget();
      this.#said = () => "";
      input("new-block").value = "";
    }
    this.#choice = choice;
  }

  /** What was tried was of other axes. */
  forget() {
    this.#trying?.abort();
    this.#tried = () => "";
    this.#kind = "";
  }

  /** The id of what is wrong here. @returns {string | undefined} */
  get wrong() {
    return this.#choice?.kernel && blockOf() === null ? "new-block" : undefined;
  }

  /** What a request for a job says of the kernel. The server has its data by then.
   * @returns {Promise<{ kernel: string, data?: string, block?: number }>} @throws {unknown} */
  async asked() {
    const { kernel, key } = /** @type {Choice} */ (this.#choice);
    const asked = { kernel: /** @type {KernelView} */ (kernel).id, block: blockOf() || undefined };
    const file = this.#data.get(key);
    if (!file) {
      return asked;
    }
    // Each time: the server may be another one by now, and it keeps no copies.
    const { sha256 } = await this.#operator.send("api/data", file);
    return { ...asked, data: sha256 };
  }

  /** @param {number} axes How many there are. */
  write(axes) {
    this.#axes = axes;
    const said = kernelWords();
    const kernel = this.#choice?.kernel ?? null;
    setText("kernel-pick", said.pick);
    writeDrop();
    setText("kernel-said", this.#said());
    setText("kernel-trouble", this.#trouble());
    for (const id of ["kernel", "kernel-do"]) {
      element(id).hidden = kernel === null;
    }
    const isOpen = this.#choice?.isOpen ?? false;
    element("kernel-axes").hidden = !isOpen;
    setText("kernel-axes-more", said.addAxis);
    setText("kernel-axes-less", said.removeAxis);
    element("kernel-axes-more").hidden = axes >= AXES_MAX;
    element("kernel-axes-less").hidden = axes <= 1;
    if (kernel) {
      this.#writeKernel(kernel);
    }
  }

  /** @param {KernelView} kernel */
  #writeKernel({ form, bytes, notes, takes_data: takesData }) {
    const said = kernelWords();
    setText("kernel-about", said.about(said.forms[form] ?? form, said.sized(bytes)));
    setText("kernel-confined", said.confined);
    const list = element("kernel-notes");
    if (notes.join("\n") !== [...list.children].map((note) => note.textContent).join("\n")) {
      list.replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
    }
    list.hidden = notes.length === 0;
    const file = this.#data.get(this.#choice?.key ?? "");
    element("kernel-data").hidden = !takesData;
    setText("data-pick", said.data);
    setText("data-none", said.dataNone);
    element("data-none").hidden = !file;
    setText("data-said", file ? said.dataIs(cut(file.name), file.size) : said.dataWhat);
    setText("data-trouble", this.#isWrongData());
    setText("try", this.#trying ? said.stop : said.tryIt);
    setText("tried", this.#trying ? said.trying : this.#tried());
    element("tried").dataset.kind = this.#trying ? "trying" : this.#kind;
    setText("kernel-more-title", said.more);
    setText("new-block-label", said.block);
    setText("new-block-note", said.blockNote);
    showError("new-block", blockOf() === null ? said.badBlock(BLOCK_MAX) : "");
  }

  // ---- A module from a file ---------------------------------------------------------------------

  /** @param {File} file */
  async #add(file) {
    const name = cut(file.name);
    this.#adding.abort();
    this.#adding = new AbortController();
    const { signal } = this.#adding;
    this.#trouble = () => "";
    this.#said = () => kernelWords().sending(name);
    this.#act.changed();
    try {
      if (file.size > MODULE_BYTES_MAX) {
        throw new TooLarge(file.size, MODULE_BYTES_MAX);
      }
      const kernel = await this.#post(file, signal);
      if (!signal.aborted) {
        this.#act.added(kernel);
        this.#said = () => kernelWords().added(name, kernel.name);
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#said = () => "";
        this.#trouble = () => kernelWords().refused(name, whyNot(error));
      }
    }
    this.#act.changed();
  }

  /** @param {File} file @param {AbortSignal} signal @returns {Promise<KernelView>} */
  async #post(file, signal) {
    const post = (/** @type {string} */ query) => this.#operator.send(`api/kernels${query}`, file, signal);
    const name = kernelName(file.name);
    try {
      return await post(name && `?${new URLSearchParams({ name })}`);
    } catch (error) {
      // The file was changed since it was added, or is called like something else: the server finds a name.
      if (error instanceof Refused && ["name_taken", "bad_name"].includes(error.code)) {
        return post("");
      }
      throw error;
    }
  }

  #takeDrops() {
    const form = element("new-job");
    const isOfFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    // What is dropped beside the form would be opened instead of the page, which computes.
    for (const type of /** @type {const} */ (["dragover", "drop"])) {
      addEventListener(type, (event) => {
        if (!form.hidden && isOfFiles(event)) {
          event.preventDefault();
        }
      });
    }
    form.addEventListener("dragover", (event) => {
      if (isOfFiles(event)) {
        form.dataset.dragged = "";
        writeDrop();
      }
    });
    const leave = () => {
      delete form.dataset.dragged;
      writeDrop();
    };
    form.addEventListener("dragleave", (event) => {
      if (!form.contains(/** @type {Node | null} */ (event.relatedTarget))) {
        leave();
      }
    });
    form.addEventListener("drop", (event) => {
      leave();
      const files = event.dataTransfer?.files ?? [];
      if (files.length === 1) {
        void this.#add(files[0]);
      } else if (files.length > 1) {
        this.#trouble = () => kernelWords().several;
        this.#act.changed();
      }
    });
  }

  // ---- Data and a trial -------------------------------------------------------------------------

  /** @param {File} file */
  #give(file) {
    const isTooLarge = file.size > DATA_BYTES_MAX;
    this.#isWrongData = () => (isTooLarge ? kernelWords().tooLarge(file.size, DATA_BYTES_MAX) : "");
    if (!isTooLarge) {
      this.#data.set(this.#choice?.key ?? "", file);
      this.forget();
    }
    this.#act.changed();
  }

  async #try() {
    if (this.#trying) {
      return this.#trying.abort();
    }
    this.forget();
    const trying = new AbortController();
    this.#trying = trying;
    this.#act.changed();
    const { kernel, key } = /** @type {Choice} */ (this.#choice);
    const ready = await this.#act.ready();
    if (ready && kernel) {
      const { op, axes, input } = ready;
      const data = this.#data.get(key) ?? null;
      const tried = await tryTask({ sha256: kernel.sha256, op, axes, data }, trying.signal);
      this.#tried = () => wordsOf(tried, input);
      this.#kind = tried.kind;
    }
    this.#trying = null;
    // What was tried may be of no interest by now.
    if (this.#choice?.key !== key) {
      this.forget();
    }
    this.#act.changed();
  }
}

/** What may be dropped, also while something is held above the form. */
function writeDrop() {
  const isHeld = "dragged" in element("new-job").dataset;
  setText("kernel-drop", isHeld ? kernelWords().dropNow : kernelWords().drop);
}

/** A file that is not even sent. */
class TooLarge extends Error {
  /** @param {number} bytes @param {number} max */
  constructor(bytes, max) {
    super();
    this.bytes = bytes;
    this.max = max;
  }
}

/** @param {unknown} error */
function whyNot(error) {
  if (error instanceof TooLarge) {
    return kernelWords().tooLarge(error.bytes, error.max);
  }
  const isInItsWords = error instanceof Refused && IN_THE_SERVERS_WORDS.includes(error.code);
  const why = isInItsWords ? error.message : whyOf(error);
  // What the server says of a module may be no whole sentence.
  return why.charAt(0).toUpperCase() + why.slice(1);
}

/** @param {Tried} tried @param {string} input */
function wordsOf(tried, input) {
  const said = kernelWords();
  switch (tried.kind) {
    case "result":
      return said.result(input, cut(tried.text), tried.ms);
    case "error":
      return said.error(input, cut(tried.text), tried.ms);
    case "late":
      return said.late(input, TRY_MS_MAX / 1000);
    case "gaveUp":
      return said.gaveUp(cut(tried.text));
    case "stopped":
      return said.stopped;
  }
}

/** A file's name as a kernel's: without `.wasm`, and without what no name has. @param {string} file */
const kernelName = (file) =>
  [...file.replace(/\.wasm$/i, "")].slice(0, NAME_CHARS_MAX).join("").replace(/[^\p{L}\p{N}_.-]/gu, "-");

/** What was typed as a block: 0 if that is nothing, null if it is none. */
function blockOf() {
  const { value, validity } = input("new-block");
  const block = Number(value);
  const isBlock = Number.isInteger(Math.log2(block)) && block >= 1 && block <= BLOCK_MAX;
  if (value.trim() === "" && !validity.badInput) {
    return 0;
  }
  return isBlock ? block : null;
}

/** A button that asks for a file, and the browser's own field behind it, which looks different in each.
 * @param {string} button @param {string} field @param {(file: File) => void} act */
function onFile(button, field, act) {
  const box = input(field);
  element(button).addEventListener("click", () => box.click());
  box.addEventListener("change", () => {
    const file = box.files?.[0];
    // The same one may be chosen again, once it was changed.
    box.value = "";
    if (file) {
      act(file);
    }
  });
}
