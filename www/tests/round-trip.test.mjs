// @ts-check
// How long messages take, of times that are known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TRIPS, roundTrips, summary } from "../js/round-trip.js";

test("one message is sent when the one before is back", async () => {
  let [clock, under] = [0, 0];
  const texts = new Set();
  const times = await roundTrips(async (text) => {
    texts.add(text);
    under += 1;
    assert.equal(under, 1);
    await Promise.resolve();
    clock += texts.size;
    under -= 1;
  }, () => clock);
  assert.deepEqual(times, Array.from({ length: TRIPS }, (_, index) => index + 1));
  assert.deepEqual([texts.size, summary(times)], [TRIPS, { min: 1, median: (1 + TRIPS) / 2, max: TRIPS }]);
});

test("the median of an odd count is one of them", () => {
  assert.deepEqual(summary([9, 1, 5]), { min: 1, median: 5, max: 9 });
  assert.deepEqual(summary([10]), { min: 10, median: 10, max: 10 });
});
