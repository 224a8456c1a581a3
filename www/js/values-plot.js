// @ts-check
// The two pictures of a job's results: each by its task, and how many there are of each size.

import uPlot from "../vendor/uPlot.esm.js";
import { around, finite, markOf, multiples, numberOf } from "./distribution.js";
import { needCanvas, onResize } from "./dom.js";
import { colour } from "./palette.js";
import { strings } from "./strings.js";

/** @typedef {import("./distribution.js").Layout} Layout */
/** @typedef {import("./distribution.js").Point} Point */

/** What is drawn: points of `total` tasks, `isWhole` where no result between two neighbours is left
 * out; and how many are between the edges, which are told with so many digits.
 * @typedef {{ points: Point[], total: number, isWhole: boolean, layout: Layout, edges: number[],
 *   counts: number[], digits: number, colour: string }} Picture */

/** Pixels, the axes included. */
const HEIGHT_PX = 260;
const AXIS_X_PX = 28;
/** Between two labels of an axis, at least. */
const LABELS_X_PX_MIN = 70;
const LABELS_NARROW_PX_MIN = 55;
const LABELS_Y_PX_MIN = 36;
/** Around the labels of the upright axis. */
const LABEL_MARGIN_PX = 14;
const LABEL_PX = 12;
/** A dot's width: few are seen from afar, many do not cover each other. */
const DOT_PX = { few: 6, many: 3.5 };
const MANY_MIN = 300;
/** What is farther from the pointer is not meant by it. */
const NEAR_PX = 30;
/** Between the pointer and what is told of it. */
const TIP_PX = 14;
/** A mark at the edge for what has no place on the axis. */
const ARROW_PX = 5;
/** Of the largest count, above which there is nothing. */
const HEADROOM = 1.08;
/** Around the plot where there is no axis, at least. */
const PADDING_TOP_PX = 10;
const PADDING_RIGHT_PX = 14;
/** Of the space between the smallest and the largest, around them. */
const X_MARGIN = 0.01;
const Y_MARGIN = 0.05;

/** What both pictures do alike: they fill their box, and say what the pointer is at. */
class Plot {
  /** @type {uPlot | null} */
  #plot = null;
  #root;
  #tip = document.createElement("span");

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#tip.className = "tip";
    needCanvas();
    onResize(root, () => this.#resize());
  }

