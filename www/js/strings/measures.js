// @ts-check
// Numbers and times as a language writes them: every number of the page that is no name comes from
// here. Symbols of units are the same in all of them.

/** The most digits behind the point that anything here is said with. */
const DIGITS_MAX = 2;

/** The units of a span of time in words, and their seconds. */
const SPANS = /** @type {const} */ ([
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
]);
/** How much of a unit a span has at least that is said in it: below, the smaller one says more. */
const SPAN_UNITS_MIN = 1.5;
/** Seconds are said in steps of so many: nobody can know them better. */
const SPAN_STEP_S = 5;

/** Younger than this is now: what changes all the time is told of only every few seconds. */
export const NOW_MS = 10_000;

/** @type {[seconds: number, symbol: string][]} */
const UNITS_S = [[24 * 3600, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** @param {string} locale */
export function measures(locale) {
  /** How numbers are written: always in groups of digits, since Intl leaves them out here and there.
   * @param {Intl.NumberFormatOptions} options @param {string} [unit] Behind it, where Intl cannot.
   * @returns {(value: number) => string} */
  const written = (options, unit) => {
    const format = numbers(locale, { useGrouping: true, ...options }, unit);
    return (value) => format.format(value);
  };
  /** @param {number} digits Behind the point. */
  const fixed = (digits) =>
    written({ minimumFractionDigits: digits, maximumFractionDigits: digits });
  const decimals = Array.from({ length: DIGITS_MAX + 1 }, (_, digits) => fixed(digits));
  const [whole] = decimals;
  const rough = written({ maximumSignificantDigits: 3 });
  const minute = dates(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const second = dates(locale, {
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const day = dates(locale, { day: "numeric", month: "short" });

  /** @param {number} value @param {number} digits Behind the point. */
  const decimal = (value, digits) => decimals[digits](value);

  /** @param {number} count @param {string} unit */
  const counted = (count, unit) =>
    written({ style: "unit", unit, unitDisplay: "long" }, ` ${unit}`)(count);

  return {
    decimal,
    /** A part of a whole. It is not full, nor nothing, before it is.
     * @param {number} part @param {number} all */
    percent: (part, all) => {
      const share = all > 0 ? (100 * part) / all : 0;
      if (share > 0 && share < 0.1) {
        return `< ${decimal(0.1, 1)} %`;
      }
      const digits = share > 0 && share < 10 ? 1 : 0;
      return `${decimal(Math.floor(share * 10 ** digits) / 10 ** digits, digits)} %`;
    },
    /** Roughly how long, in words, and the number in them.
     * @param {number} seconds */
    span: (seconds) => {
      for (const [unit, unitS] of SPANS) {
        if (seconds >= SPAN_UNITS_MIN * unitS) {
          const count = Math.round(seconds / unitS);
          return { count, text: counted(count, unit) };
        }
      }
      const count = Math.max(1, Math.ceil(seconds / SPAN_STEP_S)) * SPAN_STEP_S;
      return { count, text: counted(count, "second") };
    },
    /** A count in a sentence or a cell. @param {number} count */
    grouped: whole,
    /** A number of which the size is enough, such as `1.24M`. */
    short: written({ notation: "compact", maximumSignificantDigits: 3 }),
    /** A number of an axis. @param {number} value @param {number} digits Behind the point. */
    mark: (value, digits) => fixed(digits)(value),
    /** @param {number} value @param {number} digits In all. */
    significant: (value, digits) => written({ maximumSignificantDigits: digits })(value),
    /** How often a second something happens. @param {number} perSecond */
    rate: (perSecond) => decimal(perSecond, perSecond > 0 && perSecond < 10 ? 1 : 0),
    /** @param {number} ms */
    duration: (ms) => {
      if (ms < 0.1) {
        // Below what browsers let a clock show.
        return `< ${decimal(0.1, 1)} ms`;
      }
      return ms < 1000 ? `${rough(ms)} ms` : `${decimal(ms / 1000, 2)} s`;
    },
    /** A time that is nothing to wait for, or is. @param {number} ms */
    lag: (ms) => (ms < 1 ? "< 1 ms" : `${whole(ms)} ms`),
    /** A time of which its size is enough: in the largest unit that it fills. @param {number} ms */
    roughTime: (ms) => {
      const seconds = Math.floor(ms / 1000);
      const [size, unit] = UNITS_S.find(([size]) => seconds >= size) ?? [1, "s"];
      return `${whole(Math.floor(seconds / size))} ${unit}`;
    },
    /** A time that grows while one looks at it. @param {number} ms */
    longTime: (ms) => {
      const seconds = Math.floor(ms / 1000);
      const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
      if (minutes < 1) {
        return `${seconds} s`;
      }
      if (hours < 1) {
        return `${minutes} min ${seconds % 60} s`;
      }
      return hours < 48
        ? `${hours} h ${minutes % 60} min`
        : `${whole(Math.floor(hours / 24))} d ${hours % 24} h`;
    },
    /** The time of day, to the second. @param {Date} at */
    time: (at) => second.format(at),
    /** @param {Date} at */
    timeToMinute: (at) => minute.format(at),
    /** The same, and the day if it is another one. @param {Date} at @param {Date} now */
    dayTime: (at, now) => {
      const isToday = at.toDateString() === now.toDateString();
      return isToday ? minute.format(at) : `${day.format(at)}, ${minute.format(at)}`;
    },
  };
}

/** As `Intl` writes numbers; plainly, in a browser that cannot.
 * @param {string} locale @param {Intl.NumberFormatOptions} options
 * @param {string} unit What is behind a plain number. */
function numbers(locale, options, unit = "") {
  try {
    return new Intl.NumberFormat(locale, options);
  } catch {
    const digits = options.maximumFractionDigits ?? 2;
    return { format: (/** @type {number} */ value) => `${Number(value.toFixed(digits))}${unit}` };
  }
}

/** The same of times. @param {string} locale @param {Intl.DateTimeFormatOptions} options */
function dates(locale, options) {
  try {
    return new Intl.DateTimeFormat(locale, options);
  } catch {
    const [from, to] = options.day ? [5, 10] : [11, options.second ? 19 : 16];
    return { format: (/** @type {Date} */ at) => at.toISOString().slice(from, to) };
  }
}
