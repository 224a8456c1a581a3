// @ts-check
// Every word that the page says in English. Its shape is that of every other language.

import { measures } from "./measures.js";

const { decimal, duration, longTime, rate, time } = measures("en");

export const en = {
  /** Of the switch between the languages. */
  language: "Language",
  tagline: "This tab computes for others while it is open.",
  tab: "Your tab",
  start: "Start",
  goOn: "Go on",
  pause: "Pause",
  finish: "Finish, then stop",
  computing: "Computing",
  idle: "Nothing at the moment; the next task comes by itself.",
  offline: "Nothing until there is a connection.",
  stopped: "Nothing is computed here until you press Start.",
  pausing: "What is ready within a second is sent; the rest goes back to the server.",
  finished: "Nothing more; this tab is about to stop.",
  speed: "Speed",
  lending: "What you lend",
  cores: "How many cores",
  share: "How hard",
  onBattery: "Half, as this device runs on its battery",
  lent: "Lent so far",
  spans: { here: "This visit", today: "Today", ever: "Ever" },
  count: "Tasks",
  coreTime: "Time of one core",
  results: "Last results",
  noResults: "Nothing yet. The first result follows the first task.",
  columns: { task: "Task", input: "Input", result: "Result", duration: "Time" },
  log: "Log",
  retryNow: "Try now",
  tryAgain: "Try again",

  work: {
    away: "The server is away. This is how it was; it is asked again by itself.",
  },

  state: {
    starting: "Starting",
    connecting: "Connecting",
    connected: "Connected",
    waiting: "Not connected",
    failed: "This tab cannot compute",
    ready: "Ready to start",
    paused: "Paused",
    pausing: "Pausing",
    finishing: "Finishing what is here",
  },

  /** @param {number} job @param {string} name Empty where there is none. */
  job: (job, name) => (name ? `Job ${job} “${name}”` : `Job ${job}`),
  /** Before the jobs. @param {string} ops */
  ops: (ops) => `${ops} · `,
  /** @param {string[]} jobs */
  several: (jobs) => jobs.join(", "),
  /** @param {number} job @param {number} task */
  taskOf: (job, task) => `${job}/${task}`,
  /** @param {string} url */
  server: (url) => `Server ${url}`,
  /** @param {number} seconds */
  countdown: (seconds) => `Next attempt in ${seconds} s`,
  duration,
  longTime,
  time,
  /** @param {number} perSecond */
  tasksPerSecond: (perSecond) => `${rate(perSecond)} tasks a second`,
  /** @param {number} cores @param {number} max */
  coresOf: (cores, max) => `${cores} of ${max} ${max === 1 ? "core" : "cores"}`,
  /** @param {number} percent */
  shareOf: (percent) => `${percent} % of each core`,
  /** @param {number} slots @param {number} cores @param {number} tabs */
  sharedOut: (slots, cores, tabs) =>
    `This tab has ${slots} of ${cores} cores; ${tabs} tabs of this browser share them`,
  /** @param {number} computing @param {number} slots @param {number} busy In percent. */
  slots: (computing, slots, busy) => {
    if (computing === 0) {
      return slots === 1 ? "1 core, idle" : `${slots} cores, all idle`;
    }
    return slots === 1
      ? `1 core, computing ${busy} % of the time`
      : `${computing} of ${slots} cores computing, ${busy} % of the time`;
  },

  logged: {
    /** @param {number} attempt */
    connecting: (attempt) => (attempt === 1 ? "Connecting" : `Connecting, attempt ${attempt}`),
    connected: "Connected",
    /** @param {string} reason @param {number} seconds */
    disconnected: (reason, seconds) =>
      `Closed: ${reason}. Next attempt in ${decimal(seconds, 1)} s`,
    paused: "Paused",
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
