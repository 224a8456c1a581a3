// @ts-check
// The same 64 bits in Firefox as natively, and so as in Chromium.

import { test } from "node:test";
import { agreesInEveryBit } from "../bits.mjs";
import { Firefox } from "./support.mjs";

test("Firefox and the native build agree in every bit", async (t) => {
  const firefox = await Firefox.start(t);
  await agreesInEveryBit(t, (url) => firefox.open(url));
  await firefox.close();
});
