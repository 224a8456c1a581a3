// @ts-check
// What an op is called. A kernel's id says which module it is, and the page's own server what people call that.

import { ask, saidBy } from "./answer.js";

/** @typedef {import("./protocol.js").KernelView} KernelView */

/** Of a server that did not answer, or that has no such kernel, it is asked again after so many milliseconds. */
const RETRY_MS = 30_000;

/** By their hashes; null while it is not known what they are. @type {Map<string, KernelView | null>} */
const kernels = new Map();

/** @type {(() => void)[]} */
const callbacks = [];

/** Calls it when the server has said what a kernel is called. @param {() => void} callback */
export function onKernel(callback) {
  callbacks.push(callback);
}

/** An op for people: of a kernel's id, what it is called; the first digits of its hash, while nobody knows that.
 * @param {string} op */
export function opName(op) {
  const hash = hashOf(op);
  return hash ? (kernelOf(op)?.name ?? `kernel ${hash.slice(0, 8)}`) : op;
}

/** What the server says of a kernel; null of other ops, and before it has. @param {string} op */
export function kernelOf(op) {
  const hash = hashOf(op);
  if (!hash) {
    return null;
  }
  if (!kernels.has(hash)) {
    kernels.set(hash, null);
    void learn(hash);
  }
  return kernels.get(hash) ?? null;
}

/** The hash of a kernel's module. @param {string} op */
export const hashOf = (op) => /^kernel:([0-9a-f]{64})/.exec(op)?.[1];

/** @param {string} hash */
async function learn(hash) {
  try {
    kernels.set(hash, saidBy(await ask(`api/kernels/${hash}`)));
    callbacks.forEach((callback) => callback());
  } catch {
    // Its hash does until then.
    setTimeout(() => kernels.delete(hash), RETRY_MS);
  }
}
