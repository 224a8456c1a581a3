// @ts-check
// What a new job may be of: an op that is built in, or a kernel. Both are asked for in the same way.

/** @typedef {import("./protocol.js").KernelParamView} KernelParamView */
/** @typedef {import("./protocol.js").KernelView} KernelView */
/** @typedef {import("./protocol.js").OpView} OpView */

/** `key` names it among all choices, and `id` at the server. A kernel that takes any JSON has as many axes as a
 * person wants: `isOpen`.
 * @typedef {{ key: string, id: string, name: string, fields: Field[], kernel: KernelView | null, isOpen: boolean }} Choice */

/** A parameter. `kind` is a kernel's type for it, and empty where there is none.
 * @typedef {{ key: string, takesName: boolean, text: string, example: string, kind: string, help: string,
 *   min?: number, max?: number }} Field */

/** As many axes as a kernel may have. */
export const AXES_MAX = 8;

/** The least and the greatest value of each integer type. @type {Record<string, { min: number, max: number }>} */
const INTEGERS = {
  i32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  i64: { min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
};

/** Axes that are there at first, of the op that most begin with: a job that is worth looking at.
 * @type {Record<string, Record<string, string>>} */
const BEGIN = {
  repeat_multiply: { initial: "100", factor: "0.99999..=1.00001:0.000005", times: "0..200000" },
};

/** @param {OpView} op @returns {Choice} */
export function ofOp({ name, params }) {
  const fields = params.map(({ name: key, example, min, max }) => {
    const text = BEGIN[name]?.[key] ?? "";
    return { key, takesName: false, text, example: String(example), kind: "", help: "", min, max };
  });
  return { key: name, id: name, name, fields, kernel: null, isOpen: false };
}

/** @param {KernelView} kernel @returns {Choice} */
export function ofKernel(kernel) {
  const { id, name, params } = kernel;
  const isOpen = params.length === 0;
  // What the server calls parameters that have no names.
  const isNameless = params.every((param, at) => param.name === nth(at));
  const fields = params.map((param) => ofParam(param, isNameless));
  return { key: `kernel ${id}`, id, name, fields: isOpen ? [free(0)] : fields, kernel, isOpen };
}

/** An axis that the kernel itself says nothing of. @param {number} at @returns {Field} */
export function free(at) {
  return { key: nth(at), takesName: true, text: "", example: "1..=100", kind: "", help: "" };
}

/** @param {number} at */
const nth = (at) => `p${at + 1}`;

/** @param {KernelParamView} param @param {boolean} takesName @returns {Field} */
function ofParam({ name, kind = "", default: text = "", help = "" }, takesName) {
  return { key: name, takesName, text, example: "1..=100", kind, help, ...INTEGERS[kind] };
}
