// @ts-check
// What a person lends of this machine: how many cores, and how much of each one's time.

import { keptObject } from "./keep.js";

/** @typedef {import("./protocol.js").Allowance} Allowance */
/** @typedef {import("./keep.js").Keeper} Keeper */

/** Where the browser does not say how many cores there are: nearly every machine has two. */
const CORES_UNKNOWN = 2;

/** The least share that can be chosen: below, a tab waits more than it computes. */
export const SHARE_MIN = 25;
export const SHARE_MAX = 100;
export const SHARE_STEP = 5;

/** On its battery a machine lends half of what it lends by default. */
const SHARE_ON_BATTERY = SHARE_MAX / 2;

export const ALLOWANCE_KEY = "tequio-allowance";

/** As much of the Battery Status API as is used; Chromium alone has it.
 * @typedef {EventTarget & { charging: boolean }} Battery */

/** As much of `navigator` as is used.
 * @typedef {{
 *   hardwareConcurrency?: number,
 *   userAgent: string,
 *   userAgentData?: { mobile: boolean },
 *   getBattery?: () => Promise<Battery>,
 * }} Machine */

/** What a person has set by hand, and lends from then on; null where they have not.
 * @typedef {{ cores: number | null, share: number | null }} Chosen */

export class Lending {
  /** @type {Chosen} */
  #chosen;
  #onBattery = false;
  #keeper;
  #machine;
  #changed;

  /** @param {Machine} machine @param {Keeper} keeper
   * @param {() => void} changed Called whenever the allowance, or its reason, has changed. */
  constructor(machine, keeper, changed) {
    this.#machine = machine;
    this.#keeper = keeper;
    this.#changed = changed;
    this.coresMax = Math.max(1, Math.floor(machine.hardwareConcurrency || CORES_UNKNOWN));
    this.#chosen = this.#kept();
    void this.#watchBattery();
  }

  /** @returns {Allowance} */
  get allowance() {
    const byDefault = this.#onBattery ? SHARE_ON_BATTERY : SHARE_MAX;
    return {
      cores: this.#chosen.cores ?? this.#coresByDefault(),
      share_percent: this.#chosen.share ?? byDefault,
    };
  }

  /** Whether the share is less because the machine runs on its battery. */
  get spares() {
    return this.#onBattery && this.#chosen.share === null;
  }

  /** @param {number} cores */
  setCores(cores) {
    this.#set({ ...this.#chosen, cores: clampCores(cores, this.coresMax) });
  }

  /** @param {number} percent */
  setShare(percent) {
    this.#set({ ...this.#chosen, share: clampShare(percent) });
  }

  /** Another tab of this browser has set something. */
  reread() {
    this.#chosen = this.#kept();
    this.#changed();
  }

  /** @param {Chosen} chosen */
  #set(chosen) {
    this.#chosen = chosen;
    this.#keeper.setItem(ALLOWANCE_KEY, JSON.stringify(chosen));
    this.#changed();
  }

  /** @returns {Chosen} */
  #kept() {
    const kept = keptObject(this.#keeper, ALLOWANCE_KEY);
    return { cores: clampCores(kept.cores, this.coresMax), share: clampShare(kept.share) };
  }

  /** One core stays with the person; a phone, which grows hot and slow, lends one alone. */
  #coresByDefault() {
    const { userAgentData, userAgent } = this.#machine;
    const isPhone = userAgentData?.mobile ?? /Mobi|Android/.test(userAgent);
    return isPhone ? 1 : Math.max(1, this.coresMax - 1);
  }

  async #watchBattery() {
    try {
      const battery = await this.#machine.getBattery?.();
      const look = () => {
        const onBattery = battery?.charging === false;
        const isNew = onBattery !== this.#onBattery;
        this.#onBattery = onBattery;
        // What a person has set by hand stands, whatever the battery does.
        if (isNew && this.#chosen.share === null) {
          this.#changed();
        }
      };
      look();
      battery?.addEventListener("chargingchange", look);
    } catch {
      // It is forbidden to know; then the machine is taken to be plugged in.
    }
  }
}

/** @param {unknown} cores @param {number} max @returns {number | null} */
function clampCores(cores, max) {
  return isNumber(cores) ? Math.min(max, Math.max(1, Math.round(cores))) : null;
}

/** @param {unknown} percent @returns {number | null} */
function clampShare(percent) {
  if (!isNumber(percent)) {
    return null;
  }
  const stepped = Math.round(percent / SHARE_STEP) * SHARE_STEP;
  return Math.min(SHARE_MAX, Math.max(SHARE_MIN, stepped));
}

/** @param {unknown} value @returns {value is number} */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
