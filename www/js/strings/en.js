// @ts-check
// Every word that the page says in English. Its shape is that of every other language.

import { sizeText } from "../distribution.js";
import { NOW_MS, measures } from "./measures.js";

/** @typedef {import("../protocol.js").WorkerView} WorkerView */

const {
  dayTime, decimal, duration, grouped, lag, longTime, mark, percent, rate, roughTime, short,
  significant, span, time, timeToMinute,
} = measures("en");

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
  /** What a kernel is that is being computed. @param {string} name @param {number} bytes */
  kernel: (name, bytes) =>
    `${name} is WebAssembly of ${grouped(bytes)} bytes. It can compute and nothing else: no network, no files.`,
  noKernels:
    "Only built-in operations are computed here: a page may fetch the code of kernels from its own server alone. To compute kernels, open the page of this server.",
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

  values: {
    title: "Results",
    plot: "Each result, by its task",
    bins: "How many of each size",
    table: "As a table",
    index: "Task",
    value: "Result",
    scale: "Scale",
    linear: "Linear",
    log: "Logarithmic",
    none: "The results of a job are drawn here.",
    asking: "Asking for the results …",
    noneYet: "Nothing yet; the picture begins with the first result.",
    noneFinite: "There is no number to draw.",
    /** @param {number} points */
    all: (points) => (points === 1 ? "The one result" : `All ${grouped(points)} results`),
    /** @param {number} points @param {number} total */
    soFar: (points, total) => `${grouped(points)} of ${grouped(total)} results so far`,
    /** @param {number} points @param {number} done */
    drawn: (points, done) => `${grouped(points)} of ${grouped(done)} results, evenly drawn`,
    /** Of those that are drawn. @param {number} count */
    infinite: (count) => (count === 1 ? "1 of them is infinite" : `${grouped(count)} of them are infinite`),
    /** @param {number} count */
    notNumbers: (count) =>
      count === 1 ? "1 of them is no number (NaN)" : `${grouped(count)} of them are no numbers (NaN)`,
    /** @param {number} count */
    texts: (count) =>
      count === 1 ? "1 of them is no number: the table has it" : `${grouped(count)} of them are no numbers: the table has them`,
    /** What a job is worked on in. @param {number} tasks */
    block: (tasks) => `blocks of ${grouped(tasks)} tasks`,
    /** @param {number} count */
    failedTasks: (count) => (count === 1 ? "1 task failed" : `${grouped(count)} tasks failed`),
    /** @param {string} min @param {string} median @param {string} max */
    sizes: (min, median, max) => `Smallest ${min} · middle ${median} · largest ${max}`,
    /** @param {number} index */
    task: (index) => `Task ${grouped(index)}`,
    /** @param {number} count @param {string} from @param {string} to */
    bin: (count, from, to) =>
      `${count === 1 ? "1 result" : `${grouped(count)} results`}\nfrom ${from} to ${to}`,
    /** @param {number} shown @param {number} points */
    more: (shown, points) => `The first ${grouped(shown)} of ${grouped(points)}`,
    grouped,
    short,
    decimal: mark,
    /** @param {number} value @param {number} digits */
    size: (value, digits) => sizeText(value, digits, significant),
    /** @param {string} why Empty where the server said nothing. */
    failed: (why) => `The results could not be read${why && ` (${why})`}. It is tried again by itself.`,
  },

  workers: {
    title: "Workers",
    search: "Search",
    searchHint: "Firefox, Windows, 192.168.1.20, #7",
    previous: "Previous",
    next: "Next",
    columns: {
      id: "Worker",
      program: "Program",
      system: "System",
      slots: "Slots",
      rate: "Tasks/s",
      results: "Done",
      errors: "Errors",
      seen: "Last seen",
      lag: "Lag",
      since: "Connected",
    },
    unknown: "—",
    empty: "Nobody computes at the moment. Press Start, or invite others below.",
    noMatch: "No worker is like that.",
    noAgent: "It has not said what it is.",
    /** @param {number} workers @param {number} slots @param {number} perSecond */
    summary: (workers, slots, perSecond) =>
      [
        workers === 1 ? "1 worker" : `${grouped(workers)} workers`,
        slots === 1 ? "1 slot" : `${grouped(slots)} slots`,
        `${short(perSecond)} tasks/s`,
      ].join(" · "),
    /** @param {number} id */
    name: (id) => `#${id}`,
    rate: short,
    count: short,
    /** @param {number} ms */
    ago: (ms) => (ms < NOW_MS ? "now" : `${roughTime(ms)} ago`),
    /** @param {number} ms */
    since: (ms) => (ms < NOW_MS ? "just now" : roughTime(ms)),
    lag,
    /** @param {number} from @param {number} to @param {number} of */
    page: (from, to, of) => `${grouped(from)}–${grouped(to)} of ${grouped(of)}`,
    /** @param {WorkerView} worker @param {{ system: string, lag: string, since: string }} texts */
    details: (worker, { system, lag, since }) =>
      [
        system,
        `at ${worker.address}${worker.path}`,
        `connected ${since}`,
        `lag ${lag}`,
        `${grouped(worker.leases)} leases out`,
        `${grouped(worker.tasks)} tasks sent`,
        `${grouped(worker.results)} done`,
        `${grouped(worker.errors)} errors`,
        `${grouped(worker.refused)} messages refused`,
      ].join(" · "),
  },

  join: {
    title: "Invite others",
    how: "Scan the code, or open this in a browser:",
    copy: "Copy",
    copied: "Copied.",
    notCopied: "This browser lets no page copy. It is selected: press Ctrl+C, or hold it down.",
    guests:
      "Whoever opens it lends that tab at once, and sees this work. They can pause or close it at any time, and cannot change jobs.",
    guestsMayChange:
      "Whoever opens it lends that tab at once, and sees this work. They can pause or close it at any time. This server asks for no token, so they can change jobs too.",
    /** @param {string} url */
    code: (url) => `QR code of ${url}`,
    closed: "Only this machine reaches the server. To let others in, start it like this:",
    here: "More tabs on this machine lend a hand as well:",
    another: "Open another tab",
  },

  echo: {
    title: "Connection",
    what: "What you send here comes back from the server, as an echo.",
    state: {
      opening: "Connecting",
      open: "Connected",
      closed: "Closed",
      refused: "No connection: the server is away, or has no echo",
      foreign: "This server has no echo: it answers something else, or nothing",
    },
    /** @param {number} code @param {string} reason Empty where there is none. */
    closed: (code, reason) => `Closed: ${code}${reason && `, ${reason}`}`,
    again: "Connect again",
    log: "What was sent and received",
    message: "Message",
    send: "Send",
    sent: "sent",
    received: "received",
    /** @param {number} bytes */
    bytes: (bytes) => (bytes === 1 ? "1 byte" : `${grouped(bytes)} bytes`),
    measure: "Measure the round trip",
    min: "Fastest",
    median: "Median",
    max: "Slowest",
    unknown: "—",
    /** @param {number} count */
    trips: (count) => `${grouped(count)} messages, one after the other`,
    unmeasured: "Not measured: a message did not come back.",
  },

  chat: {
    title: "Chat",
    state: { joining: "Connecting", open: "Connected", lost: "Not connected" },
    none: "Nobody has said anything yet.",
    what: "Everybody at this server can read it.",
    newest: "New messages",
    name: "Your name",
    nameHint: "optional",
    message: "Message",
    send: "Send",
    /** @param {string} name @param {number} members */
    came: (name, members) => `${name} came in · ${grouped(members)} here`,
    /** @param {string} name @param {number} members */
    went: (name, members) => `${name} left · ${grouped(members)} here`,
    badName: "A name has at most 40 characters, no control characters, and no # at its beginning.",
    notSent: "Not sent: there is no connection. What you wrote stays here.",
    /** @param {string} reason The server's; empty where it gave none. */
    away: (reason) => `The chat is away${reason && ` (${reason})`}. It is tried again by itself.`,
  },

  work: {
    away: "The server is away. This is how it was; it is asked again by itself.",
  },

  jobs: {
    title: "Jobs",
    none: "Nothing to compute yet. Submit a job, and every open tab starts on it.",
    noneYet: "Nothing to compute yet. When there is a job, every open tab starts on it.",
    over: "Over",
    /** @param {number} job @param {string} name Empty where there is none. */
    name: (job, name) => name || `Job ${job}`,
    /** Beside the name. @param {number} job @param {string} name @param {string} op */
    about: (job, name, op) => (name ? `Job ${job} · ${op}` : op),
    state: { running: "Running", paused: "Paused", done: "Done", cancelled: "Cancelled", damaged: "Damaged" },
    /** @param {number} recorded @param {number} total */
    progress: (recorded, total) =>
      `${grouped(recorded)} of ${grouped(total)} (${percent(recorded, total)})`,
    /** @param {number} tasks */
    failed: (tasks) => `${grouped(tasks)} failed`,
    /** @param {number} tasks @param {number} workers */
    leased: (tasks, workers) =>
      `${grouped(tasks)} with ${grouped(workers)} ${workers === 1 ? "worker" : "workers"}`,
    /** @param {number} perSecond */
    rate: (perSecond) => `${perSecond < 10 ? rate(perSecond) : grouped(perSecond)} tasks/s`,
    /** @param {number} seconds */
    left: (seconds) => `about ${span(seconds).text} left`,
    waiting: "waiting for a worker",
    /** Of one whose tasks are each computed by two. @param {number} tasks */
    second: (tasks) => `${grouped(tasks)} waiting for a second worker`,
    /** How much of what is recorded the server has computed too. @param {number} tasks @param {number} recorded */
    audited: (tasks, recorded) => `audited ${percent(tasks, recorded)}`,
    /** @param {import("../protocol.js").SlowBlock} slow @param {boolean} divisible */
    slow: ({ first, tasks, seconds, times }, divisible) =>
      `A block of tasks ${grouped(first)} to ${grouped(first + tasks - 1)} took ${span(seconds).text}, ${grouped(times)} times the usual${divisible ? "; a smaller block shares such tasks better" : ""}.`,
    /** Of one that waits for inputs. @param {number} recorded @param {number} total */
    progressOpen: (recorded, total) => `${grouped(recorded)} of ${grouped(total)} so far`,
    open: "waiting for more inputs",
    close: "Close",
    pause: "Pause",
    resume: "Resume",
    cancel: "Cancel",
    remove: "Remove",
    results: "Results",
    resultsSoFar: "Results so far",
    /** What a download has. @param {number} recorded @param {number} total */
    part: (recorded, total) =>
      `Only what is recorded when the download begins: now ${grouped(recorded)} of ${grouped(total)} tasks`,
    /** @param {number} over */
    all: (over) => `Show all ${grouped(over)}`,
    fewer: "Show fewer",
    /** @param {number} jobs */
    omitted: (jobs) =>
      jobs === 1
        ? "1 more job is not listed here; “tequio jobs” lists it."
        : `${grouped(jobs)} more jobs are not listed here; “tequio jobs” lists them.`,
    question: {
      close: {
        /** @param {string} job */
        text: (job) => `Close ${job.replace(/^J/, "j")}?`,
        /** @param {number} results @param {number} inputs */
        means: (results, inputs) =>
          `It takes no more inputs, and ends with the ${grouped(inputs)} that it has, of which ${grouped(results)} are computed.`,
        yes: "Close the job",
        no: "Let it wait",
      },
      cancel: {
        /** @param {string} job */
        text: (job) => `Cancel ${job.replace(/^J/, "j")}?`,
        /** @param {number} results */
        means: (results) => {
          const stay = results === 1 ? "Its 1 result stays" : `Its ${grouped(results)} results stay`;
          return `${results === 0 ? "It has no results yet" : stay}; nothing more of it is computed.`;
        },
        yes: "Cancel the job",
        no: "Keep it",
      },
      remove: {
        /** @param {string} job */
        text: (job) => `Remove ${job.replace(/^J/, "j")}?`,
        /** @param {number} results */
        means: (results) =>
          results === 1
            ? "Its 1 result is deleted on the server."
            : results === 0
              ? "It has no results."
              : `Its ${grouped(results)} results are deleted on the server.`,
        yes: "Remove the job",
        no: "Keep it",
      },
    },
    trouble: {
      /** @param {number} job @param {string} why */
      close: (job, why) => `Job ${job} could not be closed. ${why}`,
      /** @param {number} job @param {string} why */
      pause: (job, why) => `Job ${job} could not be paused. ${why}`,
      /** @param {number} job @param {string} why */
      resume: (job, why) => `Job ${job} could not be resumed. ${why}`,
      /** @param {number} job @param {string} why */
      cancel: (job, why) => `Job ${job} could not be cancelled. ${why}`,
      /** @param {number} job @param {string} why */
      remove: (job, why) => `Job ${job} could not be removed. ${why}`,
    },
  },

  newJob: {
    open: "New job",
    close: "Close",
    title: "New job",
    op: "Operation",
    /** What a task does, of ops whose names do not say it. */
    ops: { repeat_multiply: "Each task raises a factor to a power." },
    what: "Every combination of the values below is a task.",
    name: "Name (optional)",
    priority: "Priority",
    ways: {
      one: "one value",
      several: "several",
      range: "a range, without its end",
      step: "with its end, in steps",
    },
    submit: "Submit",
    /** @param {number} tasks */
    total: (tasks) => (tasks === 1 ? "1 task" : `${grouped(tasks)} tasks`),
    /** Beside a range. @param {number} count @param {number} last */
    values: (count, last) => `${grouped(count)} values, the last ${significant(last, 15)}`,
    /** Beside what looks like one number. @param {number} count @param {string} number */
    comma: (count, number) =>
      `A comma parts values: these are ${grouped(count)}. The one number is written ${number}.`,
    badPriority: "A whole number, such as 0 or 5.",
    /** What a parameter takes. @param {number} min @param {number} max */
    integers: (min, max) => `Whole numbers from ${grouped(min)} to ${grouped(max)}.`,
    /** By the server's codes. */
    errors: {
      missing: "A value is missing here.",
      not_a_number: "These are not numbers, such as 3 or 1,2,5 or 0..100.",
      decimal_comma: "A comma parts the values of a list. Write a fraction with a point, such as 0.5.",
      three_dots: "A range has two dots, such as 0..5, or 0..=5 with its end.",
      backwards: "This runs backwards: the lower end comes first.",
      empty_range: "This range is empty. Write ..= to include its end.",
      bad_step: "The step must be above 0.",
      too_many_values: `These are too many values. A list may have ${grouped(1024)}; a range, many more.`,
      too_many_tasks: "Together these are more tasks than a job can have.",
      not_finite: "These numbers are too large.",
      too_long: "This text is too long. Write a range instead of a list.",
      bad_axes: "The server takes other axes for this.",
      unknown_axis: "The server takes other axes for this.",
      missing_axis: "The server takes other axes for this.",
    },
  },

  /** Before the tab computes for a server that a link has named. */
  otherServer: {
    /** @param {string} host */
    text: (host) => `Compute for ${host}?`,
    means:
      "The link that you followed names this server, and it is not the one that the page comes from. It would use what this device lends, and see its address. You are asked once.",
    yes: "Compute for it",
    no: "Stay with this page's server",
  },

  operator: {
    ask: "I run this server",
    forget: "Forget the token",
    title: "Operator token",
    where:
      "Submitting and controlling jobs needs the token that the server printed in its terminal when it started. It is kept in this tab only, until you close it.",
    token: "Token",
    give: "Continue",
    close: "Close",
    missing: "Enter the token first.",
    wrong: "This is not the server's token.",
    impossible: "This is no token: a token has plain letters, digits and signs only, and no accents or line ends.",
    stale: "The server no longer accepts the token given before. It prints a new one when it starts.",
    /** By the server's codes. */
    refused: {
      no_answer: "The server does not answer.",
      unauthorized: "The operator token is needed.",
      too_many_tries: "Too many wrong tokens were tried, and this is another. Wait a moment before the next.",
      unknown_job: "The server does not have this job.",
      unknown_op: "The server does not know this operation. Reload the page.",
      job_over: "The job is over already.",
      job_not_open: "The job waits for no more inputs.",
      job_not_over: "The job is not over yet.",
      job_set_aside: "The job is damaged: it can only be removed.",
      too_many_jobs: "The server keeps no more jobs: remove some that are over.",
      too_many_grids: "The server holds no more lists of values: wait until a job is over, or use ranges.",
      busy: "The server is busy. Try again in a moment.",
      stopping: "The server is stopping.",
      store_failing:
        "The server's disk is full or failing, as its log says; nothing that was recorded is lost.",
      bad_name: "The name has more than 200 characters.",
    },
  },

  /** What has answered in the server's place, by the status of its answer. */
  foreign: {
    /** @type {Record<number, string>} */
    known: {
      0: "What answers here leads elsewhere, perhaps to a sign-in page. Reload the page to see it.",
      200: "What answers here is not Tequio, perhaps a sign-in page. Reload the page to see it.",
      401: "A proxy before the server asks for a user and a password of its own (401). Reload the page to enter them.",
      403: "A proxy or filter before the server does not let this through (403).",
      404: "What answers here is not Tequio (404): a proxy may lead elsewhere.",
      413: "A proxy before the server takes nothing as long as this (413). In nginx, client_max_body_size raises its limit.",
    },
    /** @param {number} status */
    away: (status) =>
      `A proxy before the server answers in its place (${status}): the server is away, starting or busy. Try again in a moment.`,
    /** @param {number} status */
    other: (status) => `Something before the server has answered in its place (${status}).`,
  },

  throughput: {
    title: "Throughput",
    unit: "tasks/s",
    empty: "Nothing has been computed in the last hour. As soon as somebody computes, you see here how fast.",
    spansTitle: "Time shown",
    spans: { minute: "1 min", minutes5: "5 min", minutes15: "15 min", hour: "1 h" },
    kinds: {
      native: "tequio work",
      chrome: "Chrome",
      edge: "Edge",
      firefox: "Firefox",
      safari: "Safari",
      other: "Other",
    },
    now: "Now",
    all: "All",
    /** @param {string} from @param {string} to */
    between: (from, to) => `${from} to ${to}`,
    /** @param {string} rate */
    chart: (rate) => `Tasks a second, now ${rate}. The arrow keys go through the seconds.`,
    /** What is at the cursor. @param {string} when @param {string} all @param {string[]} kinds */
    pointed: (when, all, kinds) => `${when}: ${[`${all} tasks a second`, ...kinds].join(", ")}`,
    table: "As a table",
    caption: "Tasks in each minute",
    minute: "Minute",
    short,
    grouped,
    timeToMinute,
  },

  stream: {
    title: "Task stream",
    nobody: "No worker yet: start this tab, or open this page on another machine.",
    idleAll: "Everybody here waits for work. Each piece that is handed out becomes a bar.",
    spans: { half: "30 s", one: "1 min", two: "2 min" },
    /** @param {number} seconds */
    ago: (seconds) => `${grouped(seconds)} s ago`,
    /** @param {number} id @param {string} program Empty where it is not known. */
    worker: (id, program) => (program ? `#${id} ${program}` : `#${id}`),
    /** @param {string} worker */
    left: (worker) => `${worker} (left)`,
    /** @param {string} worker @param {number} slot From 1. */
    slot: (worker, slot) => `${worker}, slot ${slot}`,
    /** @param {number} tasks @param {string} time */
    tasks: (tasks, time) => `${grouped(tasks)} ${tasks === 1 ? "task" : "tasks"} in ${time}`,
    states: {
      open: "being computed",
      answered: "done",
      returned: "given back",
      lost: "lost; somebody else computes it",
    },
    /** What the picture shows. @param {number} slots @param {number} workers @param {number} lost */
    picture: (slots, workers, lost) =>
      `Who computed what, and when: slots ${grouped(slots)}, workers ${grouped(workers)}, leases lost ${grouped(lost)}`,
    idle: "Idle",
    returned: "Given back",
    lost: "Lost",
    /** @param {number} jobs */
    moreJobs: (jobs) => `and ${grouped(jobs)} more ${jobs === 1 ? "job" : "jobs"}`,
    /** @param {number} drawn @param {number} slots */
    omitted: (drawn, slots) => `${grouped(drawn)} of ${grouped(slots)} slots are drawn.`,
    /** @param {number} seconds */
    kept: (seconds) => `Only the last ${grouped(seconds)} s are kept: what was before is striped.`,
    table: "As a table",
    caption: "What came of the leases that are shown",
    columns: {
      worker: "Worker",
      answered: "Done",
      returned: "Given back",
      lost: "Lost",
      busy: "Busy",
    },
    /** @param {number} percent */
    percent: (percent) => `${grouped(percent)} %`,
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
  countdown: (seconds) => `Next attempt in ${grouped(seconds)} s`,
  dayTime,
  duration,
  grouped,
  longTime,
  time,
  /** @param {number} perSecond */
  tasksPerSecond: (perSecond) => `${rate(perSecond)} tasks a second`,
  /** @param {number} cores @param {number} max */
  coresOf: (cores, max) => `${grouped(cores)} of ${grouped(max)} ${max === 1 ? "core" : "cores"}`,
  /** @param {number} percent */
  shareOf: (percent) => `${grouped(percent)} % of each core`,
  /** @param {number} slots @param {number} cores @param {number} tabs */
  sharedOut: (slots, cores, tabs) =>
    `This tab has ${grouped(slots)} of ${grouped(cores)} cores; ${grouped(tabs)} tabs of this browser share them`,
  /** @param {number} computing @param {number} slots @param {number} busy In percent. */
  slots: (computing, slots, busy) => {
    if (computing === 0) {
      return slots === 1 ? "1 core, idle" : `${grouped(slots)} cores, all idle`;
    }
    return slots === 1
      ? `1 core, computing ${grouped(busy)} % of the time`
      : `${grouped(computing)} of ${grouped(slots)} cores computing, ${grouped(busy)} % of the time`;
  },

  logged: {
    /** @param {number} attempt */
    connecting: (attempt) => (attempt === 1 ? "Connecting" : `Connecting, attempt ${grouped(attempt)}`),
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

  /** @param {string} why */
  broken: (why) =>
    `This part cannot be shown (${why}); all else goes on. Reload the page, or try a newer browser.`,

  /** @param {import("../why-not.js").Why} why */
  whyNot: ({ kind, said }) =>
    ({
      away: "",
      upgrade:
        "A proxy between this page and the server lets no WebSockets through: it has to pass on the headers Upgrade and Connection.",
      refused: `The server refuses this page: ${said}`,
      password: "A proxy before the server wants a password. Reload the page to give it.",
      moved: "A proxy before the server sends elsewhere, perhaps to log in. Reload the page.",
      proxy: `Something else answers in the server's place (${said}): a proxy that does not reach it, or lets nobody through.`,
    })[kind],

  error: {
    /** @param {string} name What the browser has not. */
    lacking: (name) =>
      `Nothing can be computed here: this browser has no ${name}, or may not use it. Tequio runs in Chrome and Edge 96, Firefox 114, Safari 15, and newer ones.`,
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
      `The worker has not started for ${grouped(seconds)} s. If the network is slow, its files are still on their way, and it will start by itself; if not, reload the page or try a newer browser.`,
  },
};
