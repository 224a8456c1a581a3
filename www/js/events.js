// @ts-check
// Where a tab has the server's events from: from the tab of this browser that reads them for all, or from
// the server. Where tabs cannot talk to each other, none keeps a connection: each asks now and then.

import { randomHex } from "./browser-id.js";
import { BEAT_MS, GRACE_MS, Sharing } from "./sharing.js";

/** As much of an `EventSource` as is used here.
 * @typedef {{
 *   readonly readyState: number,
 *   onmessage: ((event: { data: string }) => void) | null,
 *   onerror: (() => void) | null,
 *   close: () => void,
 * }} Source */

/** How often a tab asks that keeps no connection. */
export const POLL_MS = 2000;
/** The pause before a stream that was refused is asked for again. Browsers ask again by themselves
 * only where it broke off. */
export const RETRY_MS = 3000;
/** How long an answer is waited for. */
const ANSWER_MS_MAX = 10_000;

/** How it begins, told to a tab that does not read itself. @typedef {() => Promise<string>} Ask */

/** @returns {Source} */
export function openEvents() {
  const open = () =>
    "EventSource" in globalThis
      ? /** @type {Source} */ (/** @type {unknown} */ (new EventSource("api/events")))
      : new Polled();
  const channel = openChannel();
  return channel ? new Shared(channel, open) : new Polled();
}

/** One for each server that pages of this origin may be of: its path is in the name. */
function openChannel() {
  try {
    return new BroadcastChannel(`tequio ${new URL("api/events", document.baseURI).pathname}`);
  } catch {
    // There are none, or not for this page.
    return null;
  }
}

/** Everything as it is, as an event of its own. @type {Ask} */
async function askOnce() {
  const asking = new AbortController();
  const late = setTimeout(() => asking.abort(), ANSWER_MS_MAX);
  try {
    const answer = await fetch("api/events?once=true", { cache: "no-store", signal: asking.signal });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(answer.statusText);
    }
    return text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
  } finally {
    clearTimeout(late);
  }
}

/** Asks again and again how everything is. @implements {Source} */
export class Polled {
  readyState = 0;
  /** @type {Source["onmessage"]} */
  onmessage = null;
  /** @type {Source["onerror"]} */
  onerror = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isClosed = false;
  #asks;

  constructor(ask = askOnce) {
    this.#asks = ask;
    void this.#ask();
  }

  async #ask() {
    const [data, error] = await this.#asks().then((data) => [data, null], (error) => ["", error]);
    if (this.#isClosed) {
      return;
    }
    this.#timer = setTimeout(() => void this.#ask(), POLL_MS);
    if (error) {
      this.onerror?.();
    } else {
      this.onmessage?.({ data });
    }
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

/** As much of a `BroadcastChannel` as is used here.
 * @typedef {{
 *   onmessage: ((event: MessageEvent) => void) | null,
 *   postMessage: (said: object) => void,
 *   close: () => void,
 * }} Channel */

/** One stream for all tabs of a browser. @implements {Source} */
export class Shared {
  /** It is never given up: whoever reads asks again. */
  readyState = 0;
  /** @type {Source["onmessage"]} */
  onmessage = null;
  /** @type {Source["onerror"]} */
  onerror = null;
  /** @type {Source | null} The server's stream, in the tab that reads it. */
  #source = null;
  /** What others have told while this tab does not know yet how everything was before; none once it
   * does. @type {string[] | null} */
  #early = [];
  /** @type {Record<"begin" | "beat" | "retry" | "ask", ReturnType<typeof setTimeout> | undefined>} */
  #timers = { begin: undefined, beat: undefined, retry: undefined, ask: undefined };
  #isAsking = false;
  #isClosed = false;
  /** @type {Channel} */
  #channel;
  /** @type {() => Source} */
  #open;
  /** @type {Ask} */
  #ask;
  /** @type {() => number} */
  #now;
  #sharing;

  /** @param {Channel} channel @param {() => Source} open The server's stream. @param {Ask} [ask]
   * @param {() => number} [now] The page's clock, in milliseconds.
   * @param {{ tab: string, since: number }} [me] What it is called, and when it was seen. */
  constructor(
    channel,
    open,
    ask = askOnce,
    now = () => performance.now(),
    { tab, since } = { tab: randomHex(8), since: Date.now() },
  ) {
    [this.#channel, this.#open, this.#ask, this.#now] = [channel, open, ask, now];
    channel.onmessage = ({ data }) => this.#hear(data);
    this.#sharing = new Sharing(tab, since, now(), (said) => channel.postMessage(said));
    const look = () => this.#look();
    this.#timers.begin = setTimeout(look, GRACE_MS);
    this.#timers.beat = setInterval(look, BEAT_MS);
  }

  close() {
    this.#isClosed = true;
    clearInterval(this.#timers.beat);
    Object.values(this.#timers).forEach((timer) => clearTimeout(timer));
    this.#source?.close();
    this.#sharing.leave();
    this.#channel.close();
  }

  /** Reads, or lets another read, as is right now. */
  #look() {
    const now = this.#now();
    this.#sharing.pass(now);
    if (this.#sharing.reads(now)) {
      this.#read();
    } else if (this.#sharing.follows) {
      this.#follow();
    }
  }

  #read() {
    if (this.#source || this.#timers.retry) {
      return;
    }
    const source = this.#open();
    this.#source = source;
    source.onmessage = ({ data }) => {
      this.#early = null;
      this.#channel.postMessage({ type: "event", data });
      this.#tell(data);
    };
    source.onerror = () => {
      this.#channel.postMessage({ type: "lost" });
      if (source.readyState === 2) {
        this.#stopReading();
        this.#timers.retry = setTimeout(() => {
          this.#timers.retry = undefined;
          this.#look();
        }, RETRY_MS);
      }
      this.onerror?.();
    };
  }

  #stopReading() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#timers.retry);
    this.#timers.retry = undefined;
  }

  #follow() {
    if (this.#source) {
      this.#stopReading();
      // What it has heard of others while it read, it has not taken.
      this.#early = [];
    }
    if (this.#early && !this.#isAsking && !this.#timers.ask) {
      void this.#catchUp();
    }
  }

  /** Asks how everything is, and goes on with what others have told since. */
  async #catchUp() {
    this.#isAsking = true;
    this.#early = [];
    const data = await this.#ask().catch(() => null);
    this.#isAsking = false;
    if (this.#isClosed || this.#source || !this.#early) {
      return;
    }
    if (data === null) {
      this.onerror?.();
      this.#timers.ask = setTimeout(() => {
        this.#timers.ask = undefined;
        this.#look();
      }, RETRY_MS);
      return;
    }
    const early = this.#early;
    this.#early = null;
    [data, ...early].forEach((each) => this.#tell(each));
  }

  /** @param {{ type: string, data: string }} said */
  #hear(said) {
    if (said.type !== "event" && said.type !== "lost") {
      this.#sharing.hear(said, this.#now());
      return this.#look();
    }
    // Whoever reads knows better.
    if (this.#source) {
      return;
    }
    if (said.type === "lost") {
      this.onerror?.();
    } else if (isWhole(said.data)) {
      this.#early = null;
      this.#tell(said.data);
    } else if (this.#early) {
      this.#early.push(said.data);
    } else {
      this.#tell(said.data);
    }
  }

  /** @param {string} data */
  #tell(data) {
    this.onmessage?.({ data });
  }
}

/** Whether an event tells of everything. The server writes its type first. @param {string} data */
function isWhole(data) {
  return data.startsWith('{"type":"snapshot"');
}
