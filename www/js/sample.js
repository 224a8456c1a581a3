// @ts-check
// Asks for some results of a job, evenly drawn, as long as there may be more to know.

/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./protocol.js").ErrorBody} ErrorBody */
/** @typedef {import("./protocol.js").SampleView} Sample */

/** The shortest time between two questions: a picture that changes faster is not looked at, and
 * each answer is read from the server's disk. */
export const ASK_INTERVAL_MS = 2000;
/** The same after an answer that was not all: the server has only stopped reading for a while. */
export const ASK_AGAIN_MS = 500;
/** The time that an answer may take: reading a sample takes the server far less, and what has taken
 * this long does not come any more. */
export const ANSWER_MS_MAX = 10_000;

/** @typedef {(job: number, signal: AbortSignal) => Promise<Sample>} Ask */

/** The server's answer; what it says where it has none is the error's message.
 * @type {Ask} */
export async function askSample(job, signal) {
  const answer = await fetch(`api/jobs/${job}/sample`, { signal });
  if (!answer.ok) {
    /** @type {ErrorBody | null} */
    const body = await answer.json().catch(() => null);
    throw new Error(body?.error.message ?? `HTTP ${answer.status}`);
  }
  return answer.json();
}

/** The newest sample of one job at a time. */
export class Sampler {
  /** @type {Sample | null} */
  sample = null;
  /** Why the last question had no answer.
   * @type {string | null} */
  failure = null;
  /** @type {JobView | null} */
  #job = null;
  /** @type {AbortController | null} Of the question that is out. */
  #question = null;
  #askedMs = -Infinity;
  /** Tasks that were settled when it was asked last. */
  #settled = -1;
  #ask;
  #changed;

  /** @param {() => void} changed Called when there is an answer, or a failure.
   * @param {Ask} [ask] */
  constructor(changed, ask = askSample) {
    this.#changed = changed;
    this.#ask = ask;
  }

  /** Takes the job as it is now. Of another one, what was known is forgotten at once.
   * @param {JobView | null} job @param {number} nowMs On any clock, the same at each call. */
  follow(job, nowMs) {
    if (job?.id !== this.#job?.id) {
      this.forget();
    }
    this.#job = job;
    if (this.#question && nowMs - this.#askedMs >= ANSWER_MS_MAX) {
      this.#drop();
      this.failure = "";
      this.#changed();
    }
    if (job && this.#isDue(job, nowMs)) {
      this.#send(job, nowMs);
    }
  }

  /** Forgets what is known, and what is asked: it may be of another server's job. */
  forget() {
    this.#drop();
    [this.sample, this.failure] = [null, null];
    [this.#askedMs, this.#settled] = [-Infinity, -1];
  }

  /** Waits no more for the question that is out. */
  #drop() {
    this.#question?.abort();
    this.#question = null;
  }

  /** @param {JobView} job @param {number} nowMs */
  #isDue(job, nowMs) {
    const isMore = this.sample?.complete === false;
    const intervalMs = isMore && this.failure === null ? ASK_AGAIN_MS : ASK_INTERVAL_MS;
    if (this.#question || nowMs - this.#askedMs < intervalMs) {
      return false;
    }
    return isMore || this.failure !== null || settled(job) !== this.#settled;
  }

  /** @param {JobView} job @param {number} nowMs */
  async #send(job, nowMs) {
    const question = new AbortController();
    this.#question = question;
    this.#askedMs = nowMs;
    this.#settled = settled(job);
    /** @type {Sample | null} */
    let answer = null;
    let failure = null;
    try {
      answer = await this.#ask(job.id, question.signal);
    } catch (error) {
      // What the browser says of a server that is away helps nobody.
      failure = error instanceof TypeError ? "" : /** @type {Error} */ (error).message;
    }
    // One that was asked of another job is of no interest any more, however it ended.
    if (this.#question === question) {
      this.#question = null;
      this.failure = failure;
      this.sample = answer ?? this.sample;
      this.#changed();
    }
  }
}

/** Tasks that will not change any more. @param {JobView} job */
function settled(job) {
  return job.done + job.failed;
}
