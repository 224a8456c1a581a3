// @ts-check
// Who may submit and control jobs: everybody, where the server asks for no token; else whoever has
// given the operator's, which is kept for this tab alone and never shown.

import { dialog, element, input, setText } from "./dom.js";
import { keeper } from "./keep.js";
import { RETRY_MS } from "./live.js";
import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").ServerView} ServerView */

export const TOKEN_KEY = "tequio-operator";
/** How long an answer is waited for, in milliseconds: far longer than a busy server takes, and about
 * as long as people wait for a button before they take it for broken. */
export const ANSWER_MS_MAX = 10_000;

/** A request that the server has refused, or has not answered. */
export class Refused extends Error {
  /** @param {ErrorDetail} detail */
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }

  /** Why, in the language of the moment; what only the server knows, in its own words. */
  get why() {
    return wordsFor(strings.operator.refused, this);
  }
}

export class Operator {
  /** Whether the server wants a token; null until it has said so.
   * @type {boolean | null} */
  #needsToken = null;
  #kept = keeper("sessionStorage");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  /** What is wrong with what was given, in the language of the moment. */
  #wrong = () => "";
  /** The token that is being checked; null while none is.
   * @type {AbortController | null} */
  #checking = null;
  /** Whether the server takes no more what it took before, and nothing else has been given. */
  #isStale = false;
  #changed;

  /** @param {() => void} changed Called when what is offered may have changed. */
  constructor(changed) {
    this.#changed = changed;
    element("operator-ask").addEventListener("click", () => this.#ask(() => ""));
    element("operator-forget").addEventListener("click", () => {
      this.#forget();
      element("operator-ask").focus();
    });
    element("operator-close").addEventListener("click", () => this.#dialog.close());
    element("operator-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#give(input("operator-token").value.trim());
    });
    // What is wrong with the last one is not yet so of the next.
    input("operator-token").addEventListener("input", () => {
      this.#wrong = () => "";
      this.show();
    });
    // However it is closed. Browsers tell of it with the next frame; it may be open again by then, and
    // another token being checked.
    this.#dialog.addEventListener("close", () => {
      if (!this.#dialog.open) {
        this.#abort();
        input("operator-token").value = "";
      }
    });
  }

  /** Whether submitting and controlling jobs is offered. */
  get mayChange() {
    return this.#needsToken === false || (this.#needsToken === true && this.#token !== "");
  }

  /** What whoever could change things should know, in the language of the moment. */
  get trouble() {
    return this.#isLocked && this.#isStale ? strings.operator.stale : "";
  }

  /** Asks the server anew what it wants, and whether it still takes what is kept. */
  async refresh() {
    clearTimeout(this.#again);
    try {
      const server = await askServer();
      if (server.needs_token && this.#token && !(await isRight(this.#token))) {
        this.#kept.setItem(TOKEN_KEY, "");
        this.#isStale = true;
      }
      this.#needsToken = server.needs_token;
    } catch {
      this.#again = setTimeout(() => void this.refresh(), RETRY_MS);
    }
    this.#changed();
    // Whoever was at what is no longer offered is led to where it can be had again.
    if (this.#isLocked && document.activeElement?.closest("#jobs [hidden]")) {
      element("operator-ask").focus();
    }
  }

  /** Asks the server for a change, and gives the job as it is then.
   * @param {string} path @param {object} [body] @returns {Promise<JobView>}
   * @throws {Refused} */
  async post(path, body) {
    const headers = { "content-type": "application/json" };
    return this.#change(path, { headers, body: body && JSON.stringify(body) });
  }

  /** Asks the server to remove something.
   * @param {string} path @throws {Refused} */
  async remove(path) {
    await this.#change(path, { method: "DELETE" });
  }

  /** What the server answers; null where that is nothing.
   * @param {string} path @param {RequestInit} request @throws {Refused} */
  async #change(path, request) {
    const headers = new Headers(request.headers);
    if (this.#token) {
      headers.set("authorization", `Bearer ${this.#token}`);
    }
    const answer = await send(path, { ...request, headers });
    const said = await answer.json().catch(() => null);
    if (answer.status === 401) {
      this.#needsToken = true;
      this.#forget();
      this.#ask(() => strings.operator.stale);
    }
    const isWhole = said !== null || answer.status === 204;
    if (!answer.ok || !isWhole) {
      throw new Refused(said?.error ?? { code: "no_answer", message: answer.statusText });
    }
    return said;
  }

  show() {
    element("operator-ask").hidden = !this.#isLocked;
    element("operator-forget").hidden = !(this.#needsToken && this.#token);
    setText("operator-wrong", this.#wrong());
    input("operator-token").setAttribute("aria-invalid", String(this.#wrong() !== ""));
    element("operator-give").setAttribute("aria-busy", String(this.#checking !== null));
  }

  get #isLocked() {
    return this.#needsToken === true && !this.#token;
  }

  get #token() {
    return this.#kept.getItem(TOKEN_KEY) ?? "";
  }

  get #dialog() {
    return dialog("operator-dialog");
  }

  /** @param {() => string} wrong */
  #ask(wrong) {
    this.#wrong = wrong;
    this.show();
    if (!this.#dialog.open) {
      this.#abort();
      this.#dialog.showModal();
    }
    input("operator-token").focus();
  }

  /** Whoever closes the dialog while a token is checked has thought better of it. */
  #abort() {
    this.#checking?.abort();
    this.#checking = null;
  }

  /** @param {string} token */
  async #give(token) {
    if (this.#checking) {
      return;
    }
    if (!token) {
      return this.#ask(() => strings.operator.missing);
    }
    input("operator-token").value = "";
    const checking = new AbortController();
    this.#checking = checking;
    const wrong = await this.#check(token, checking);
    if (checking.signal.aborted || !this.#dialog.open) {
      return;
    }
    if (wrong) {
      return this.#ask(wrong);
    }
    this.#wrong = () => "";
    this.#isStale = false;
    this.#kept.setItem(TOKEN_KEY, token);
    this.#dialog.close();
    this.#changed();
    // The button that opened the dialog is gone.
    element("new-job-open").focus();
  }

  /** What is wrong with a token, in the language of the moment; null where nothing is.
   * @param {string} token @param {AbortController} checking
   * @returns {Promise<(() => string) | null>} */
  async #check(token, checking) {
    this.show();
    try {
      return (await isRight(token, checking.signal)) ? null : () => strings.operator.wrong;
    } catch (error) {
      return () => /** @type {Refused} */ (error).why;
    } finally {
      if (this.#checking === checking) {
        this.#checking = null;
      }
      this.show();
    }
  }

  #forget() {
    this.#kept.setItem(TOKEN_KEY, "");
    this.#changed();
  }
}

