// @ts-check
// How text comes onto the screen. Text from elsewhere becomes text nodes and nothing else.

/** What is shown of a result, in characters: all of it is in the job's results. */
const TEXT_CHARS_MAX = 200;

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

/** One of the page's dialogs; where the browser knows of none, a box that is shown and hidden.
 * @param {string} id */
export function dialog(id) {
  const found = /** @type {HTMLDialogElement} */ (element(id));
  if (!("showModal" in found)) {
    const box = /** @type {HTMLElement} */ (found);
    Object.defineProperty(box, "open", { get: () => box.hasAttribute("open") });
    Object.assign(box, {
      showModal: () => box.setAttribute("open", ""),
      close: () => {
        box.removeAttribute("open");
        box.dispatchEvent(new Event("close"));
      },
    });
  }
  return found;
}

/** Says so where a browser draws on no canvas: some block that. uPlot would find out too late to say. */
export function needCanvas() {
  if (!document.createElement("canvas").getContext("2d")) {
    throw new Error("no canvas");
  }
}

/** Calls it when the size of a box has changed, and once in the beginning. @param {Element} box
 * @param {() => void} act */
export function onResize(box, act) {
  if ("ResizeObserver" in globalThis) {
    new ResizeObserver(act).observe(box);
  } else {
    addEventListener("resize", act);
    requestAnimationFrame(act);
  }
}

/** The beginning of a text, where it is too long to be shown. @param {string} text
 * @param {number} [max] In characters. */
export function cut(text, max = TEXT_CHARS_MAX) {
  // Not in the middle of one that takes two.
  return text.length > max ? `${text.slice(0, max).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** Setting the same text again would be announced again, and cost a layout.
 * @param {string} id @param {string} text */
export function setText(id, text) {
  const found = element(id);
  if (found.textContent !== text) {
    found.textContent = text;
  }
}
