// @ts-check
// What this tab computes: starts the coordinator, which does all the work in a worker of its own, and
// tells it what the person wants. It stands on nothing that draws: whatever becomes of the page, the tab
// goes on.

import { Activity } from "./activity.js";
import { browserId, randomHex } from "./browser-id.js";
import { Choice } from "./choice.js";
import { agree, isAgreed } from "./consent.js";
import { keeper } from "./keep.js";
import { ALLOWANCE_KEY, Lending } from "./lending.js";
import { onLifecycle, sayBye } from "./lifecycle.js";
import { serverUrl } from "./server-url.js";
import { TabState } from "./tab-state.js";
import { Totals } from "./totals.js";

/** @typedef {import("./protocol.js").FromPage} FromPage */
/** @typedef {import("./protocol.js").ToPage} ToPage */
/** @typedef {import("./strings.js").Strings} Strings */

/** How long the worker may take to load and start before the page says that something is wrong:
 * long enough for its wasm to come over a poor network. */
const WORKER_START_MS_MAX = 20_000;

/** The bytes of a tab's own id. */
const TAB_ID_LENGTH = 8;

/** Messages that are kept for a screen that is not there yet. */
const BACKLOG_MAX = 200;

/** A screen. `heard` is called with each message of the coordinator's, `failed` when it cannot compute,
 * and `changed` when anything may look different.
 * @typedef {{
 *   heard: (message: ToPage) => void,
 *   failed: (why: (words: Strings) => string) => void,
 *   changed: () => void,
 * }} Screen */

export class Tab {
  server = serverUrl(location);
  id = randomHex(TAB_ID_LENGTH);
  ofBrowser = keeper("localStorage");
  /** Whether its person has yet to say that it may compute for its server, which a link has named. */
  isToAsk = !isAgreed(this.server, this.ofBrowser);
  totals = new Totals(this.ofBrowser);
  activity = new Activity();
  /** What the coordinator has said last, of what is not counted elsewhere. */
  lent = { slots: 1, tabs: 1 };
  retryAt = 0;
  /** Why it cannot compute. @type {(words: Strings) => string} */
  failure = () => "";
  #choice = new Choice(keeper("sessionStorage"), this.ofBrowser);
  /** @type {Worker | null} None where there is no server to work for, or no way to. */
  #coordinator = null;
  /** @type {Screen | null} */
  #screen = null;
  /** @type {ToPage[]} */
  #backlog = [];

