// @ts-check
// What a picture of many numbers needs: which of them are finite, how they are laid out on an axis,
// how many there are of each size, and how the numbers of an axis are written.

/** Bins of a histogram: fine enough for a shape, coarse enough for each to have some of 1,000. */
export const BINS = 30;
/** How many times the smallest the largest is from where on a logarithmic axis shows more. */
const LOG_RATIO_MIN = 1000;
/** Numbers of an axis as large as this, or as small, are written as powers of ten. */
const PLAIN_MIN = 1e-4;
const PLAIN_MAX = 1e7;
/** Of the larger one: nearer numbers are drawn as one. An axis between them would have no room for
 * its marks, of which each has to be a double, and well apart. */
const NEAR = 2 ** 10 * Number.EPSILON;
/** Of a step: a mark so little beyond an end of its axis is at the end. */
const SLACK = 1e-6;
/** The smallest power of ten that is a double. */
const EXPONENT_MIN = -323;
/** Digits beyond which doubles have none. */
const DIGITS_MAX = 15;
/** Digits that tell a size. */
const SIZE_DIGITS = 4;

/** Names of numbers that JSON has none for. @type {unknown[]} */
const NAMES = ["NaN", "Infinity", "-Infinity"];

/** A task, and its result, which is any value. @typedef {[index: number, value: unknown]} Point */

/** How values become places on an axis, and back. A double's whole range does not fit on a linear
 * axis of doubles, whose length would be infinite: there they are counted in units.
 * @typedef {{ isLog: boolean, unit: number, placeOf: (value: number) => number,
 *   valueAt: (place: number) => number }} Layout */

/** The number that a result is; null where it is none. @param {unknown} value */
export function numberOf(value) {
  return typeof value === "number" || NAMES.includes(value) ? Number(value) : null;
}

/** The same of numbers that have a place in a picture. @param {unknown} value */
export function finite(value) {
  const number = numberOf(value);
  return Number.isFinite(number) ? number : null;
}

/** @param {Point[]} points */
export function finiteOf(points) {
  return points.flatMap(([, value]) => finite(value) ?? []);
}

/** How many of the results are such. @param {Point[]} points
 * @param {(number: number | null) => boolean} isSuch */
export function countOf(points, isSuch) {
  return points.filter(([, value]) => isSuch(numberOf(value))).length;
}

/** A result for reading: a number, or the name of one, as such; else JSON. @param {unknown} value */
export function textOf(value) {
  return numberOf(value) === null ? JSON.stringify(value) : String(value);
}

/** An axis as people write it: a value, a list, or a range with its end. @param {any} axis As JSON has it. */
export function axisText(axis) {
  const { from, step, count } = Object(axis);
  if (count === undefined) {
    return String(axis);
  }
  // As many digits as tell doubles apart that somebody has typed.
  const last = Number((from + (count - 1) * step).toPrecision(DIGITS_MAX));
  return `${from}..=${last}${step === 1 ? "" : `:${step}`}`;
}

/** Whether a logarithmic axis can show them, and shows more. @param {number[]} values All finite. */
export function isForLog(values) {
  const [min, max] = ends(values);
  return min > 0 && max / min >= LOG_RATIO_MIN;
}

/** The smallest, the middle one and the largest. @param {number[]} values All finite, at least one. */
export function sizes(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return [sorted[0], sorted[Math.floor((sorted.length - 1) / 2)], sorted[sorted.length - 1]];
}

/** @param {number[]} values All finite. @param {boolean} isLog @returns {Layout} */
export function layOut(values, isLog) {
  if (isLog) {
    return { isLog, unit: 1, placeOf: Math.log10, valueAt: (place) => 10 ** place };
  }
  const largest = Math.max(...ends(values).map(Math.abs));
  const isPlain = largest === 0 || (largest >= PLAIN_MIN && largest < PLAIN_MAX);
  const unit = isPlain ? 1 : 10 ** Math.max(exponentOf(largest), EXPONENT_MIN);
  // An axis may go beyond what doubles hold.
  return { isLog, unit, placeOf: (value) => value / unit, valueAt: (place) => bounded(place * unit) };
}

/** Whether two places are too near each other for an axis between them.
 * @param {number} min @param {number} max */
export function isOnePlace(min, max) {
  return max - min <= NEAR * Math.max(Math.abs(min), Math.abs(max));
}

/** The ends of an axis: a little space beyond both places; some around what is as good as one.
 * @param {number} min @param {number} max @param {number} margin Of the space between them.
 * @returns {[number, number]} */
