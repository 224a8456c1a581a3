// @ts-check
// How text comes onto the screen. Text from elsewhere becomes text nodes and nothing else.

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`the page has no element #${id}`);
  }
  return found;
}

/** @param {string} id */
export function input(id) {
  return /** @type {HTMLInputElement} */ (element(id));
}

/** Setting the same text again would be announced again, and cost a layout.
 * @param {string} id @param {string} text */
export function setText(id, text) {
  const found = element(id);
  if (found.textContent !== text) {
    found.textContent = text;
  }
}