  clear() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** Draws anew: all of it changes at once, no more often than there are answers.
   * @param {Partial<uPlot.Options>} options @param {uPlot.AlignedData} data
   * @param {(index: number) => string} tell */
  drawWith(options, data, tell) {
    const { left = -1, top = -1 } = this.#plot?.cursor ?? {};
    this.clear();
    const size = { width: this.#root.clientWidth, height: HEIGHT_PX };
    const hooks = { ...options.hooks, setCursor: [(/** @type {uPlot} */ plot) => this.#point(plot, tell)] };
    const all = { padding, legend: { show: false }, series: [{}], ...options, ...size, hooks };
    this.#plot = new uPlot(/** @type {uPlot.Options} */ (all), data, this.#root);
    this.#tip.hidden = true;
    this.#plot.over.append(this.#tip);
    // The pointer is where it was.
    this.#plot.setCursor({ left, top });
  }

  /** @param {uPlot} plot @param {(index: number) => string} tell */
  #point(plot, tell) {
    const { idx, left = -1, top = -1 } = plot.cursor;
    const text = left < 0 || idx === null || idx === undefined ? "" : tell(idx);
    this.#tip.hidden = text === "";
    if (text !== "") {
      this.#tip.textContent = text;
      const { offsetWidth: width, offsetHeight: height } = this.#tip;
      const isRight = left + TIP_PX + width > plot.over.clientWidth;
      const beside = isRight ? left - TIP_PX - width : left + TIP_PX;
      this.#tip.style.left = `${Math.max(-plot.over.offsetLeft, beside)}px`;
      this.#tip.style.top = `${Math.max(0, top - height / 2)}px`;
    }
  }

  #resize() {
    const width = this.#root.clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }
}

/** Half of the widest label below the plot may be beyond each of its ends, where the upright axis
 * leaves room for some.
 * @type {uPlot.Padding} */
const padding = [
  PADDING_TOP_PX,
  (plot) => Math.max(PADDING_RIGHT_PX, Math.ceil(widestBelow(plot) / 2)),
  0,
  (plot) => Math.max(0, Math.ceil(widestBelow(plot) / 2) - (laidOut(plot, 1)._size ?? 0)),
];

/** An axis as uPlot has laid it out so far; its types do not tell of that.
 * @param {uPlot} plot @param {number} at
 * @returns {{ _values?: string[] | null, _size?: number }} */
function laidOut(plot, at) {
  return /** @type {{}} */ (plot.axes?.[at] ?? {});
}

/** The width of the widest label below a plot. @param {uPlot} plot */
function widestBelow(plot) {
  return widest(plot, laidOut(plot, 0)._values ?? []);
}

/** @param {uPlot} plot @param {string[]} labels */
function widest(plot, labels) {
  plot.ctx.font = font(devicePixelRatio);
  const widths = labels.map((label) => plot.ctx.measureText(label).width / devicePixelRatio);
  return Math.ceil(Math.max(0, ...widths));
}

/** Each result by its task. */
export class Scatter extends Plot {
  /** @param {Picture} picture */
  draw({ points, total, isWhole, layout, colour: name }) {
    const shown = isWhole ? withGaps(points) : points;
    const places = shown.map(([, value]) => {
      const number = finite(value);
      return number === null ? null : layout.placeOf(number);
    });
    const isMany = shown.length >= MANY_MIN;
    /** @type {uPlot.Series} */
    const dots = {
      stroke: name,
      width: 1,
      // What lies between two that were drawn nobody knows; and lines between many hide them.
      paths: isWhole && !isMany ? uPlot.paths.linear?.() : () => null,
      points: { show: true, size: isMany ? DOT_PX.many : DOT_PX.few, width: 0, fill: name },
    };
    const options = {
      scales: {
        x: { time: false, range: () => around(0, Math.max(1, total - 1), X_MARGIN) },
        y: { range: (/** @type {uPlot} */ _, /** @type {number} */ min, /** @type {number} */ max) => around(min, max, Y_MARGIN) },
      },
      axes: [flat(indexMarks), upright(valueMarks(layout), layout.isLog)],
      series: [{}, dots],
      cursor: {
        x: false,
        y: false,
        drag: { x: false, y: false },
        points: { size: 10 },
        dataIdx: (/** @type {uPlot} */ plot) => nearest(plot),
      },
      hooks: { draw: [(/** @type {uPlot} */ plot) => drawInfinite(plot, shown)] },
    };
    this.drawWith(options, [shown.map(([index]) => index), places], (at) => {
      const [index, value] = shown[at];
      return value === "" ? "" : `${strings.values.task(index)}\n${value}`;
    });
  }
}

/** How many results there are of each size. */
export class Bars extends Plot {
  /** @param {Picture} picture */
  draw({ layout, edges, counts, digits, colour: name }) {
    /** @type {uPlot.Series} */
    const bars = {
      stroke: name,
      width: 0,
      fill: name,
      paths: uPlot.paths.bars?.({ size: [1, Infinity], align: 1, gap: 1 }),
      points: { show: false },
    };
    const [first, last] = [edges[0], edges[edges.length - 1]];
    const options = {
      scales: {
        x: { time: false, range: () => ends(first, last) },
        y: { range: (/** @type {uPlot} */ _, /** @type {number} */ __, max = 1) => ends(0, max * HEADROOM) },
      },
      axes: [
        { ...flat(valueMarks(layout), layout.isLog), space: roomFor(layout) },
        upright(countMarks, true),
      ],
      series: [{}, bars],
      cursor: {
        drag: { x: false, y: false },
        y: false,
        points: { show: false },
        // The bar that the pointer is over, not the nearest edge.
        dataIdx: (/** @type {uPlot} */ plot, /** @type {number} */ _, /** @type {number} */ near, /** @type {number} */ at) =>
          near > 0 && at < plot.data[0][near] ? near - 1 : near,
      },
    };
    // The last edge ends the last bar.
    this.drawWith(options, [edges.slice(0, -1), counts], (at) => {
      const [from, to] = [edges[at], edges[at + 1]].map((edge) => strings.values.size(layout.valueAt(edge), digits));
      return strings.values.bin(counts[at], from, to);
    });
  }
}

/** @param {number} min @param {number} max @returns {uPlot.Range.MinMax} */
const ends = (min, max) => [min, max];

/** Nothing where tasks have no result yet, so that no line is drawn over them.
 * @param {Point[]} points @returns {Point[]} */
function withGaps(points) {
  return points.flatMap((point, at) => {
    const isNext = at === 0 || points[at - 1][0] === point[0] - 1;
    return isNext ? [point] : [/** @type {Point} */ ([point[0] - 1, ""]), point];
  });
}

/** The dot that is nearest to the pointer, if any is near. @param {uPlot} plot */
function nearest(plot) {
  const { left = -1, top = -1 } = plot.cursor;
  const [indices, places] = plot.data;
  let [found, best] = [/** @type {number | null} */ (null), NEAR_PX];
  for (const [at, place] of places.entries()) {
    if (place !== null && place !== undefined && left >= 0) {
      const x = plot.valToPos(indices[at], "x") - left;
      const distance = Math.hypot(x, plot.valToPos(place, "y") - top);
      [found, best] = distance < best ? [at, distance] : [found, best];
    }
  }
  return found;
}

/** Arrows where results are beyond every axis. @param {uPlot} plot @param {Point[]} points */
function drawInfinite(plot, points) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--lost");
  const size = ARROW_PX * devicePixelRatio;
  for (const [index, value] of points) {
    const number = numberOf(value) ?? 0;
    if (Math.abs(number) === Infinity) {
      const x = plot.valToPos(index, "x", true);
      const [tip, end] = number > 0 ? [bbox.top, size] : [bbox.top + bbox.height, -size];
      ctx.beginPath();
      ctx.moveTo(x, tip);
      ctx.lineTo(x - size / 2, tip + end);
      ctx.lineTo(x + size / 2, tip + end);
      ctx.fill();
    }
  }
  ctx.restore();
}

// ---- The axes -----------------------------------------------------------------------------------

/** @typedef {(places: number[], step: number) => string[]} Marks */

/** @type {Marks} */
const indexMarks = (places) => places.map(strings.values.short);
/** @type {Marks} */
const countMarks = (places) => places.map(strings.values.grouped);
/** @param {Layout} layout @returns {Marks} */
const valueMarks = (layout) => (places, step) =>
  places.map((place) => markOf(layout, place, step, strings.values.decimal));

/** How far apart labels below the plot are, for none to reach into another.
 * @param {Layout} layout */
function roomFor(layout) {
  /** @type {(plot: uPlot, axis: number, min: number, max: number, width: number) => number} */
  return (plot, _, min, max, width) => {
    const places = layout.isLog ? [Math.floor(min), Math.ceil(max)] : [min, max];
    // No step is smaller than this one, and so no label has more digits.
    const step = ((max - min) * LABELS_NARROW_PX_MIN) / Math.max(LABELS_NARROW_PX_MIN, width);
    const room = widest(plot, valueMarks(layout)(places, step)) + LABEL_MARGIN_PX;
    return Math.max(LABELS_NARROW_PX_MIN, room);
  };
}

/** Steps of whole numbers, as counts and powers of ten have. */
const WHOLE = [1, 2, 3, 5].concat([1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((zeros) => [1, 2, 5].map((first) => first * 10 ** zeros)));

/** @param {Marks} marks @param {boolean} [isWhole] @returns {uPlot.Axis} */
function flat(marks, isWhole = true) {
  return {
    ...axis(marks, isWhole),
    size: AXIS_X_PX,
    space: LABELS_X_PX_MIN,
    grid: { show: false },
    ticks: { stroke: () => colour("--line"), width: 1, size: 5 },
  };
}

/** @param {Marks} marks @param {boolean} isWhole @returns {uPlot.Axis} */
function upright(marks, isWhole) {
  return {
    ...axis(marks, isWhole),
    space: LABELS_Y_PX_MIN,
    // As wide as the widest label.
    size: (plot, labels) => widest(plot, labels ?? []) + LABEL_MARGIN_PX,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
  };
}

/** @param {Marks} marks @param {boolean} isWhole */
function axis(marks, isWhole) {
  return {
    stroke: () => colour("--quiet"),
    font: font(1),
    gap: 6,
    ...(isWhole ? { incrs: WHOLE } : {}),
    // uPlot's own add up steps from a rounded end, which may be many millions of them away.
    splits: (/** @type {uPlot} */ _, /** @type {number} */ __, /** @type {number} */ min, /** @type {number} */ max, /** @type {number} */ step) =>
      multiples(min, max, step),
    /** @type {uPlot.Axis.DynamicValues} */
    values: (_, places, __, ___, step) => marks(places, step),
  };
}

/** @param {number} ratio Of the canvas's pixels to those of the page. */
function font(ratio) {
  return `${LABEL_PX * ratio}px ${colour("--sans")}`;
}