  state = new TabState(this.#firstWish(), (word) => {
    this.#tell(word === "start" ? this.#startMessage() : { type: word });
  });
  lending = new Lending(navigator, this.ofBrowser, () => {
    if (this.state.hasBegun) {
      this.#tell({ type: "allow", allowance: this.lending.allowance });
    }
    this.#screen?.changed();
  });

  start() {
    const lacking = whatIsLacking();
    if ("bad" in this.server) {
      const { bad } = this.server;
      this.#fail((words) => words.error.badServer(bad));
    } else if (lacking) {
      this.#fail((words) => words.error.lacking(lacking));
    } else {
      this.#coordinator = this.#startCoordinator();
    }
    addEventListener("storage", (event) => {
      // Without a key, everything was removed.
      if (event.key === ALLOWANCE_KEY || event.key === null) {
        this.lending.reread();
      }
    });
    addEventListener("online", () => this.#tellAtWork({ type: "retry_now" }));
    onLifecycle({
      suspend: () => this.#tellAtWork({ type: "suspend" }),
      resume: () => this.#tellAtWork({ type: "resume" }),
    });
    addEventListener("pagehide", () => {
      sayBye(this.id);
      this.totals.save(performance.now());
    });
    document.addEventListener("visibilitychange", () => this.totals.save(performance.now()));
  }

  /** Shows it all on a screen from now on, and what was before. @param {Screen} screen */
  showOn(screen) {
    this.#screen = screen;
    this.#backlog.forEach((message) => screen.heard(message));
    this.#backlog = [];
    if (this.state.state === "failed") {
      screen.failed(this.failure);
    }
    screen.changed();
  }

  /** Its person has said that it may compute for its server. */
  agree() {
    if (!("bad" in this.server)) {
      agree(this.server, this.ofBrowser);
    }
    this.isToAsk = false;
    this.choose("start");
  }

  /** What a person wants from now on. @param {"start" | "pause" | "finish"} word */
  choose(word) {
    if (this.isToAsk) {
      return;
    }
    this.#choice.keep(word === "start" ? "yes" : "no");
    this.state[word]();
    this.#screen?.changed();
  }

  retryNow() {
    this.#tell({ type: "retry_now" });
  }

  #firstWish() {
    if (this.isToAsk || new URL(location.href).searchParams.get("auto") === "0") {
      return "ready";
    }
    return this.#choice.isToRun ? "running" : "paused";
  }

  // ---- The coordinator --------------------------------------------------------------------------

  #startCoordinator() {
    const [worker, takesModules] = moduleWorker();
    if (!takesModules) {
      this.#fail((words) => words.error.lacking("module Worker"));
      return null;
    }
    const seconds = WORKER_START_MS_MAX / 1000;
    const late = setTimeout(
      () => this.#fail((words) => words.error.silentWorker(seconds)),
      WORKER_START_MS_MAX,
    );
    // Also what a worker's script awaits in vain comes here, such as wasm that is missing.
    worker.addEventListener("error", (event) => {
      clearTimeout(late);
      // What it would still do nobody could stop.
      worker.terminate();
      const { message } = event;
      this.#fail(({ error }) => (message ? error.brokenWorker(message) : error.noWorker));
    });
    worker.addEventListener("message", (event) => {
      clearTimeout(late);
      this.#hear(event.data, performance.now());
    });
    return worker;
  }

  /** @param {FromPage} message */
  #tell(message) {
    this.#coordinator?.postMessage(message);
  }

  /** The same, of what a coordinator that rests is not to be woken by. @param {FromPage} message */
  #tellAtWork(message) {
    if (this.state.isAtWork) {
      this.#tell(message);
    }
  }

  /** @returns {FromPage} */
  #startMessage() {
    if ("bad" in this.server) {
      throw new Error("no coordinator is started without a server");
    }
    const worker = this.server.takesLeases ? browserId(this.ofBrowser) : null;
    const { allowance } = this.lending;
    const { url, hasKernels: kernels } = this.server;
    return { type: "start", url, worker, tab: this.id, kernels, allowance };
  }

  /** @param {ToPage} message @param {number} now */
  #hear(message, now) {
    this.#take(message, now);
    if (this.#screen) {
      this.#screen.heard(message);
    } else {
      this.#backlog = [...this.#backlog, message].slice(-BACKLOG_MAX);
    }
  }

  /** @param {ToPage} message @param {number} now */
  #take(message, now) {
    switch (message.type) {
      case "ready":
        // It speaks first: what is posted to a worker before it listens is lost.
        return this.state.listens();
      case "connecting":
      case "connected":
        return this.state.linked(message.type);
      case "disconnected":
        this.retryAt = now + message.retry_in_ms;
        return this.state.linked("waiting");
      case "paused":
        this.state.paused();
        this.activity.stop();
        this.lent = { ...this.lent, tabs: 1 };
        return;
      case "failed":
        return this.#fail(() => message.text, message.can_retry);
      case "lent":
        this.lent = message;
        return this.activity.resize(message.slots);
      case "task":
        return this.activity.begin(message.slot, { text: message.text }, now);
      case "lease":
        return this.activity.begin(message.slot, { op: message.op, job: message.job }, now);
      case "result":
        return this.#computed(message, 1, now);
      case "results":
        return this.#computed(message, message.count, now);
      case "idle":
        return this.activity.idle(message.slot, now);
    }
  }

  /** @param {{ slot: number, duration_ms: number }} piece @param {number} tasks @param {number} now */
  #computed({ slot, duration_ms: durationMs }, tasks, now) {
    const { share_percent: sharePercent } = this.lending.allowance;
    this.activity.computed(slot, { tasks, durationMs, sharePercent }, now);
    this.totals.add(tasks, durationMs, now);
  }

  /** @param {(words: Strings) => string} why @param {boolean} [canRetry] */
  #fail(why, canRetry = false) {
    this.failure = why;
    this.state.failed(canRetry);
    this.activity.stop();
    this.#screen?.failed(why);
  }
}

/** What a tab cannot compute without, and this browser has not; null where it has all. */
function whatIsLacking() {
  const names = ["Worker", "WebAssembly", "WebSocket"];
  return names.find((name) => !(name in globalThis)) ?? null;
}

/** The coordinator's worker, and whether the browser runs modules in workers: one that does not know of
 * them never asks for the type.
 * @returns {[Worker, boolean]} */
function moduleWorker() {
  let isAsked = false;
  const options = {
    name: "coordinator",
    /** @returns {"module"} */
    get type() {
      isAsked = true;
      return "module";
    },
  };
  const worker = new Worker(new URL("worker_loader.js", document.baseURI), options);
  return [worker, isAsked];
}
