// @ts-check
// Kernels as a slot computes them, to be compared with the same in `tequio work` and in the server: each case of
// `kernel/tests/meaning/meaning.wat`, and some hundreds that nobody wrote. What posts to the slot here is the page, in the manner of the coordinator.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { variable } from "./support.mjs";

/** @typedef {{ name: string, op: string, block: number, data: number[] | null, module: number[],
 *   inputs: string[], outcomes: string[], grid?: Record<string, string> }} Case A grid is instead of inputs, all of
 *   whose tasks are one piece. */

/** All cases, with the outcomes that they are to have; or those of the seeds that TEQUIO_KERNEL_SEEDS names.
 * @returns {Case[]} */
const cases = () => JSON.parse(execFileSync(variable("TEQUIO_KERNEL_CASES"), { encoding: "utf8", maxBuffer: 1 << 26 }));

/** In a page: computes cases block by block, and gives their outcomes as `kernel/tests/meaning/mod.rs` writes them.
 * @param {Case[]} cases @returns {Promise<string[][]>} */
async function compute(cases) {
  const program = await WebAssembly.compileStreaming(fetch("worker_bg.wasm"));

  /** A slot, which the page asks one thing after the other. */
  class Slot {
    /** @param {Worker} worker */
    constructor(worker) {
      this.worker = worker;
    }

    /** @returns {Promise<Uint8Array | string>} */
    next() {
      return new Promise((resolve, reject) => {
        this.worker.onmessage = ({ data }) => resolve(data);
        this.worker.onerror = (event) => reject(new Error(event.message));
      });
    }

    static async start() {
      const slot = new Slot(new Worker("js/kernel-slot.js", { type: "module", name: "compute" }));
      slot.worker.postMessage(program);
      await slot.next();
      return slot;
    }

    /** @param {Uint8Array<ArrayBuffer>} piece */
    ask(piece) {
      this.worker.postMessage(piece, [piece.buffer]);
      return this.next();
    }

    /** @param {string} op @param {number} count @param {object} grid */
    computeGrid(op, count, grid) {
      return this.ask(new TextEncoder().encode(`grid 0 ${count} ${op}\n${JSON.stringify(grid)}`));
    }

    /** @param {string} op @param {number} first @param {string[]} inputs */
    compute(op, first, inputs) {
      const encoder = new TextEncoder();
      /** @type {number[]} */
      const starts = [];
      let length = 1;
      for (const input of inputs) {
        starts.push(length);
        length += encoder.encode(input).length + 1;
      }
      const head = `list ${first} ${inputs.length} ${op}`;
      const text = encoder.encode(`${head}\n[${inputs.join(",")}]`);
      const piece = new Uint8Array(text.length + 4 * starts.length);
      piece.set(text);
      const view = new DataView(piece.buffer, text.length);
      starts.forEach((start, place) => view.setUint32(4 * place, start, true));
      return this.ask(piece);
    }
  }

  /** The elements of an array of JSON that has no white space, as they are written. @param {string} json */
  const elements = (json) => {
    const found = [];
    let [depth, from, inText] = [0, 1, false];
    for (let at = 0; at < json.length; at += 1) {
      const letter = json[at];
      if (inText) {
        at += letter === "\\" ? 1 : 0;
        inText = letter !== '"';
        continue;
      }
      inText = letter === '"';
      if ((letter === "," && depth === 1) || at === json.length - 1) {
        found.push(json.slice(from, at));
        from = at + 1;
      }
      depth += "[{".includes(letter) ? 1 : "]}".includes(letter) ? -1 : 0;
    }
    return found;
  };

  let slot = await Slot.start();
  const all = [];
  for (const { op, block, data, module, inputs, outcomes: expected, grid } of cases) {
    const kernel = {
      name: op,
      module: await WebAssembly.compile(Uint8Array.from(module)),
      data: data && Uint8Array.from(data).buffer,
    };
    slot.worker.postMessage(kernel);
    /** @type {string[]} */
    const outcomes = [];
    const atOnce = grid ? expected.length : block;
    for (let first = 0; first < expected.length; first += atOnce) {
      const answer = grid
        ? await slot.computeGrid(op, expected.length, grid)
        : await slot.compute(op, first, inputs.slice(first, first + block));
      if (typeof answer === "string") {
        outcomes.push(`gave up: ${answer}`);
        slot.worker.terminate();
        slot = await Slot.start();
        slot.worker.postMessage(kernel);
        continue;
      }
      const text = new TextDecoder().decode(answer);
      const end = text.lastIndexOf("\n");
      const results = elements(text.slice(0, end));
      const [errors] = JSON.parse(text.slice(end + 1));
      for (const [place, error] of errors) {
        results[place] = `error: ${error}`;
      }
      outcomes.push(...results);
    }
    all.push(outcomes);
  }
  slot.worker.terminate();
  return all;
}

/** More tasks than are computed at once, and more than one block of them. @param {Case[]} cases @returns {Case} */
function many(cases) {
  const seven = cases.find(({ name }) => name.startsWith("one task in seven traps"));
  assert.ok(seven);
  const [block, tasks] = [1024, 3000];
  let count = 0;
  const outcomes = Array.from({ length: tasks }, (_, n) => {
    const isFirst = n % block === 0 || (n - 1) % 7 === 0;
    count = isFirst ? 1 : count + 1;
    return n % 7 === 0 ? "error: trap: unreachable" : String(count);
  });
  const op = seven.op.replace(`:${seven.block}:`, `:${block}:`);
  return { ...seven, name: "many tasks", op, block, inputs: [], outcomes, grid: { p1: `0..${tasks}` } };
}

/** Has a browser's page compute all cases.
 * @param {(run: typeof compute, cases: Case[]) => Promise<string[][]>} evaluate Runs a function in a page. */
export async function computesKernelsAlike(evaluate) {
  const few = cases();
  const all = process.env.TEQUIO_KERNEL_SEEDS ? few : [...few, many(few)];
  const outcomes = await evaluate(compute, all);
  const wrong = all.flatMap(({ name, inputs, outcomes: expected }, place) =>
    expected.flatMap((outcome, task) => {
      const got = outcomes[place][task];
      return got === outcome ? [] : [`${name}: ${inputs[task] ?? task} => ${got}, and not ${outcome}`];
    }),
  );
  assert.deepEqual(wrong, []);
}
