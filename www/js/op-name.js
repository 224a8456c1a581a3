// @ts-check

/** An op for people: of a kernel's id, the first digits of its hash.
 * @param {string} op */
export const opName = (op) => op.replace(/^kernel:([0-9a-f]{8}).*$/, "kernel $1");
