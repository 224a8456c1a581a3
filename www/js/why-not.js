// @ts-check
// Why a socket does not open. A browser says nothing of that to a page; what is at the socket's address
// says more to a plain request: a server that is asked there without an upgrade says that it wants one.

/** How long an answer is waited for: far longer than a busy server takes. */
const ANSWER_MS_MAX = 10_000;

/** What is on the way, or at its end: the server is `away`; a proxy keeps the `upgrade` back; the server
 * has `refused` the page; a proxy wants a `password`, sends elsewhere (`moved`), or answers for the
 * server (`proxy`).
 * @typedef {{ kind: "away" | "upgrade" | "refused" | "password" | "moved" | "proxy", said: string }} Why */

/** @param {string | URL} socket Its address, at a server of the page's own origin.
 * @returns {Promise<Why>} */
export async function whyNot(socket) {
  if (!("WebSocket" in globalThis)) {
    return { kind: "away", said: "" };
  }
  const url = new URL(socket);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  // Whether the server takes this page's sockets, it says only to who says whose page that is.
  url.searchParams.set("origin", location.origin);
  const asking = new AbortController();
  const late = setTimeout(() => asking.abort(), ANSWER_MS_MAX);
  try {
    const answer = await fetch(url.href, { redirect: "manual", cache: "no-store", signal: asking.signal });
    return reading(answer, await answer.json().catch(() => null));
  } catch {
    return { kind: "away", said: "" };
  } finally {
    clearTimeout(late);
  }
}

/** What an answer to a plain request means for the socket.
 * @param {{ type: string, status: number, statusText: string }} answer @param {unknown} body As JSON.
 * @returns {Why} */
export function reading({ type, status, statusText }, body) {
  const error = Object(Object(body).error);
  if (error.code === "not_a_websocket") {
    return { kind: "upgrade", said: "" };
  }
  if (typeof error.message === "string") {
    return { kind: "refused", said: error.message };
  }
  if (type === "opaqueredirect") {
    return { kind: "moved", said: "" };
  }
  return { kind: status === 401 ? "password" : "proxy", said: `${status} ${statusText}`.trim() };
}

/** Why the tab's own socket does not open, from one attempt to the next. */
export class WhyNot {
  /** @type {Why | null} Nothing while it is open, or nothing more is known. */
  why = null;
  /** Whether a socket has been open since the last attempt. */
  #wasOpen = false;
  /** The last answer: a server that has just come back would be taken for one behind such a proxy. */
  #before = "";
  #changed;
  #ask;

  /** @param {() => void} changed @param {typeof whyNot} [ask] */
  constructor(changed, ask = whyNot) {
    this.#changed = changed;
    this.#ask = ask;
  }

  connected() {
    this.#wasOpen = true;
    this.why = null;
    this.#before = "";
  }

  /** @param {string} socket */
  async disconnected(socket) {
    if (this.#wasOpen) {
      this.#wasOpen = false;
      return;
    }
    const why = await this.#ask(socket);
    if (this.#wasOpen) {
      // It has opened meanwhile.
      return;
    }
    const isSure = why.kind !== "upgrade" || this.#before === "upgrade";
    this.#before = why.kind;
    this.why = why.kind !== "away" && isSure ? why : null;
    this.#changed();
  }
}
