// @ts-check
// The parts of the page, each of which may fail by itself: its section then says so, and the others go
// on. A section with `data-broken` is one that cannot be shown; its value says why.

import { element } from "./dom.js";
import { onLanguage, strings } from "./strings.js";

/** Why each part is broken, by its section. @type {Map<string, string>} */
const reasons = new Map();

/** Loads a part and starts it; gives nothing where that fails.
 * @template T
 * @param {string} id Of its section. @param {() => Promise<T>} load @param {(part: T) => void} start
 * @returns {Promise<T | null>} */
export async function begin(id, load, start) {
  try {
    const part = await load();
    start(part);
    return part;
  } catch (error) {
    broken(id, error);
    element(id).hidden = false;
    return null;
  }
}

/** The same function, after which its section says whether it has failed.
 * @param {string} id @param {() => void} act */
export function guarded(id, act) {
  return () => {
    try {
      act();
      mended(id);
    } catch (error) {
      broken(id, error);
    }
  };
}

/** @param {string} id @param {unknown} error */
function broken(id, error) {
  const reason = String(error);
  if (reasons.get(id) !== reason) {
    console.error(error);
    reasons.set(id, reason);
    element(id).dataset.broken = reason;
    say(id);
  }
}

/** @param {string} id */
function mended(id) {
  if (reasons.delete(id)) {
    delete element(id).dataset.broken;
    element(id).querySelector(".broken")?.remove();
  }
}

/** @param {string} id */
function say(id) {
  const section = element(id);
  const said = section.querySelector(".broken") ?? document.createElement("p");
  said.className = "broken wrong";
  said.textContent = strings.broken(reasons.get(id) ?? "");
  const head = section.querySelector(":scope > .head, :scope > h2");
  if (head) {
    head.after(said);
  } else {
    section.append(said);
  }
}

onLanguage(() => [...reasons.keys()].forEach(say));
