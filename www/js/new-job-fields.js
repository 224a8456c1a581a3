// @ts-check
// The fields of a new job's axes: what each is called, what is wrong with what is typed, and what is to be known.

import { Refused, ask, saidBy } from "./answer.js";
import { element, input, setText } from "./dom.js";
import { kernelWords } from "./kernel-words.js";
import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./new-job-choice.js").Choice} Choice */
/** @typedef {import("./new-job-choice.js").Field} Field */
/** @typedef {import("./protocol.js").AxisView} AxisView */
/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */
/** @typedef {import("./protocol.js").GridView} GridView */

/** Names of axes and their texts, as they were typed, in order.
 * @typedef {[name: string, text: string][]} Axes */

/** The longest text of an axis, in characters: as many bytes as the server takes. */
export const AXIS_CHARS_MAX = 16 * 1024;
/** A field whose text is longer is wider than the others, where there is room. */
const WIDE_CHARS_MIN = 10;
/** What the server answers where they are too long together for it to look at any. */
const TOO_LONG_STATUSES = [414, 431];

/** @param {Field} field */
export const fieldId = ({ key }) => `axis-${key}`;

/** The id of the box for a field's name. @param {Field} field */
export const nameId = ({ key }) => `axis-${key}-name`;

/** The field of a parameter, from the page's template. Its name is not translated.
 * @param {Field} field @param {{ name: string, text: string }} typed @param {() => void} changed */
export function makeField(field, typed, changed) {
  const template = /** @type {HTMLTemplateElement} */ (element("new-axis"));
  const made = /** @type {any} */ (template.content.firstElementChild).cloneNode(true);
  const [label, name, box, error, note, help] = made.children;
  const id = fieldId(field);
  Object.assign(label, { htmlFor: id, textContent: field.key });
  Object.assign(box, { id, name: field.key, value: typed.text, placeholder: field.example });
  box.setAttribute("aria-describedby", `${id}-error ${id}-note ${id}-help new-job-ways`);
  box.addEventListener("input", changed);
  Object.assign(name, { id: nameId(field), value: typed.name, hidden: !field.takesName });
  name.setAttribute("aria-describedby", `${id}-error`);
  name.addEventListener("input", changed);
  [error.id, note.id, help.id] = [`${id}-error`, `${id}-note`, `${id}-help`];
  // What is long is to be read as well.
  made.style.flexGrow = Math.max(WIDE_CHARS_MIN, typed.text.length);
  return made;
}

/** Says what is right and wrong with a field.
 * @param {Field} field @param {{ error: ErrorDetail | undefined, note: string }} said */
export function writeField(field, { error, note }) {
  const id = fieldId(field);
  const isOfName = error !== undefined && Object.keys(kernelWords().names).includes(error.code);
  setText(`${id}-error`, error ? wordsOf(error, field) : "");
  input(id).setAttribute("aria-invalid", String(error !== undefined && !isOfName));
  setText(`${id}-note`, note);
  setText(`${id}-help`, helpOf(field));
  if (field.takesName) {
    const name = input(nameId(field));
    name.setAttribute("aria-invalid", String(isOfName));
    name.setAttribute("aria-label", kernelWords().nameOf(field.key));
    name.placeholder = kernelWords().nameHint;
  }
}

/** What a kernel says of a parameter, and what type it has. @param {Field} field */
function helpOf({ kind, help }) {
  return [help, kernelWords().kinds[kind] ?? ""].filter((part) => part !== "").join(" · ");
}

/** What axes would be, as the server says; null where it does not.
 * @param {Choice} choice @param {Axes} axes @param {AbortSignal} signal
 * @returns {Promise<GridView | null>} */
export async function checked(choice, axes, signal) {
  if (axes.some(([, text]) => text.length > AXIS_CHARS_MAX)) {
    return tooLong(axes);
  }
  const query = new URLSearchParams([[choice.kernel ? "kernel" : "op", choice.id], ...axes]);
  const answer = await ask(`api/grid?${query}`, { signal });
  if (TOO_LONG_STATUSES.includes(answer.status)) {
    return tooLong(axes);
  }
  try {
    return saidBy(answer);
  } catch (error) {
    // What the server refuses of an op here it says of the job as well. A kernel may be gone.
    if (error instanceof Refused && error.foreign === null && !choice.kernel) {
      return null;
    }
    throw error;
  }
}

/** What the server would say of axes that are too long to be sent: it is the longest that is wrong.
 * @param {Axes} axes @returns {GridView} */
export function tooLong(axes) {
  const [[longest]] = [...axes].sort(([, one], [, other]) => other.length - one.length);
  return { total: null, errors: { [longest]: { code: "too_long", message: "" } }, axes: {} };
}

/** What is to be known of an axis: what may be typed, where nothing is; and of one that is right what its
 * commas mean, where they may be meant otherwise, or how much a range has.
 * @param {string} text @param {AxisView | undefined} view @param {Field} field */
export function noteOf(text, view, { kind, min, max }) {
  const said = strings.newJob;
  const typed = text.trim();
  // What a kernel's types are is said beside them.
  if (kind === "" && typed === "" && min !== undefined && max !== undefined) {
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

/** @param {ErrorDetail} error @param {Field} [field] That it is about; none where it is about all. */
export function wordsOf(error, { min, max } = /** @type {Field} */ ({})) {
  const { integers, errors } = strings.newJob;
  const isRange = error.code === "not_an_integer" && min !== undefined && max !== undefined;
  return isRange ? integers(min, max) : wordsFor({ ...errors, ...kernelWords().names }, error);
}

/** @param {string} id Of the field. @param {string} text Empty where nothing is wrong. */
export function showError(id, text) {
  setText(`${id}-error`, text);
  input(id).setAttribute("aria-invalid", String(text !== ""));
}