export function around(min, max, margin) {
  const length = isOnePlace(min, max) ? Math.max(Math.abs(min), Math.abs(max)) || 1 / margin : max - min;
  return [min - length * margin, max + length * margin];
}

/** The multiples of `step` between two places. @param {number} min @param {number} max
 * @param {number} step */
export function multiples(min, max, step) {
  const first = Math.ceil(min / step - SLACK);
  const count = Math.max(0, Math.floor(max / step + SLACK) - first + 1);
  // Tenths are no doubles, but one by ten is the one nearest to it.
  const [by, whole] = step < 1 ? [1, Math.round(1 / step)] : [step, 1];
  return Array.from({ length: count }, (_, at) => ((first + at) * by) / whole);
}

/** How many of the places lie in each of as many intervals of the same length. One that lies on an
 * edge counts for the interval above.
 * @param {number[]} places At least one. */
export function histogram(places) {
  const [min, max] = ends(places);
  const isOne = isOnePlace(min, max);
  // A single value has the middle one of three to itself.
  const bins = isOne ? 3 : BINS;
  const width = isOne ? 1 : (max - min) / bins;
  const first = isOne ? min - (bins * width) / 2 : min;
  /** @type {number[]} */
  const counts = new Array(bins).fill(0);
  for (const place of places) {
    counts[Math.min(bins - 1, Math.floor((place - first) / width))] += 1;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, edge) => first + edge * width), counts };
}

/** How a place of an axis is written, where its marks are a `step` apart.
 * @param {Layout} layout @param {number} place @param {number} step
 * @param {(value: number, digits: number) => string} decimal */
export function markOf({ isLog, unit }, place, step, decimal) {
  if (isLog) {
    const isWhole = Number.isInteger(place);
    return isWhole && place >= -3 && place <= 5 ? decimal(10 ** place, Math.max(0, -place)) : powerOfTen(place);
  }
  const digits = Math.min(DIGITS_MAX, Math.max(0, -exponentOf(step * 1.000001)));
  if (Math.abs(place) < step / 2) {
    return decimal(0, 0);
  }
  if (unit === 1) {
    return decimal(place, digits);
  }
  const behind = Math.min(DIGITS_MAX, Math.max(0, digits + exponentOf(place)));
  return scientific(place, behind, exponentOf(unit), (mantissa) => decimal(mantissa, behind));
}

/** How many digits tell the values of a picture apart. @param {number[]} values All finite. */
export function digitsOf(values) {
  const [min, max] = ends(values);
  const largest = Math.max(Math.abs(min), Math.abs(max));
  // Halved, since the difference of two doubles may be none.
  const spread = max / 2 - min / 2;
  const lost = spread > 0 ? Math.floor(Math.log10(largest / 2 / spread)) : 0;
  return Math.min(DIGITS_MAX, SIZE_DIGITS + Math.max(0, lost));
}

/** A number for reading, of so many digits.
 * @param {number} value @param {number} digits
 * @param {(value: number, digits: number) => string} significant */
export function sizeText(value, digits, significant) {
  const size = Math.abs(value);
  if (size === 0 || (size >= PLAIN_MIN && size < PLAIN_MAX)) {
    return significant(value, digits);
  }
  return scientific(value, digits - 1, 0, (mantissa) => significant(mantissa, digits));
}

/** A number as a mantissa and a power of ten. It is rounded before its power is taken: what is next
 * to a power of ten is that, and never ten times the one below.
 * @param {number} value Not 0, in units of `10^unit`. @param {number} digits Behind the mantissa's
 * point. @param {number} unit @param {(mantissa: number) => string} write */
function scientific(value, digits, unit, write) {
  const [mantissa, exponent] = value.toExponential(digits).split("e").map(Number);
  const power = powerOfTen(exponent + unit);
  if (Math.abs(mantissa) === 1) {
    return mantissa < 0 ? `-${power}` : power;
  }
  return `${write(mantissa)}×${power}`;
}

/** @param {number} exponent */
function powerOfTen(exponent) {
  const digits = String(exponent).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  return `10${digits}`;
}

/** @param {number} value */
function bounded(value) {
  return Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value));
}

/** The power of ten that a number, not 0, has. @param {number} value */
function exponentOf(value) {
  return Number(value.toExponential().split("e")[1]);
}

/** @param {number[]} values @returns {[number, number]} */
function ends(values) {
  return [Math.min(...values), Math.max(...values)];
}