/** Asks the server for something, and waits so long and no longer.
 * @param {string} path @param {RequestInit} [request] */
export function ask(path, request) {
  // `AbortSignal.any` is younger than many browsers.
  const asking = new AbortController();
  const end = () => asking.abort();
  setTimeout(end, ANSWER_MS_MAX);
  request?.signal?.addEventListener("abort", end);
  if (request?.signal?.aborted) {
    end();
  }
  return fetch(path, { ...request, signal: asking.signal });
}

/** @returns {Promise<ServerView>} */
async function askServer() {
  const answer = await ask("api/server");
  if (!answer.ok) {
    throw new Error(answer.statusText);
  }
  return answer.json();
}

/** @param {string} token @param {AbortSignal} [signal]
 * @throws {Refused} Where it cannot be said. */
async function isRight(token, signal) {
  // A header holds no other characters, and so no token does.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return false;
  }
  const headers = { authorization: `Bearer ${token}` };
  const answer = await send("api/operator", { headers, signal });
  if (!answer.ok && answer.status !== 401) {
    throw new Refused({ code: "no_answer", message: answer.statusText });
  }
  return answer.ok;
}

/** @param {string} path @param {RequestInit} request */
async function send(path, request) {
  try {
    return await ask(path, { method: "POST", ...request });
  } catch (error) {
    throw new Refused({ code: "no_answer", message: String(error) });
  }
}
