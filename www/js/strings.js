// @ts-check
// Every word that the page says. Another language is another object of the same shape.

export const strings = {
  tagline: "This tab computes for others while it is open.",
  tab: "Your tab",
  computing: "Computing",
  idle: "Nothing at the moment; the next task comes by itself.",
  count: "Results sent",
  results: "Last results",
  noResults: "Nothing yet. The first result follows the first task.",
  columns: { task: "Task", input: "Input", result: "Result", duration: "Time" },
  log: "Log",
  retryNow: "Try now",

  state: {
    starting: "Starting",
    connecting: "Connecting",
    connected: "Connected",
    waiting: "Not connected",
    failed: "This tab cannot compute",
  },

  /** @param {number} job @param {number} first @param {number} count */
  lease: (job, first, count) =>
    count === 1
      ? `Job ${job}, task ${first}`
      : `Job ${job}, tasks ${first} to ${first + count - 1}`,
  /** @param {number} job @param {number} task */
  taskOf: (job, task) => `${job}/${task}`,
  /** @param {string} url */
  server: (url) => `Server ${url}`,
  /** @param {number} seconds */
  countdown: (seconds) => `Next attempt in ${seconds} s`,
  /** @param {number} ms */
  duration: (ms) => {
    if (ms < 0.1) {
      // Below what browsers let a clock show.
      return "< 0.1 ms";
    }
    return ms < 1000 ? `${Number(ms.toPrecision(3))} ms` : `${(ms / 1000).toFixed(2)} s`;
  },

  logged: {
    /** @param {number} attempt */
    connecting: (attempt) => (attempt === 1 ? "Connecting" : `Connecting, attempt ${attempt}`),
    connected: "Connected",
    /** @param {string} reason @param {number} seconds */
    disconnected: (reason, seconds) =>
      `Closed: ${reason}. Next attempt in ${seconds.toFixed(1)} s`,
    /** @param {number} id @param {string} text */
    task: (id, text) => `Task ${id} received: ${text}`,
    /** @param {number} id @param {string} result */
    result: (id, result) => `Result of task ${id} sent: ${result}`,
  },

  error: {
    /** @param {string} text */
    badServer: (text) =>
      `The address's server=${text} is no server. It should look like server=ws://192.168.1.20:8765`,
    noWorker:
      "The worker's script could not be loaded. Reload the page; if that does not help, the server's page is incomplete.",
    /** @param {string} reason */
    brokenWorker: (reason) =>
      `The worker has failed (${reason}). Reload the page; if that does not help, the server's page is incomplete, or this browser is too old for it.`,
    /** @param {number} seconds */
    silentWorker: (seconds) =>
      `The worker has not started for ${seconds} s. If the network is slow, its files are still on their way, and it will start by itself; if not, reload the page or try a newer browser.`,
  },
};
