// @ts-check
// A loop in WebAssembly around the `run` of a kernel that takes numbers. From JavaScript each task would be a call of
// its own into WebAssembly, with a BigInt for each integer of 64 bits.

/** How WebAssembly writes each type, how a float of 64 bits becomes one (or stays), and how one is stored in 8 bytes.
 * @type {Record<string, { type: number, from: number[], store: number[] }>} */
const TYPES = {
  // i32.trunc_f64_s; i64.extend_i32_s, i64.store
  i32: { type: 0x7f, from: [0xaa], store: [0xac, 0x37, 3, 0] },
  // i64.trunc_f64_s; i64.store
  i64: { type: 0x7e, from: [0xb0], store: [0x37, 3, 0] },
  // f32.demote_f64; f64.promote_f32, f64.store
  f32: { type: 0x7d, from: [0xb6], store: [0xbb, 0x39, 3, 0] },
  // f64.store
  f64: { type: 0x7c, from: [], store: [0x39, 3, 0] },
};

const [I32, FUNCTION, EMPTY] = [0x7f, 0x60, 0x40];
const [FUNCTIONS, MEMORIES, GLOBALS] = [0, 2, 3];

/** @param {number[]} bytes No more than 127 in all. */
const counted = (bytes) => [bytes.length, ...bytes];

/** @param {number[][]} parts */
const list = (parts) => [parts.length, ...parts.flat()];

/** @param {string} text */
const name = (text) => counted([...text].map((letter) => letter.charCodeAt(0)));

/** A number, as all numbers that are not below 128 are written, of which one has two bytes at the most.
 * @param {number} number */
const wide = (number) => [(number & 0x7f) | 0x80, number >> 7];

/** @param {number} id @param {number[]} content */
const section = (id, content) => [id, ...wide(content.length), ...content];

/** A module that imports `run` and a `memory`. It exports `all(from, end, to)`, which calls `run` with the values
 * between two places and writes the results from a third on, each in 8 bytes; and the global `next`, where the next
 * result is to be written.
 * @param {string[]} params @param {string} result Types of values. */
export const loop = (params, result) => {
  const types = list([
    [FUNCTION, ...list(params.map((param) => [TYPES[param].type])), 1, TYPES[result].type],
    [FUNCTION, ...list([[I32], [I32], [I32]]), 0],
  ]);
  const imports = list([
    [...name(""), ...name("run"), FUNCTIONS, 0],
    [...name(""), ...name("memory"), MEMORIES, 0, 0],
  ]);
  const [from, end, to] = [0, 1, 2];
  /** Adds to a local variable, and leaves it on the stack. @param {number} local @param {number} bytes */
  const add = (local, bytes) => [0x20, local, 0x41, ...wide(bytes), 0x6a, 0x22, local];
  const body = [
    0, // local variables
    ...[0x03, EMPTY], // loop
    ...[0x20, to],
    // local.get, f64.load
    ...params.flatMap((param, place) => [0x20, from, 0x2b, 3, 8 * place, ...TYPES[param].from]),
    ...[0x10, 0], // call
    ...TYPES[result].store,
    ...[...add(to, 8), 0x24, 0], // global.set
    ...[...add(from, 8 * params.length), 0x20, end, 0x47, 0x0d, 0], // i32.ne, br_if
    0x0b,
    0x0b,
  ];
  const exported = list([
    [...name("all"), FUNCTIONS, 1],
    [...name("next"), GLOBALS, 0],
  ]);
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, types),
      ...section(2, imports),
      ...section(3, list([[1]])),
      ...section(6, list([[I32, 1, 0x41, 0, 0x0b]])),
      ...section(7, exported),
      ...section(10, list([[...wide(body.length), ...body]])),
    ]),
  );
};
