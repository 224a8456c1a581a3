// @ts-check
// The chart of throughput: areas of steps, one on another, with a cursor and a zoom. What is drawn
// is the caller's to decide; times are milliseconds of the clock on the wall.

import uPlot from "../vendor/uPlot.esm.js";
import { needCanvas, onResize } from "./dom.js";
import { colour } from "./palette.js";
import { strings } from "./strings.js";
import { roundUp, stack } from "./throughput-series.js";

/** @typedef {import("./protocol.js").WorkerKind} WorkerKind */

/** What is drawn: `edgesMs` has one more than there are steps.
 * @typedef {{ kinds: readonly WorkerKind[], edgesMs: number[], rates: number[][], fromMs: number,
 *   toMs: number }} Drawn */

/** The colour of each kind; neighbours in the stack are far from each other.
 * @type {Record<WorkerKind, string>} */
export const KIND_COLOURS = {
  native: "--series-2",
  chrome: "--series-6",
  edge: "--series-5",
  firefox: "--series-1",
  safari: "--series-3",
  other: "--series-7",
};

/** Pixels, the axes included. */
const HEIGHT_PX = 240;
const AXIS_X_PX = 26;
const AXIS_Y_PX = 54;
/** Room for half a label at the end of each axis. */
const TOP_PX = 8;
const RIGHT_PX = 28;
/** Between areas; a thicker one would hide those that are thin. */
const LINE_PX = 0.5;
/** A shorter drag is a click. */
const DRAG_PX_MIN = 6;
/** Between two labels of an axis, at least. */
const MINUTES_PX_MIN = 48;
const SECONDS_PX_MIN = 72;
const AMOUNTS_PX_MIN = 44;
/** In a span that is shorter the labels of the clock have seconds, and are so far apart as one of
 * these. */
const MINUTES_S_MIN = 240;
const SECONDS_APART = [1, 2, 5, 10, 15, 30, 60];
const MINUTES_APART = [1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60);

export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {Drawn} */
  #drawn = { kinds: [], edgesMs: [], rates: [], fromMs: 0, toMs: 1 };
  #root;
  #heard;

  /** @param {HTMLElement} root
   * @param {{ cursor: (step: number | null) => void, zoom: (fromMs: number, toMs: number) => void,
   *   reset: () => void }} heard What a person does with it. */
  constructor(root, heard) {
    this.#root = root;
    this.#heard = heard;
    needCanvas();
    onResize(root, () => this.#resize());
  }

  /** Pixels that there are for the time. */
  get width() {
    return this.#root.clientWidth - AXIS_Y_PX - RIGHT_PX;
  }

  /** @param {Drawn} drawn */
  draw(drawn) {
    const isOther = drawn.kinds.join() !== this.#drawn.kinds.join();
    this.#drawn = drawn;
    if (isOther || !this.#plot) {
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(), this.#data(), this.#root);
    } else {
      const plot = this.#plot;
      // At once, so that the cursor can be put where its second now is.
      plot.batch(() => plot.setData(this.#data()));
    }
  }

  /** Puts the cursor onto a step, or nowhere. @param {number | null} step */
  point(step) {
    const left = step === null ? -1 : this.#left(step);
    this.#plot?.setCursor({ left, top: step === null ? -1 : 0 });
  }

  /** @param {number} step */
  #left(step) {
    const { edgesMs } = this.#drawn;
    const middle = (edgesMs[step] + edgesMs[step + 1]) / 2;
    return this.#plot?.valToPos(middle / 1000, "x") ?? -1;
  }

  /** The highest sum first, so that each layer is drawn over those above it. The last step goes on
   * to its end.
   * @returns {uPlot.AlignedData} */
  #data() {
    const { edgesMs, rates } = this.#drawn;
    const layers = stack(rates).reverse();
    return [
      edgesMs.map((ms) => ms / 1000),
      ...layers.map((layer) => [...layer, ...layer.slice(-1)]),
    ];
  }

  /** @returns {uPlot.Options} */
  #options() {
    const kinds = [...this.#drawn.kinds].reverse();
    return {
      width: this.#root.clientWidth,
      height: HEIGHT_PX,
      padding: [TOP_PX, RIGHT_PX, 0, 0],
      legend: { show: false },
      scales: {
        x: { range: () => [this.#drawn.fromMs / 1000, this.#drawn.toMs / 1000] },
        y: { range: (_, _min, max) => [0, roundUp(max ?? 1)] },
      },
      axes: [this.#clock(), this.#amounts()],
      series: [{}, ...kinds.map(area)],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: DRAG_PX_MIN },
        bind: { dblclick: () => () => this.#reset() },
      },
      hooks: {
        setCursor: [(plot) => this.#heard.cursor(this.#pointed(plot))],
        setSelect: [(plot) => this.#zoom(plot)],
      },
    };
  }

  /** @returns {uPlot.Axis} */
  #clock() {
    return {
      ...axis(AXIS_X_PX),
      grid: { show: false },
      ticks: { stroke: () => colour("--line"), width: 1, size: 5 },
      incrs: () => (this.#hasSeconds ? SECONDS_APART : MINUTES_APART),
      space: () => (this.#hasSeconds ? SECONDS_PX_MIN : MINUTES_PX_MIN),
      values: (_, splits) => {
        const text = this.#hasSeconds ? strings.time : strings.throughput.timeToMinute;
        return splits.map((second) => text(new Date(second * 1000)));
      },
    };
  }

  get #hasSeconds() {
    return this.#drawn.toMs - this.#drawn.fromMs < MINUTES_S_MIN * 1000;
  }

  /** @returns {uPlot.Axis} */
  #amounts() {
    return {
      ...axis(AXIS_Y_PX),
      grid: { stroke: () => colour("--grid"), width: 1 },
      ticks: { show: false },
      space: AMOUNTS_PX_MIN,
      values: (_, splits) => splits.map((amount) => strings.throughput.short(amount)),
    };
  }

  /** The step below the cursor. @param {uPlot} plot */
  #pointed(plot) {
    const left = plot.cursor.left ?? -1;
    if (left < 0) {
      return null;
    }
    const atMs = plot.posToVal(left, "x") * 1000;
    const after = this.#drawn.edgesMs.findIndex((edge) => edge > atMs);
    return after > 0 ? after - 1 : null;
  }

  /** @param {uPlot} plot */
  #zoom(plot) {
    const { left, width } = plot.select;
    if (width >= DRAG_PX_MIN) {
      const [from, to] = [left, left + width].map((px) => plot.posToVal(px, "x") * 1000);
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      this.#heard.zoom(from, to);
    }
  }

  #reset() {
    this.#heard.reset();
    return null;
  }

  #resize() {
    const width = this.#root.clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }
}

/** @param {WorkerKind} kind @returns {uPlot.Series} */
function area(kind) {
  return {
    // A line between neighbours, so that they are not told apart by colour alone.
    stroke: () => colour("--sheet"),
    width: LINE_PX,
    fill: () => colour(KIND_COLOURS[kind]),
    paths: uPlot.paths.stepped?.({ align: 1 }),
    points: { show: false },
  };
}

/** @param {number} size Pixels. @returns {uPlot.Axis} */
function axis(size) {
  const font = `12px ${colour("--sans")}`;
  return { stroke: () => colour("--quiet"), font, size, gap: 6 };
}
