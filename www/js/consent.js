// @ts-check
// Whether this tab may compute for its server. An address can name any (`?server=`), and whoever follows a
// link has not chosen it: so its person is asked, once for each server in this browser.

/** @typedef {import("./keep.js").Keeper} Keeper */
/** @typedef {ReturnType<typeof import("./server-url.js").serverUrl>} Server */

const KEY = "tequio-servers";
/** Servers that are remembered: the newest. */
const KEPT_MAX = 20;

/** @param {Server} server @param {Keeper} keeper */
export function isAgreed(server, keeper) {
  return "bad" in server || !server.isForeign || kept(keeper).includes(nameOf(server.url));
}

/** @param {{ url: string }} server @param {Keeper} keeper */
export function agree({ url }, keeper) {
  keeper.setItem(KEY, [...kept(keeper), nameOf(url)].slice(-KEPT_MAX).join(" "));
}

/** @param {Keeper} keeper */
function kept(keeper) {
  return (keeper.getItem(KEY) ?? "").split(" ");
}

/** Without what is said to the server. An address has no spaces. @param {string} url */
function nameOf(url) {
  return url.split("?")[0];
}
