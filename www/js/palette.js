// @ts-check
// The colours of what is drawn on canvases: the style sheet's, of the day or of the night.

/** How many colours there are for things of one kind; beyond, they are used again. */
const SERIES = 8;

/** @type {Map<string, string>} */
const known = new Map();
const night = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
night?.addEventListener("change", () => known.clear());

/** A custom property of the style sheet, such as `--ink`. @param {string} name */
export function colour(name) {
  const found = known.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name);
  known.set(name, found);
  return found;
}

/** The name of the custom property with the colour of the `nth` thing.
 * @param {number} nth From 0. */
export function seriesName(nth) {
  return `--series-${nth % SERIES}`;
}

/** The colour of a job, the same wherever it is drawn. @param {number} job */
export function jobColour(job) {
  return colour(seriesName(job - 1));
}

/** Calls it when day turns into night, or back, to draw anew. @param {() => void} callback */
export function onTheme(callback) {
  night?.addEventListener("change", callback);
}
