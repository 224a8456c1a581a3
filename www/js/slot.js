// @ts-check
// The script of a worker that computes. What the coordinator posts to it first is its own wasm, as it
// is compiled already.

// @ts-expect-error The build makes it.
import * as worker from "../worker.js";

/** Whether a module is of the build that the script is of. The server may have another by now than
 * when the coordinator was loaded; what trunk builds bears no name, and there the page is loaded anew.
 * @param {WebAssembly.Module} module */
const fits = (module) =>
  !worker.build || WebAssembly.Module.customSections(module, worker.build).length > 0;

/** @param {unknown} error */
const fail = (error) => {
  setTimeout(() => {
    throw error;
  });
};

// Before anything awaits: what is posted to a worker is kept until its script has run, and no longer.
// Whatever fails goes to the coordinator, which hears of an exception, but of no rejection.
self.onmessage = ({ data }) =>
  fits(data) ? worker.initSync({ module: data }) : worker.default().catch(fail);
