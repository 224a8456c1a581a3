// @ts-check
// Copies text that the page shows. Pages of plain http, as on a home network, have no
// `navigator.clipboard`; there the text is selected and copied as by hand.

/** Whether it is copied. Where it is not, its text is selected, for the keyboard to copy.
 * @param {HTMLElement} shown */
export async function copyTextOf(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent ?? "");
    return true;
  } catch {
    // There is none, or it is not allowed.
    getSelection()?.selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
