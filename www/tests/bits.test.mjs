// @ts-check
// The same 64 bits in a browser as natively.

import { test } from "node:test";
import { agreesInEveryBit } from "./bits.mjs";
import { Browser } from "./support.mjs";

test("a browser and the native build agree in every bit", async (t) => {
  const browser = await Browser.start(t);
  await agreesInEveryBit(t, (url) => browser.open(url));
  await browser.close();
});
