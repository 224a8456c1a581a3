// @ts-check
// Runs kernels: WebAssembly that people bring, which can compute and do nothing else. `kernel/src/host/mod.rs` says
// what a host does, rule by rule; this one does it in a browser. What kernels give goes to Rust as it is, and becomes
// text there: the words here are those of `worker-wasm/src/web/engine.rs`.

import { Ended, Imports } from "./kernel-imports.js";
import { loop } from "./kernel-loop.js";

/** @typedef {{ name: string, module: WebAssembly.Module, data: ArrayBuffer | null }} Given */

/** As many as the coordinator counts. */
const KEPT = 8;

const RESULT_BYTES_MAX = 65_536;

/** Rust cuts an error's words sooner. */
const ERROR_BYTES_MAX = 4096;

/** What browsers say of traps, each in its own words: V8's tests and its `kTrap...` messages, `JSMSG_WASM_...` of
 * SpiderMonkey and `WasmExceptionType.h` of JavaScriptCore have them all. The first that fits counts. A trap that is in
 * none of these words is nobody's outcome.
 * @type {[RegExp, string][]} */
const TRAPS = [
  [/unreachable/i, "unreachable"],
  [/by zero/i, "division by zero"],
  [/unrepresentable|integer overflow|invalid conversion|trunc/i, "overflow"],
  [/null function|signature|indirect call to|call_indirect to/i, "bad call"],
  [/out of bounds|segment is too big/i, "out of bounds"],
];

/** Which trap it was, by a browser's words. @param {string} said */
export const trapOf = (said) => TRAPS.find(([words]) => words.test(said))?.[1];

/** The newest last. @type {Map<string, Kernel>} */
const kernels = new Map();

/** @param {Given} given */
export const keep = (given) => {
  kernels.delete(given.name);
  kernels.set(given.name, new Kernel(given));
  const [oldest] = kernels.keys();
  if (kernels.size > KEPT && oldest !== undefined) {
    kernels.delete(oldest);
  }
};

/** A block of a kernel's tasks; none if the kernel is not here.
 * @param {string} name @param {WebAssembly.Memory} memory Rust's, where numbers are read and written. */
export const begin = (name, memory) => {
  const kernel = kernels.get(name);
  return kernel && new Block(kernel, memory);
};

/** What is the same for all blocks. */
class Kernel {
  /** @param {Given} given */
  constructor({ name, module, data }) {
    this.module = module;
    this.imports = WebAssembly.Module.imports(module);
    this.data = data && new Uint8Array(data);
    const [, , , result = "", params = ""] = name.split(":");
    this.result = result;
    this.params = params.split(",").map((param) => param.split("=")[1] ?? "");
    /** @type {WebAssembly.Module | undefined} */
    this.loop = undefined;
  }

  /** A loop around the numbers form's `run`. It is compiled with the first.
   * @param {Function} run @param {WebAssembly.Memory} memory
   * @returns {any} */
  around(run, memory) {
    this.loop ??= loop(this.params, this.result);
    return new WebAssembly.Instance(this.loop, { "": { run, memory } }).exports;
  }
}

/** The tasks of one block, in order. Methods give how a task ended; none throws. */
class Block {
  /** None before the first task, and once one has not returned.
   * @type {Instance | null} */
  #instance = null;

  /** How the task ended at which `numbers` stopped.
   * @type {Ended | undefined} */
  ended;

  takes = 0;

  /** @param {Kernel} kernel @param {WebAssembly.Memory} memory */
  constructor(kernel, memory) {
    this.kernel = kernel;
    this.memory = memory;
  }

