// @ts-check
// Thousands of inputs, the extremes among them, for every browser to compute as the native build does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Server, foreignServer, until, variable } from "./support.mjs";

const RANDOM_INPUTS = 4000;
/** Tasks on their way at once; below what a worker keeps waiting. */
const AT_ONCE = 200;

/** @typedef {{ initial: number, factor: number, times: number }} Input */

/** A seeded generator (mulberry32), so that a failure can be repeated. @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let z = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @returns {Input[]} */
function inputs() {
  const initials = [0, -0, 1, -1, 5e-324, -2.2e-308, 1.5, 1e308, -1.7976931348623157e308];
  const factors = [0, -0, 1, -1, 2, -2, 0.5, 1 + 2 ** -52, 1 - 2 ** -53, 5e-324, -1e-300, 1e308];
  const counts = [0, 1, 2, 3, 1074, 1_000_000, 2 ** 52, 2 ** 53 - 2, 2 ** 53 - 1];
  const extremes = initials.flatMap((initial) =>
    factors.flatMap((factor) => counts.map((times) => ({ initial, factor, times }))),
  );
  const next = random(20_000_003);
  const some = Array.from({ length: RANDOM_INPUTS }, () => {
    const times = Math.floor(2 ** (next() * 53));
    // A factor whose power is mostly of a size that a number can hold.
    const factor = Math.exp(((next() - 0.5) * 1400) / Math.max(times, 1));
    return { initial: (next() - 0.5) * 10 ** Math.floor(next() * 40 - 20), factor, times };
  });
  return [...extremes, ...some];
}

/** JSON of a number that keeps the sign of zero, which `JSON.stringify` drops. @param {number} x */
const json = (x) => (Object.is(x, -0) ? "-0.0" : JSON.stringify(x));

/** @param {Input} input */
const line = ({ initial, factor, times }) =>
  `{"initial":${json(initial)},"factor":${json(factor)},"times":${times}}`;

/** @param {number | string} result As it travels. */
const bits = (result) => new BigUint64Array(Float64Array.of(Number(result)).buffer)[0];

/** The results of the native build, as they travel. @param {Input[]} inputs */
export function native(inputs) {
  const results = execFileSync(variable("TEQUIO_COMPUTE"), ["repeat_multiply"], {
    input: inputs.map(line).join("\n"),
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return results.trimEnd().split("\n");
}

/** Has a browser compute thousands of inputs, the extremes among them, and compares the results with
 * those of the native build.
 * @param {import("node:test").TestContext} t
 * @param {(url: string) => Promise<unknown>} open Opens a page in the browser. */
export async function agreesInEveryBit(t, open) {
  const all = inputs();
  const expected = native(all).map((text) => JSON.parse(text));
  assert.equal(expected.length, all.length);

  const page = await Server.start(t, { args: ["--no-welcome"] });
  /** @type {Map<number, number | string>} */
  const got = new Map();
  const asking = await foreignServer(t, (socket) => {
    let asked = 0;
    const ask = () => {
      if (asked < all.length) {
        const task = line(all[asked]).slice(1);
        socket.send(`{"type":"task","op":"repeat_multiply","task_id":${asked},${task}`);
        asked += 1;
      }
    };
    for (let ahead = 0; ahead < AT_ONCE; ahead += 1) {
      ask();
    }
    socket.on("message", (data) => {
      const answer = JSON.parse(String(data));
      assert.equal(answer.type, "result", String(data));
      got.set(answer.task_id, answer.result);
      ask();
    });
  });
  await open(`${page.page}?server=${asking.url}`);
  await until("all is answered", () => got.size === all.length);

  const wrong = all.filter((_, index) => bits(got.get(index) ?? "") !== bits(expected[index]));
  assert.deepEqual(wrong, []);
  const kinds = new Set(expected.map((result) => (typeof result === "string" ? result : "finite")));
  assert.deepEqual([...kinds].sort(), ["-Infinity", "Infinity", "NaN", "finite"]);
  assert.ok(expected.some((result) => Object.is(result, -0)), "a negative zero is among them");
}
