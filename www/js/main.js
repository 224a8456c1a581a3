// @ts-check
// Starts the coordinator, which does all the work in a worker of its own, and shows what it says.

import { browserId } from "./browser-id.js";
import { serverUrl } from "./server-url.js";
import { strings } from "./strings.js";
import * as view from "./view.js";

/** @typedef {import("./protocol.js").FromPage} FromPage */
/** @typedef {import("./protocol.js").ToPage} ToPage */

/** How long the worker may take to load and start before the page says that something is wrong:
 * long enough for its wasm to come over a poor network. */
const WORKER_START_MS_MAX = 20_000;

function start() {
  view.showWords();
  const server = serverUrl(location);
  if ("bad" in server) {
    return fail(strings.error.badServer(server.bad));
  }
  view.showServer(server.url);

  const script = new URL("worker_loader.js", document.baseURI);
  const coordinator = new Worker(script, { type: "module", name: "coordinator" });
  const late = setTimeout(
    () => fail(strings.error.silentWorker(WORKER_START_MS_MAX / 1000)),
    WORKER_START_MS_MAX,
  );
  /** @param {FromPage} message */
  const tell = (message) => coordinator.postMessage(message);

  // Also what a worker's script awaits in vain comes here, such as wasm that is missing.
  coordinator.addEventListener("error", (event) => {
    clearTimeout(late);
    fail(event.message ? strings.error.brokenWorker(event.message) : strings.error.noWorker);
  });
  coordinator.addEventListener("message", (event) => {
    /** @type {ToPage} */
    const message = event.data;
    if (message.type === "ready") {
      // It speaks first: what is posted to a worker before it listens is lost.
      clearTimeout(late);
      const worker = server.takesLeases ? browserId() : null;
      tell({ type: "start", url: server.url, worker });
    } else {
      show(message);
    }
  });
  view.onRetryNow(() => tell({ type: "retry_now" }));
  addEventListener("online", () => tell({ type: "retry_now" }));
}

/** @param {Exclude<ToPage, { type: "ready" }>} message */
function show(message) {
  const said = strings.logged;
  switch (message.type) {
    case "connecting":
      view.showState("connecting");
      return view.addLogLine(said.connecting(message.attempt));
    case "connected":
      view.showState("connected");
      return view.addLogLine(said.connected);
    case "disconnected":
      view.showComputing(null);
      view.showCountdown(message.retry_in_ms);
      return view.addLogLine(said.disconnected(message.reason, message.retry_in_ms / 1000));
    case "task":
      view.showComputing(message.text);
      return view.addLogLine(said.task(message.task_id, message.text));
    case "result":
      view.addResult({ ...message, task: String(message.task_id), count: 1 });
      return view.addLogLine(said.result(message.task_id, message.result));
    case "lease":
      return view.showComputing(strings.lease(message.job, message.first, message.count));
    case "results":
      // A line of the log for each would be several a second.
      return view.addResult({ ...message, task: strings.taskOf(message.job, message.last) });
    case "idle":
      return view.showComputing(null);
    case "notice":
      return view.addLogLine(message.text);
    case "failed":
      return fail(message.text);
  }
}

/** @param {string} text */
function fail(text) {
  view.showState("failed");
  view.addLogLine(text);
  view.showComputing(text);
}

start();
