// @ts-check
// How long a message takes to a server and back.

/** How many are sent: enough for a median, and few enough to be done at once. */
export const TRIPS = 20;

/** The times of messages that are sent one after the other, so that none waits for another.
 * @param {(text: string) => Promise<unknown>} ask Sends a text, and ends when it is back.
 * @param {() => number} now @returns {Promise<number[]>} */
export async function roundTrips(ask, now = () => performance.now()) {
  const times = [];
  for (let trip = 1; trip <= TRIPS; trip += 1) {
    const begun = now();
    await ask(`round trip ${trip}`);
    times.push(now() - begun);
  }
  return times;
}

/** @param {number[]} times At least one. */
export function summary(times) {
  const sorted = [...times].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return {
    min: sorted[0],
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    max: sorted[sorted.length - 1],
  };
}
