// @ts-check
// Seconds of throughput as they are drawn: averaged where they are many, and stacked by the kind of
// worker. Times are whole seconds since the server started.

/** @typedef {import("./live.js").LiveState["throughput"]} Throughput */
/** @typedef {import("./protocol.js").WorkerKind} WorkerKind */

/** Every kind, from the ground of the stack upwards.
 * @type {readonly WorkerKind[]} */
export const KINDS = ["native", "chrome", "edge", "firefox", "safari", "other"];

/** Narrower steps are a hedge of spikes, since leases end in bursts. */
export const STEP_PX_MIN = 3;
/** Lengths of a step, for any span up to the whole history on the narrowest phone. */
const STEPS_S = [1, 2, 5, 10, 15, 20, 30, 60];
/** How late the server may tell of a second. Before, that nothing was told means nothing; after,
 * that nothing was done. */
export const TOLD_LATE_S_MAX = 2;
/** The present is the mean of so many seconds, for the same reason. */
export const PRESENT_S = 3;

const MINUTE_MS = 60_000;

/** A part of the time: `fromS` is in it, `toS` is not.
 * @typedef {{ fromS: number, toS: number }} Span */

/** The kinds that have recorded anything, in the order of the stack.
 * @param {Throughput} throughput */
export function kindsIn({ tasks }) {
  return KINDS.filter((kind) => tasks.get(kind)?.some((count) => count > 0));
}

/** The first second in which anything was recorded, of those that are kept.
 * @param {Throughput} throughput */
export function firstBusy({ firstS, count, tasks }) {
  const firsts = [...tasks.values()].map((seconds) => seconds.findIndex((tasks) => tasks > 0));
  return firstS + Math.min(count, ...firsts.filter((first) => first >= 0));
}

/** The first second of which nothing is known yet.
 * @param {Throughput} throughput @param {number} nowMs */
export function knownEnd({ firstS, count }, nowMs) {
  return Math.max(firstS + count, Math.floor(nowMs / 1000) - TOLD_LATE_S_MAX);
}

/** The seconds that one step stands for, so that each is wide enough to be seen.
 * @param {number} spanS @param {number} width Pixels. */
export function stepFor(spanS, width) {
  const longest = STEPS_S[STEPS_S.length - 1];
  return STEPS_S.find((stepS) => (width * stepS) / spanS >= STEP_PX_MIN) ?? longest;
}

/** Tasks a second in each step of a span, for each of the kinds. Steps begin at multiples of their
 * length, so that none changes while the view moves on; at both ends of what is known they are
 * shorter.
 * @param {Throughput} throughput @param {readonly WorkerKind[]} kinds @param {Span} span
 * @param {number} stepS
 * @returns {{ steps: Span[], rates: number[][] }} `rates[kind][step]`. */
export function rates(throughput, kinds, { fromS, toS }, stepS) {
  const [firstS, endS] = [Math.max(fromS, throughput.firstS), toS];
  /** @type {Span[]} */
  const steps = [];
  for (let at = Math.floor(firstS / stepS) * stepS; at < endS; at += stepS) {
    steps.push({ fromS: Math.max(at, throughput.firstS), toS: Math.min(at + stepS, endS) });
  }
  return { steps, rates: kinds.map((kind) => steps.map((step) => rate(throughput, kind, step))) };
}

/** Tasks a second of a kind. Seconds of which nothing was told count as 0.
 * @param {Throughput} throughput @param {WorkerKind} kind @param {Span} span */
export function rate(throughput, kind, span) {
  return tasksIn(throughput, kind, span) / Math.max(1, span.toS - span.fromS);
}

/** @param {Throughput} throughput @param {WorkerKind} kind @param {Span} span */
function tasksIn({ firstS, tasks }, kind, { fromS, toS }) {
  const list = tasks.get(kind) ?? [];
  let sum = 0;
  for (let at = Math.max(0, fromS - firstS); at < Math.min(list.length, toS - firstS); at += 1) {
    sum += list[at];
  }
  return sum;
}

/** The seconds that the present is the mean of.
 * @param {Throughput} throughput @param {number} endS @returns {Span} */
export function present(throughput, endS) {
  const firstS = Math.min(throughput.firstS, endS);
  return { fromS: Math.max(firstS, endS - PRESENT_S), toS: endS };
}

/** The upper edge of each layer; the last one's is the sum of all.
 * @param {number[][]} layers */
export function stack(layers) {
  /** @type {number[][]} */
  const edges = [];
  layers.forEach((layer, index) => {
    const below = edges[index - 1];
    edges.push(layer.map((value, at) => value + (below?.[at] ?? 0)));
  });
  return edges;
}

/** Tasks in each of the last minutes of the clock on the wall, newest first; the first and the last
 * may be shorter.
 * @param {Throughput} throughput @param {readonly WorkerKind[]} kinds @param {number} endS
 * @param {number} offsetMs What makes a time of the server one of the wall.
 * @param {number} count How many, at most.
 * @returns {{ atMs: number, tasks: number[] }[]} `atMs` is of the wall. */
export function minutes(throughput, kinds, endS, offsetMs, count) {
  const rows = [];
  let toS = endS;
  while (toS > throughput.firstS && rows.length < count) {
    const minute = Math.floor(((toS - 1) * 1000 + offsetMs) / MINUTE_MS);
    const beginS = Math.ceil((minute * MINUTE_MS - offsetMs) / 1000);
    const span = { fromS: Math.max(throughput.firstS, beginS), toS };
    const tasks = kinds.map((kind) => tasksIn(throughput, kind, span));
    rows.push({ atMs: minute * MINUTE_MS, tasks });
    toS = span.fromS;
  }
  return rows;
}

/** The least round number that is not below, for the top of an axis that is not to jump about.
 * @param {number} value */
export function roundUp(value) {
  const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return power * (ROUND.find((round) => round * power >= value) ?? 10);
}
