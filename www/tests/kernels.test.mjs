// @ts-check
// Kernels: the same outcomes in Chromium as outside of browsers, and what no browser can be made to do at will.

import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, keep, trapOf } from "../js/kernel.js";
import { computesKernelsAlike } from "./kernels.mjs";
import { Browser, Server } from "./support.mjs";

test("Chromium computes kernels as they are computed outside of browsers", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?auto=0`);
  await computesKernelsAlike((run, cases) => page.evaluate(run, cases));
  await browser.close();
});

test("each browser's words for a trap are known, and no others are", () => {
  for (const [trap, ...words] of [
    ["unreachable", "unreachable", "unreachable executed", "Unreachable code should not be executed"],
    ["division by zero", "divide by zero", "remainder by zero", "integer divide by zero", "Division by zero"],
    ["overflow", "divide result unrepresentable", "integer overflow", "Integer overflow"],
    ["overflow", "float unrepresentable in integer range", "invalid conversion to integer"],
    ["overflow", "Out of bounds Trunc operation"],
    ["out of bounds", "memory access out of bounds", "index out of bounds", "Out of bounds memory access"],
    ["out of bounds", "table index is out of bounds", "table index out of bounds", "Out of bounds table access"],
    ["out of bounds", "Out of bounds call_indirect", "element segment out of bounds"],
    ["out of bounds", "WebAssembly.Instance(): data segment 0 is out of bounds (offset 65535, length 3)"],
    ["bad call", "null function", "function signature mismatch", "null function or function signature mismatch"],
    ["bad call", "indirect call to null", "indirect call signature mismatch"],
    ["bad call", "call_indirect to a null table entry", "call_indirect to a signature that does not match"],
  ]) {
    for (const said of words) {
      assert.equal(trapOf(said), trap, said);
    }
  }
  for (const said of ["Stack overflow", "Maximum call stack size exceeded", "out of memory", "Out of memory", ""]) {
    assert.equal(trapOf(said), undefined, said);
  }
});

/** A block of a kernel of one number that is kept with these bytes of code. @param {string} hex */
function block(hex) {
  const module = new WebAssembly.Module(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
  const name = `kernel:${"0".repeat(64)}:1:f64:x=f64`;
  keep({ name, module, data: null });
  const [argument, result, memory] = [0, 8, new WebAssembly.Memory({ initial: 1 })];
  const started = begin(name, memory);
  assert.ok(started);
  const numbers = (/** @type {number} */ value) => {
    const args = new Float64Array(memory.buffer, argument, 1);
    args[0] = value;
    return started.numbers(args, new Float64Array(memory.buffer, result, 1));
  };
  return { numbers, ended: () => started.ended };
}

test("memory that cannot be had is nobody's outcome", () => {
  // (global (export "tequio.exhausted") (mut i32) (i32.const 1)) (func (export "run") (param f64) (result f64) unreachable)
  const exhausted = block(`
    0061736d0100000001060160017c017c030201000606017f0141010b071a021074657175696f2e65
    786861757374656403000372756e00000a05010300000b
  `);
  assert.equal(exhausted.numbers(1), 0);
  assert.equal(exhausted.ended()?.how, "gave up");
  assert.equal(exhausted.ended()?.message, "memory is exhausted");
});

test("a kernel whose types are not those of its name is nobody's outcome", () => {
  // (func (export "run") (param i32) (result i32) (local.get 0))
  const other = block(`
    0061736d0100000001060160017f017f030201000707010372756e00000a0601040020000b
  `);
  assert.equal(other.numbers(1), 0);
  assert.equal(other.ended()?.how, "gave up");
});

test("as many kernels are kept as the coordinator counts, those that were kept last", () => {
  const module = new WebAssembly.Module(Buffer.from("0061736d01000000", "hex"));
  const memory = new WebAssembly.Memory({ initial: 1 });
  for (let number = 0; number < 9; number += 1) {
    keep({ name: `kernel:${number}:1:f64:x=f64`, module, data: null });
  }
  assert.equal(begin("kernel:0:1:f64:x=f64", memory), undefined);
  assert.ok(begin("kernel:1:1:f64:x=f64", memory));
  assert.ok(begin("kernel:8:1:f64:x=f64", memory));
});
