// @ts-check
// A random id that this browser keeps, by which a server can tell tabs of one browser from others'.

/** @typedef {import("./keep.js").Keeper} Keeper */

const KEY = "tequio-browser";

/** Where nothing is kept, each visit is another browser.
 * @param {Keeper} keeper @returns {string} */
export function browserId(keeper) {
  const kept = keeper.getItem(KEY);
  if (kept) {
    return kept;
  }
  const made = randomHex(16);
  keeper.setItem(KEY, made);
  return made;
}

/** Two characters a byte. @param {number} length In bytes. */
export function randomHex(length) {
  // Not `randomUUID`, which only secure contexts have.
  const bytes = new Uint8Array(length).map(() => 256 * Math.random());
  globalThis.crypto?.getRandomValues(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
