// @ts-check
// Who may submit and control jobs: everybody, where the server asks for no token; else whoever has
// given the operator's, which is kept for this tab alone and never shown.

import { Refused, ask, saidBy, whyOf } from "./answer.js";
import { dialog, element, input, setText } from "./dom.js";
import { keeper } from "./keep.js";
import { RETRY_MS } from "./live.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").ServerView} ServerView */

export const TOKEN_KEY = "tequio-operator";
/** The header of the token. `Authorization` is left to proxies, which may want a password of their
 * own. */
const TOKEN_HEADER = "tequio-token";

/** How long a file may take to the server and be looked at there, in milliseconds: 16 MiB over a slow line. */
const UPLOAD_MS_MAX = 120_000;

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
  /** What has answered in the server's place, when it was asked last.
   * @type {Refused | null} */
  #unasked = null;
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
    if (this.#unasked) {
      return this.#unasked.why;
    }
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
      this.#unasked = null;
    } catch (error) {
      const isForeign = error instanceof Refused && error.foreign !== null;
      this.#unasked = isForeign ? error : null;
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

  /** Sends the server a file, and gives what it says of that.
   * @param {string} path @param {Blob} file @param {AbortSignal} [signal] @returns {Promise<any>} @throws {Refused} */
  async send(path, file, signal) {
    const headers = { "content-type": "application/octet-stream" };
    return this.#change(path, { headers, body: file, signal }, UPLOAD_MS_MAX);
  }

  /** Asks the server to remove something.
   * @param {string} path @throws {Refused} */
  async remove(path) {
    await this.#change(path, { method: "DELETE" });
  }

  /** What the server answers; null where that is nothing.
   * @param {string} path @param {RequestInit} request @param {number} [msMax] How long it may take.
   * @throws {Refused} */
  async #change(path, request, msMax) {
    const headers = new Headers(request.headers);
    if (this.#token) {
      headers.set(TOKEN_HEADER, this.#token);
    }
    try {
      return saidBy(await ask(path, { method: "POST", ...request, headers }, msMax));
    } catch (error) {
      // A proxy that wants a password knows nothing of the token.
      if (error instanceof Refused && error.code === "unauthorized") {
        this.#needsToken = true;
        this.#forget();
        this.#ask(() => strings.operator.stale);
      }
      throw error;
    }
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
    const kept = this.#kept.getItem(TOKEN_KEY) ?? "";
    return isPossible(kept) ? kept : "";
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
    if (!isPossible(token)) {
      return this.#ask(() => strings.operator.impossible);
    }
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
      return () => whyOf(error);
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

/** Whether a header can hold it: others no server has. @param {string} token */
function isPossible(token) {
  return /^[\x20-\x7e]+$/.test(token);
}

/** @returns {Promise<ServerView>} @throws {Refused} */
async function askServer() {
  return saidBy(await ask("api/server"));
}

/** @param {string} token @param {AbortSignal} [signal]
 * @throws {Refused} Where it cannot be said. */
async function isRight(token, signal) {
  try {
    const headers = { [TOKEN_HEADER]: token };
    saidBy(await ask("api/operator", { method: "POST", headers, signal }));
    return true;
  } catch (error) {
    if (error instanceof Refused && error.code === "unauthorized") {
      return false;
    }
    throw error;
  }
}