  make() {
    return this.#within((instance) => {
      this.takes = instance.exports.run.length;
      return undefined;
    });
  }

  /** Computes tasks in order, as many as there are results, until one does not return; gives how many it has computed.
   * @param {Float64Array} args @param {Float64Array} results Both in `memory`. */
  numbers(args, results) {
    const [from, end, to] = [args.byteOffset, args.byteOffset + args.byteLength, results.byteOffset];
    let done = 0;
    this.ended = this.#within((instance) => {
      const { all, next } = (instance.loop ??= this.kernel.around(instance.exports.run, this.memory));
      next.value = to;
      try {
        all(from, end, to);
      } finally {
        done = (next.value - to) / results.BYTES_PER_ELEMENT;
      }
      return undefined;
    });
    return done;
  }

  /** @param {Uint8Array} input */
  json(input) {
    return this.#within((instance) => {
      const place = instance.put(input);
      return place < 0 ? new Ended("alloc outside") : instance.at(instance.exports.run(place, input.length));
    });
  }

  /** @param {Uint8Array} input One line, without its end. */
  command(input) {
    const stdin = new Uint8Array(input.length + 1);
    stdin.set(input);
    stdin[input.length] = 10;
    /** @type {Instance | undefined} */
    let instance;
    try {
      instance = new Instance(this.kernel, stdin);
      instance.exports._start();
      return instance.exited(0);
    } catch (thrown) {
      return explain(thrown, instance);
    }
  }

  /** Calls `task` with an instance, which is not used again once it has thrown.
   * @template T @param {(instance: Instance) => T} task @returns {T | Ended} */
  #within(task) {
    let instance = this.#instance ?? undefined;
    this.#instance = null;
    try {
      if (!instance) {
        instance = new Instance(this.kernel);
        instance.initialize();
      }
      const done = task(instance);
      this.#instance = instance;
      return done;
    } catch (thrown) {
      return explain(thrown, instance);
    }
  }
}

class Instance {
  /** @param {Kernel} kernel @param {Uint8Array} [stdin] */
  constructor(kernel, stdin) {
    this.kernel = kernel;
    this.given = new Imports(stdin);
    /** What its shape says: which functions are there. @type {any} */
    this.exports = new WebAssembly.Instance(kernel.module, this.given.of(kernel.imports)).exports;
    this.given.memory = this.exports.memory;
    /** The numbers form's. @type {any} */
    this.loop = undefined;
  }

  initialize() {
    const { _initialize, init } = this.exports;
    _initialize?.();
    const { data } = this.kernel;
    if (init && data) {
      const place = this.put(data);
      if (place < 0) {
        throw new Ended("alloc outside");
      }
      const code = init(place, data.length);
      if (code !== 0) {
        throw new Ended("init", { code });
      }
    }
  }

  /** Bytes of the memory, as it is now: it grows. None if not all of them are within it.
   * @param {number} place @param {number} length */
  bytes(place, length) {
    const { buffer } = this.exports.memory;
    return place + length <= buffer.byteLength ? new Uint8Array(buffer, place, length) : undefined;
  }

  /** Has the kernel allocate, and writes there. -1 if the place is not within memory. @param {Uint8Array} bytes */
  put(bytes) {
    const place = this.exports.alloc(bytes.length) >>> 0;
    const room = this.bytes(place, bytes.length);
    room?.set(bytes);
    return room ? place : -1;
  }

  /** What the JSON form's `run` points to. @param {number} pointer */
  at(pointer) {
    const place = pointer >>> 0;
    if (place === 0) {
      return new Ended("nothing");
    }
    const head = this.bytes(place, 4);
    if (!head) {
      return new Ended("run outside");
    }
    const number = new DataView(head.buffer, place).getUint32(0, true);
    const isError = number >= 2 ** 31;
    const length = isError ? number - 2 ** 31 : number;
    if (!isError && length > RESULT_BYTES_MAX) {
      return new Ended("too long");
    }
    const bytes = this.bytes(place + 4, length);
    if (!bytes) {
      return new Ended("run outside");
    }
    return new Ended(isError ? "error" : "result", { bytes: bytes.subarray(0, isError ? ERROR_BYTES_MAX : length) });
  }

  /** @param {number} code */
  exited(code) {
    return this.given.exited(code);
  }

  /** Whether a `memory.grow` has failed for want of memory. */
  isExhausted() {
    const global = this.exports["tequio.exhausted"];
    return global !== undefined && global.value !== 0;
  }
}

/** How a call ended that has thrown. @param {unknown} thrown @param {Instance} [instance] None if none could be made. */
const explain = (thrown, instance) => {
  if (thrown instanceof Ended) {
    return thrown;
  }
  // Safari says behind it what it was at.
  const said = thrown instanceof Error ? thrown.message.replace(/ \(evaluating .*/s, "") : String(thrown);
  const trap = thrown instanceof WebAssembly.RuntimeError ? trapOf(said) : undefined;
  if (trap === "unreachable" && instance?.isExhausted()) {
    return new Ended("gave up", { message: "memory is exhausted" });
  }
  if (trap) {
    return new Ended(trap);
  }
  // Each browser has an error of its own for calls that nest too deeply, and for want of memory.
  const isStack = /call stack|recursion/i.test(said);
  return new Ended("gave up", { message: isStack ? "the stack is exhausted: calls nest too deeply" : said });
};
