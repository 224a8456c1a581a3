// @ts-check
// The server's chat, as a page takes part in it: who says what, and a connection that comes back.

/** @typedef {import("./protocol.js").ChatEvent} ChatEvent */

/** What is kept: more than anybody scrolls through. */
export const EVENTS_MAX = 200;

/** How long a page that is not to be seen stays: whoever looks at something else for a moment has
 * not left, and the others are not told of it. */
export const GRACE_MS = 60_000;

/** How long after joining what comes is taken for what was said before: the server sends that at
 * once, and does not say where it ends. */
export const HISTORY_MS = 300;

/** The first pause before joining again, and the longest. */
export const RETRY_MS_MIN = 1000;
export const RETRY_MS_MAX = 30_000;

/** How long what was said may take to come back. A connection may have died without a word. */
export const ANSWER_MS_MAX = 10_000;

/** The longest name, in characters. */
const NAME_CHARS_MAX = 40;

/** Something that happened in the room.
 * @typedef {{ event: ChatEvent, at: Date, isMine: boolean }} Happening */

/** As much of a `WebSocket` as is used here.
 * @typedef {Pick<WebSocket, "send" | "close" | "onopen" | "onmessage" | "onclose">} Socket */

/** What is told of the room: `added` of each thing that happens, `replaced` of all that is known,
 * `changed` when the connection has, and `unsent` of what may not have been heard by anybody, the
 * oldest first.
 * @typedef {{
 *   added: (happening: Happening) => void,
 *   replaced: () => void,
 *   changed: () => void,
 *   unsent: (texts: string[]) => void,
 * }} Listener */

/** The name that a text stands for, empty for none; null where the server would refuse it.
 * @param {string} text */
export function nameFrom(text) {
  const name = text.trim();
  const isPrintable = !/[\p{Cc}\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u.test(name);
  const isGood = name.length <= NAME_CHARS_MAX && !name.startsWith("#") && isPrintable;
  return isGood ? name : null;
}

export class ChatRoom {
  /** @type {Happening[]} The oldest first. */
  happenings = [];
  /** @type {"joining" | "open" | "lost"} */
  link = "joining";
  /** Whether it was lost and is not back, in all attempts together. */
  isAway = false;
  /** Why the server closed it, in its words. */
  reason = "";
  /** What the others call this page: its name, else its number once that is known. */
  self = "";
  #name;
  /** @type {Socket | null} */
  #socket = null;
  /** @type {Happening[] | null} What was said before, while it comes. */
  #history = null;
  /** @type {string[]} What was said here and has not come back. */
  #pending = [];
  #attempts = 0;
  #openedAt = 0;
  /** @type {Record<"retry" | "leave" | "settle" | "answer", ReturnType<typeof setTimeout> | undefined>} */
  #timers = { retry: undefined, leave: undefined, settle: undefined, answer: undefined };
  #listener;
  #open;

  /** @param {string} name Empty for none. @param {(name: string) => Socket} open
   * @param {Listener} listener */
  constructor(name, open, listener) {
    this.#name = name;
    this.#open = open;
    this.#listener = listener;
  }

  /** Joins, or stays. */
  enter() {
    clearTimeout(this.#timers.leave);
    if (!this.#socket) {
      this.#attempts = 0;
      this.#join();
    }
  }

  /** Leaves, unless it is entered again soon. */
  leaveSoon() {
    clearTimeout(this.#timers.leave);
    this.#timers.leave = setTimeout(() => {
      this.#drop();
      this.link = "joining";
      this.#listener.changed();
    }, GRACE_MS);
  }

  /** Joins again under another name. @param {string} name */
  rename(name) {
    if (name !== this.#name) {
      this.#name = name;
      this.#attempts = 0;
      this.#join();
    }
  }

  /** Whether it is on its way. @param {string} text */
  say(text) {
    if (this.link !== "open") {
      return false;
    }
    this.#socket?.send(text);
    this.#pending.push(text);
    this.#timers.answer ??= setTimeout(() => this.#lose(""), ANSWER_MS_MAX);
    return true;
  }

  #join() {
    // What was said under another name is on its way: a socket sends it before it closes.
    this.#drop();
    this.link = "joining";
    this.self = this.#name;
    let socket;
    try {
      socket = this.#open(this.#name);
    } catch {
      // A page of https may not ask a server without it.
      return this.#lose("");
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.link = "open";
      this.isAway = false;
      this.reason = "";
      this.#openedAt = Date.now();
      this.#history = [];
      this.#timers.settle = setTimeout(() => this.#settle(), HISTORY_MS);
      this.#listener.changed();
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = ({ reason }) => this.#lose(reason);
    this.#listener.changed();
  }

  /** @param {unknown} data */
  #hear(data) {
    const event = eventFrom(data);
    if (!event) {
      return;
    }
    const isMine = "from" in event && this.#isMine(event.from, event.text);
    const happening = { event, at: new Date(event.at), isMine };
    if (this.#history) {
      this.#history.push(happening);
      // What was before is over once it is told of having joined itself.
      if ("joined" in event && event.joined === this.#name) {
        this.#settle();
      }
      return;
    }
    this.happenings = [...this.happenings, happening].slice(-EVENTS_MAX);
    this.#listener.added(happening);
  }

  /** @param {string} from @param {string} text */
  #isMine(from, text) {
    const isBack = text === this.#pending[0] && (this.self === "" ? from.startsWith("#") : from === this.self);
    if (isBack) {
      this.#pending.shift();
      this.#answered();
      if (this.self === "") {
        this.self = from;
        this.#listener.changed();
      }
    }
    return from === this.self;
  }

  #answered() {
    clearTimeout(this.#timers.answer);
    const isLeft = this.#pending.length > 0;
    this.#timers.answer = isLeft ? setTimeout(() => this.#lose(""), ANSWER_MS_MAX) : undefined;
  }

  /** What was known is replaced by what the server still knows. */
  #settle() {
    clearTimeout(this.#timers.settle);
    this.happenings = (this.#history ?? []).slice(-EVENTS_MAX);
    this.#history = null;
    this.#listener.replaced();
  }

  /** @param {string} reason */
  #lose(reason) {
    // One that lasted was no attempt in vain.
    if (this.link === "open" && Date.now() - this.#openedAt > RETRY_MS_MAX) {
      this.#attempts = 0;
    }
    const unsent = this.#pending;
    this.#drop();
    this.link = "lost";
    this.isAway = true;
    this.reason = reason || this.reason;
    // Pages that lost their server together do not come back together.
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#attempts);
    this.#timers.retry = setTimeout(() => this.#join(), pauseMs * (0.5 + Math.random() / 2));
    this.#attempts += 1;
    this.#listener.changed();
    if (unsent.length > 0) {
      this.#listener.unsent(unsent);
    }
  }

  #drop() {
    clearTimeout(this.#timers.retry);
    clearTimeout(this.#timers.settle);
    clearTimeout(this.#timers.answer);
    this.#timers.answer = undefined;
    this.#history = null;
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
    this.#pending = [];
  }
}

/** What a message of the server says; null where that is nothing that is known here.
 * @param {unknown} data @returns {ChatEvent | null} */
function eventFrom(data) {
  try {
    const found = Object(JSON.parse(String(data)));
    const { from, text, joined, left, members, at } = found;
    const isSaid = typeof from === "string" && typeof text === "string";
    const isMove = typeof (joined ?? left) === "string" && typeof members === "number";
    return (isSaid || isMove) && !Number.isNaN(Date.parse(at)) ? found : null;
  } catch {
    return null;
  }
}
