// @ts-check
// The script of a worker that computes kernels: a slot like any other, with what runs them beside it.

import * as kernels from "./kernel.js";
import "./slot.js";

// The slot's WebAssembly calls it.
Object.assign(self, { tequioKernels: kernels });
