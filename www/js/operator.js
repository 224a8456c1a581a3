// @ts-check
// Who may submit and control jobs: everybody, where the server asks for no token; else whoever has
// given the operator's, which is kept for this tab alone and never shown.

import { element, input, setText } from "./dom.js";
import { keeper } from "./keep.js";
import { RETRY_MS } from "./live.js";
import { strings } from "./strings.js";

/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").ServerView} ServerView */

export const TOKEN_KEY = "tequio-operator";

/** A request that the server has refused, or has not answered. */
export class Refused extends Error {
  /** @param {ErrorDetail} detail */
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }

  /** Why, in the language of the moment; what only the server knows, in its own words. */
  get why() {
    const known = /** @type {Record<string, string>} */ (strings.operator.refused);
    return Object.hasOwn(known, this.code) ? known[this.code] : this.message;
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
    // However it is closed. Browsers tell of it with the next frame; it may be open again by then.
    this.#dialog.addEventListener("close", () => {
      if (!this.#dialog.open) {
        input("operator-token").value = "";
      }
    });
  }

  /** Whether submitting and controlling jobs is offered. */
  get mayChange() {
    return this.#needsToken === false || (this.#needsToken === true && this.#token !== "");
  }

  /** Asks the server anew what it wants, and whether it still takes what is kept. */
  async refresh() {
    clearTimeout(this.#again);
    try {
      const server = await askServer();
      if (server.needs_token && this.#token && !(await isRight(this.#token))) {
        this.#kept.setItem(TOKEN_KEY, "");
      }
      this.#needsToken = server.needs_token;
    } catch {
      this.#again = setTimeout(() => void this.refresh(), RETRY_MS);
    }
    this.#changed();
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
    const isLocked = this.#needsToken === true && !this.#token;
    element("operator-ask").hidden = !isLocked;
    element("operator-forget").hidden = !(this.#needsToken && this.#token);
    setText("operator-wrong", this.#wrong());
    input("operator-token").setAttribute("aria-invalid", String(this.#wrong() !== ""));
  }

  get #token() {
    return this.#kept.getItem(TOKEN_KEY) ?? "";
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (element("operator-dialog"));
  }

  /** @param {() => string} wrong */
  #ask(wrong) {
    this.#wrong = wrong;
    this.show();
    if (!this.#dialog.open) {
      this.#dialog.showModal();
    }
    input("operator-token").focus();
  }

  /** @param {string} token */
  async #give(token) {
    if (!token) {
      return this.#ask(() => strings.operator.missing);
    }
    input("operator-token").value = "";
    try {
      if (!(await isRight(token))) {
        return this.#ask(() => strings.operator.wrong);
      }
    } catch (error) {
      return this.#ask(() => /** @type {Refused} */ (error).why);
    }
    this.#wrong = () => "";
    this.#kept.setItem(TOKEN_KEY, token);
    this.#dialog.close();
    this.#changed();
    // The button that opened the dialog is gone.
    element("new-job-open").focus();
  }

  #forget() {
    this.#kept.setItem(TOKEN_KEY, "");
    this.#changed();
  }
}

/** @returns {Promise<ServerView>} */
async function askServer() {
  const answer = await fetch("/api/server");
  if (!answer.ok) {
    throw new Error(answer.statusText);
  }
  return answer.json();
}

/** @param {string} token @throws {Refused} Where it cannot be said. */
async function isRight(token) {
  // A header holds no other characters, and so no token does.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return false;
  }
  const headers = { authorization: `Bearer ${token}` };
  const answer = await send("/api/operator", { headers });
  if (!answer.ok && answer.status !== 401) {
    throw new Refused({ code: "no_answer", message: answer.statusText });
  }
  return answer.ok;
}

/** @param {string} path @param {RequestInit} request */
async function send(path, request) {
  try {
    return await fetch(path, { method: "POST", ...request });
  } catch (error) {
    throw new Refused({ code: "no_answer", message: String(error) });
  }
}
