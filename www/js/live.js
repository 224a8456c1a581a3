// @ts-check
// What the server tells of everything: jobs, workers, throughput and the task stream, as they are
// now. It is asked only while the page is to be seen, and by one tab for all of a browser's
// (events.js).

import { RETRY_MS, openEvents } from "./events.js";

/** @typedef {import("./protocol.js").LiveEvent} LiveEvent */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").Changes} Changes */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").WorkerView} WorkerView */
/** @typedef {import("./protocol.js").WorkerKind} WorkerKind */
/** @typedef {import("./protocol.js").Throughput} Throughput */
/** @typedef {import("./protocol.js").StreamRows} StreamRows */
/** @typedef {import("./protocol.js").Bar} Bar */

/** Seconds of throughput that are kept, as many as the server keeps. */
export const HISTORY_S = 3600;
/** The time that the task stream shows, as much as the server keeps of it. */
export const STREAM_MS = 120_000;
/** Bars of it that are kept, likewise. */
export const BARS_MAX = 2048;

/** Silence after which the connection is taken for dead: the server says something every 10 s. */
export const SILENCE_MS_MAX = 30_000;
export { RETRY_MS };

/** A worker, and when it was last heard of, in milliseconds since the server started.
 * @typedef {WorkerView & { heardMs: number }} ShownWorker */

/** How everything is. Times are milliseconds since the server started. */
export class LiveState {
  /** When this is so. */
  atMs = 0;
  /** When the server started, on its clock on the wall: no two starts have the same. */
  startedAtMs = 0;
  /** @type {Map<number, JobView>} In the order of submission. */
  jobs = new Map();
  jobsOmitted = 0;
  /** @type {Map<number, ShownWorker>} In the order of arrival. */
  workers = new Map();
  /** Tasks recorded in each second from `firstS` on; all lists are as long as `count`.
   * @type {{ firstS: number, count: number, tasks: Map<WorkerKind, number[]> }} */
  throughput = { firstS: 0, count: 0, tasks: new Map() };
  /** @type {StreamRows[]} */
  rows = [];
  /** @type {Map<number, Bar>} In the order of their beginnings. */
  bars = new Map();

  /** @param {LiveEvent} event */
  apply(event) {
    if (event.type === "snapshot") {
      this.#begin(event);
    } else {
      this.#change(event);
    }
    this.#forget();
  }

