// @ts-check
// A random id that this browser keeps, by which a server can tell tabs of one browser from others'.

const KEY = "tequio-browser";

/** @returns {string} */
export function browserId() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept) {
      return kept;
    }
    const made = randomId();
    localStorage.setItem(KEY, made);
    return made;
  } catch {
    // Storage is forbidden here: then each visit is another browser.
    return randomId();
  }
}

function randomId() {
  // Not `randomUUID`, which only secure contexts have.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
