// @ts-check
// What the server is asked for, and what came back: its answer, its refusal, or something from between
// that is not the server at all, such as a proxy.

import { strings, wordsFor } from "./strings.js";

/** @typedef {import("./protocol.js").ErrorDetail} ErrorDetail */

/** How long an answer is waited for, in milliseconds: far longer than a busy server takes, and about
 * as long as people wait for a button before they take it for broken. */
export const ANSWER_MS_MAX = 10_000;

/** A request that the server has refused or not answered, or that did not come to it. */
export class Refused extends Error {
  /** @param {ErrorDetail} detail @param {number | null} [foreign] The status of an answer that is not
   * the server's; 0 where it leads elsewhere. */
  constructor({ code, message }, foreign = null) {
    super(message);
    this.code = code;
    this.foreign = foreign;
  }

  /** Why, in the language of the moment; what only the server knows, in its own words. */
  get why() {
    return this.foreign === null ? wordsFor(strings.operator.refused, this) : foreign(this.foreign);
  }
}

/** Why, in the language of the moment. @param {unknown} error */
export function whyOf(error) {
  return error instanceof Refused ? error.why : String(error);
}

/** What an answer means that is not the server's. @param {number} status */
function foreign(status) {
  const said = strings.foreign;
  const known = /** @type {Record<number, string>} */ (said.known);
  const isAway = status === 408 || status === 429 || status >= 500;
  return known[status] ?? (isAway ? said.away(status) : said.other(status));
}

/** An answer, read to its end; what it says is null where that is no JSON.
 * @typedef {{ status: number, said: any }} Answer */

/** Asks for something, and waits so long and no longer.
 * @param {string} path Below the page's own. @param {RequestInit} [request] @param {number} [msMax]
 * @returns {Promise<Answer>} @throws {Refused} Where nothing came. */
export async function ask(path, request = {}, msMax = ANSWER_MS_MAX) {
  const asking = new AbortController();
  const stop = () => asking.abort();
  const limit = setTimeout(stop, msMax);
  request.signal?.addEventListener("abort", stop);
  try {
    if (request.signal?.aborted) {
      stop();
    }
    // What leads elsewhere would be followed, and taken for the server.
    const how = /** @type {RequestInit} */ ({ redirect: "manual", ...request, signal: asking.signal });
    const answer = await fetch(new URL(path, document.baseURI), how);
    const text = await answer.text();
    return { status: answer.status, said: parsed(text) };
  } catch (error) {
    throw new Refused({ code: "no_answer", message: String(error) });
  } finally {
    clearTimeout(limit);
    request.signal?.removeEventListener("abort", stop);
  }
}

/** What the server has said; null where that is nothing.
 * @param {Answer} answer @throws {Refused} Where it has refused, or something else has answered. */
export function saidBy({ status, said }) {
  const isGood = status >= 200 && status < 300;
  if (isGood && (said !== null || status === 204)) {
    return said;
  }
  const { error } = Object(said);
  if (!isGood && isDetail(error)) {
    throw new Refused(error);
  }
  throw new Refused({ code: "foreign", message: `HTTP ${status}` }, status);
}

/** @param {unknown} error @returns {error is ErrorDetail} */
function isDetail(error) {
  const { code, message } = Object(error);
  return typeof code === "string" && typeof message === "string";
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