  /** @param {Snapshot} snapshot */
  #begin(snapshot) {
    // Another start of the server has other jobs; the same one's are told of again and again where no
    // stream is kept.
    const isSame = snapshot.started_at_ms === this.startedAtMs;
    this.atMs = snapshot.at_ms;
    this.startedAtMs = snapshot.started_at_ms;
    this.jobs = isSame ? this.jobs : new Map();
    this.jobs.clear();
    snapshot.jobs.forEach((job) => this.jobs.set(job.id, job));
    this.jobsOmitted = snapshot.jobs_omitted;
    this.workers = new Map();
    this.#addWorkers(snapshot.workers);
    this.throughput = { firstS: snapshot.throughput.first_s, count: 0, tasks: new Map() };
    this.#addSeconds(snapshot.throughput);
    this.rows = snapshot.rows;
    this.bars = new Map(snapshot.bars.map((bar) => [bar.id, bar]));
  }

  /** @param {Changes} changes */
  #change(changes) {
    if (changes.at_ms < this.atMs) {
      // It is in what was told since.
      return;
    }
    this.atMs = changes.at_ms;
    changes.jobs.forEach((job) => this.jobs.set(job.id, job));
    changes.jobs_gone.forEach((id) => this.jobs.delete(id));
    this.jobsOmitted = changes.jobs_omitted;
    this.#addWorkers(changes.workers);
    for (const pulse of changes.pulses) {
      const worker = this.workers.get(pulse.id);
      if (worker) {
        // A pulse does not say since when the worker is there: that does not change.
        const toldMs = worker.heardMs + worker.idle_s * 1000;
        const connected_s = worker.connected_s + (this.atMs - toldMs) / 1000;
        Object.assign(worker, pulse, { heardMs: this.#heard(pulse.idle_s), connected_s });
      }
    }
    changes.workers_gone.forEach((id) => this.workers.delete(id));
    this.#addSeconds(changes.throughput);
    this.rows = changes.rows ?? this.rows;
    changes.bars.forEach((bar) => this.bars.set(bar.id, bar));
  }

  /** @param {WorkerView[]} workers */
  #addWorkers(workers) {
    for (const worker of workers) {
      this.workers.set(worker.id, { ...worker, heardMs: this.#heard(worker.idle_s) });
    }
  }

  /** @param {number} idleS */
  #heard(idleS) {
    return this.atMs - idleS * 1000;
  }

  /** Seconds may be told twice, and some in which nothing happened not at all.
   * @param {Throughput} block */
  #addSeconds({ first_s, count, tasks }) {
    const known = this.throughput;
    known.count = Math.max(known.count, first_s + count - known.firstS);
    for (const [kind, seconds] of Object.entries(tasks)) {
      const name = /** @type {WorkerKind} */ (kind);
      known.tasks.set(name, known.tasks.get(name) ?? []);
      const list = known.tasks.get(name) ?? [];
      fill(list, first_s - known.firstS);
      seconds.forEach((second, index) => (list[first_s - known.firstS + index] = second));
    }
    known.tasks.forEach((list) => fill(list, known.count));
  }

  #forget() {
    const { throughput } = this;
    const old = throughput.count - HISTORY_S;
    if (old > 0) {
      throughput.tasks.forEach((list) => list.splice(0, old));
      throughput.firstS += old;
      throughput.count -= old;
    }
    for (const [id, bar] of this.bars) {
      const isOld = bar.end && bar.end.at_ms < this.atMs - STREAM_MS;
      if (isOld || this.bars.size > BARS_MAX) {
        this.bars.delete(id);
      }
    }
  }
}

/** Makes a list at least so long, with zeros. @param {number[]} list @param {number} length */
function fill(list, length) {
  while (list.length < length) {
    list.push(0);
  }
}

/** @typedef {import("./events.js").Source} Source */

/** The connection to the server's events. */
export class Live {
  state = new LiveState();
  /** Whether what is known is what is so: `asking` until the first snapshot since it was started,
   * `lost` where the server is away.
   * @type {"asking" | "live" | "lost"} */
  link = "asking";
  /** @type {Source | null} */
  #source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** When the state was told, on the page's clock. */
  #toldAt = 0;
  #open;
  #changed;
  #now;

  /** @param {() => void} changed Called after each telling, and when the link has changed.
   * @param {() => Source} open @param {() => number} now The page's clock, in milliseconds. */
  constructor(
    changed,
    open = openEvents,
    now = () => performance.now(),
  ) {
    this.#changed = changed;
    this.#open = open;
    this.#now = now;
  }

  /** Milliseconds since the server started, as it goes on between its tellings. */
  get nowMs() {
    return this.link === "live" ? this.state.atMs + this.#now() - this.#toldAt : this.state.atMs;
  }

  /** Asks for everything, from now on. */
  start() {
    this.#close();
    const source = this.#open();
    this.#source = source;
    source.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    source.onerror = () => this.#lose();
    this.#wait(SILENCE_MS_MAX);
  }

  /** Asks no more; what is known stays, of the time at which it was told: by then nobody has said
   * what has happened since. */
  stop() {
    this.#close();
    this.link = "asking";
  }

  /** @param {LiveEvent} event */
  #hear(event) {
    this.state.apply(event);
    this.#toldAt = this.#now();
    this.link = "live";
    this.#wait(SILENCE_MS_MAX);
    this.#changed();
  }

  #lose() {
    // Where it broke off the browser asks again by itself; where it was refused it gives up.
    const hasGivenUp = this.#source?.readyState === 2;
    this.link = "lost";
    this.#wait(hasGivenUp ? RETRY_MS : SILENCE_MS_MAX);
    this.#changed();
  }

  /** @param {number} ms */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.link = "lost";
      this.start();
      this.#changed();
    }, ms);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}
