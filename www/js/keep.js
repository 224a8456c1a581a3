// @ts-check
// What the browser keeps for the page. Where it keeps nothing (private windows, blocked cookies),
// everything works without, and is kept as long as the page is open.

/** A `Storage`, or as much of one as is used here.
 * @typedef {Pick<Storage, "getItem" | "setItem">} Keeper */

/** @param {"localStorage" | "sessionStorage"} area @returns {Keeper} */
export function keeper(area) {
  /** @type {Map<string, string>} What the browser would not keep. */
  const refused = new Map();
  return {
    getItem: (key) => {
      try {
        return refused.get(key) ?? globalThis[area].getItem(key);
      } catch {
        return null;
      }
    },
    setItem: (key, value) => {
      try {
        globalThis[area].setItem(key, value);
        refused.delete(key);
      } catch {
        refused.set(key, value);
      }
    },
  };
}

/** What was kept as JSON, if it is an object: others may have written there.
 * @param {Keeper} keeper @param {string} key @returns {Record<string, unknown>} */
export function keptObject(keeper, key) {
  try {
    return Object(JSON.parse(keeper.getItem(key) ?? "{}"));
  } catch {
    return {};
  }
}
