// @ts-check
// The names of jobs, which only the server knows.

/** Names that are kept: a tab may be open for weeks. */
const NAMES_MAX = 200;

export class JobNames {
  /** @type {Map<number, string>} By job; empty while it is not known. */
  #names = new Map();
  #ask;

  /** @param {((job: number) => Promise<unknown>) | null} ask Asks the server for a job; null where
   * it cannot be asked. */
  constructor(ask) {
    this.#ask = ask;
  }

  /** Its name; empty where it has none, and until it is known. Each job is asked for once.
   * @param {number} job @returns {string} */
  of(job) {
    const known = this.#names.get(job);
    if (known === undefined && this.#ask) {
      this.#names.set(job, "");
      void this.#learn(job, this.#ask);
      if (this.#names.size > NAMES_MAX) {
        const [oldest] = this.#names.keys();
        this.#names.delete(oldest);
      }
    }
    return known ?? "";
  }

  /** What is known is of another server, perhaps, and what is not may be known by now. */
  forget() {
    this.#names.clear();
  }

  /** @param {number} job @param {(job: number) => Promise<unknown>} ask */
  async #learn(job, ask) {
    try {
      const { name } = Object(await ask(job));
      if (typeof name === "string") {
        this.#names.set(job, name);
      }
    } catch {
      // Then it is shown by its number.
    }
  }
}

/** Asks the server that the page came from.
 * @param {number} job @returns {Promise<unknown>} */
export async function askOwnServer(job) {
  const answer = await fetch(`/api/jobs/${job}`);
  return answer.ok ? answer.json() : null;
}
