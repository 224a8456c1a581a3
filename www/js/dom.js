// @ts-check
// How text comes onto the screen. Text from elsewhere becomes text nodes and nothing else.

/** Digits from which on a number is easier to read in groups of three. */
const GROUPED_DIGITS_MIN = 5;

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

/** The same, with long numbers in groups of digits that are only to be seen: what is copied, or
 * read by a program, is the number.
 * @param {string} id @param {string} text */
export function setNumber(id, text) {
  const found = element(id);
  if (found.textContent !== text) {
    found.replaceChildren(...text.split(/(\d+)/).flatMap(inGroups));
  }
}

/** @param {string} text Digits alone, or none. @returns {(string | Node)[]} */
function inGroups(text) {
  if (!/^\d/.test(text) || text.length < GROUPED_DIGITS_MIN) {
    return [text];
  }
  return text.split(/(?=(?:\d{3})+$)/).map((digits) => {
    const group = document.createElement("span");
    return Object.assign(group, { className: "digits", textContent: digits });
  });
}
