// @ts-check
// What the page says of kernels in English. It is loaded with the form of a new job.

import { measures } from "./measures.js";

const { duration, grouped } = measures("en");

/** @param {number} bytes */
const sized = (bytes) => (bytes === 1 ? "1 byte" : `${grouped(bytes)} bytes`);

export const en = {
  group: "Kernels",
  pick: "A module from a file …",
  drop: "or drop a WebAssembly module here",
  dropNow: "Let go to add this module",
  /** @param {string} file */
  sending: (file) => `Adding ${file} …`,
  /** @param {string} file @param {string} name */
  added: (file, name) => `${file} is the kernel ${name}.`,
  /** @param {string} file @param {string} why */
  refused: (file, why) => `${file} was not added. ${why}`,
  /** @param {number} bytes @param {number} max */
  tooLarge: (bytes, max) => `It has ${sized(bytes)}; at most ${grouped(max)} are possible.`,
  several: "Drop one file, please.",
  /** By what the server calls them. @type {Record<string, string>} */
  forms: {
    numbers: "takes numbers and gives a number",
    json: "takes JSON and gives JSON",
    command: "a command: takes a line and gives a line",
  },
  /** @param {string} form @param {string} size */
  about: (form, size) => `WebAssembly, ${size}; ${form}.`,
  sized,
  confined: "It can compute and nothing else: no network, no files, no clock.",
  /** @param {string} name */
  nameOf: (name) => `Name of ${name}`,
  nameHint: "name (optional)",
  addAxis: "One more axis",
  removeAxis: "One axis less",
  /** By its type. @type {Record<string, string>} */
  kinds: {
    i32: "a whole number of 32 bits",
    i64: "a whole number",
    f32: "a number of 32 bits",
    f64: "a number",
  },
  names: {
    bad_axis_name: "A name has letters, digits and _, and begins with no digit.",
    name_twice: "Another axis has this name.",
    unknown_axis: "The kernel has no axis of this name.",
    other_axes: "A kernel has 1 to 8 axes.",
  },
  data: "Data for each task from a file …",
  dataWhat: "This kernel can be given a file, which all of its tasks read.",
  /** @param {string} name @param {number} bytes */
  dataIs: (name, bytes) => `${name}, ${sized(bytes)}`,
  dataNone: "Without it",
  tryIt: "Try it here",
  stop: "Stop",
  trying: "Computing one task in this tab …",
  /** @param {string} input @param {string} result @param {number} ms */
  result: (input, result, ms) => `${input} → ${result} (${duration(ms)})`,
  /** @param {string} input @param {string} error @param {number} ms */
  error: (input, error, ms) => `${input} → error: ${error} (${duration(ms)})`,
  /** @param {string} input @param {number} seconds */
  late: (input, seconds) => `${input} was not computed within ${grouped(seconds)} s, and was stopped.`,
  stopped: "Stopped.",
  /** @param {string} why */
  gaveUp: (why) => `This tab could not compute it: ${why}`,
  more: "More",
  block: "Tasks in a block (optional)",
  blockNote: "A new instance computes each block. The server measures what is best.",
  /** @param {number} max */
  badBlock: (max) => `A power of two from 1 to ${grouped(max)}, such as 64.`,
};
