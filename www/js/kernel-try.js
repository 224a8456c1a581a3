// @ts-check
// Computes one task of a kernel in this tab, in a worker of its own: the same that slots are, so that what comes out
// here comes out everywhere. A task that does not end is ended with its worker.

/** How long a task may take, in milliseconds: whoever tries one waits for it. */
export const TRY_MS_MAX = 10_000;

/** `op` is the kernel's as an op, in blocks of one; `axes` are as they were typed, by their names.
 * @typedef {{ sha256: string, op: string, axes: [string, string][], data: Blob | null }} Trial */

/** How it ended. `result` and `error` are the task's outcome; `gaveUp` says why this tab has none.
 * @typedef {{ kind: "result" | "error", text: string, ms: number }
 *   | { kind: "gaveUp", text: string } | { kind: "late" } | { kind: "stopped" }} Tried */

/** Computes the first task of a job of these axes.
 * @param {Trial} trial @param {AbortSignal} signal Ends it.
 * @returns {Promise<Tried>} */
export async function tryTask({ sha256, op, axes, data }, signal) {
  try {
    const [program, module, bytes] = await Promise.all([
      WebAssembly.compileStreaming(fetched("worker_bg.wasm", signal)),
      WebAssembly.compileStreaming(fetched(`kernels/${sha256}.wasm`, signal)),
      data?.arrayBuffer() ?? null,
    ]);
    const piece = new TextEncoder().encode(`grid 0 1 ${op}\n${JSON.stringify(Object.fromEntries(axes))}`);
    return await compute([program, { name: op, module, data: bytes }, piece], signal);
  } catch (error) {
    return signal.aborted ? { kind: "stopped" } : { kind: "gaveUp", text: String(error) };
  }
}

/** @param {string} path @param {AbortSignal} signal */
const fetched = (path, signal) => fetch(new URL(path, document.baseURI), { signal });

/** Posts to a slot what it computes with, and then what it is to compute.
 * @param {[WebAssembly.Module, object, Uint8Array]} given @param {AbortSignal} signal
 * @returns {Promise<Tried>} */
function compute([program, kernel, piece], signal) {
  const url = new URL("js/kernel-slot.js", document.baseURI);
  const worker = new Worker(url, { type: "module", name: "compute" });
  return new Promise((resolve) => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let limit;
    const stop = () => end({ kind: "stopped" });
    /** @param {Tried} tried */
    const end = (tried) => {
      clearTimeout(limit);
      signal.removeEventListener("abort", stop);
      worker.terminate();
      resolve(tried);
    };
    signal.addEventListener("abort", stop);
    worker.addEventListener("error", ({ message }) => end({ kind: "gaveUp", text: message }));
    worker.addEventListener("message", ({ data }) => {
      if (typeof data === "string") {
        end({ kind: "gaveUp", text: data });
      } else if (data.length > 0) {
        end(outcomeOf(data));
      } else {
        // It listens.
        worker.postMessage(kernel);
        worker.postMessage(piece);
        limit = setTimeout(() => end({ kind: "late" }), TRY_MS_MAX);
      }
    });
    worker.postMessage(program);
  });
}

/** The outcome of the one task, from what a slot posts: `PieceResults::write` of `protocol/src/piece.rs`.
 * @param {Uint8Array} answer @returns {Tried} */
function outcomeOf(answer) {
  const text = new TextDecoder().decode(answer);
  const end = text.lastIndexOf("\n");
  const [[error], , ms] = JSON.parse(text.slice(end + 1));
  if (error) {
    return { kind: "error", text: error[1], ms };
  }
  // The array has one element.
  return { kind: "result", text: text.slice(1, end - 1), ms };
}
