// @ts-check
// Whether this tab computes or is paused, as a person has last said: each tab keeps its own word
// over reloads, and a new tab begins with the last one of the browser.

/** @typedef {import("./keep.js").Keeper} Keeper */

const KEY = "tequio-running";

export class Choice {
  #keepers;

  /** @param {Keeper} ofTab @param {Keeper} ofBrowser */
  constructor(ofTab, ofBrowser) {
    this.#keepers = [ofTab, ofBrowser];
    const word = ofTab.getItem(KEY) ?? ofBrowser.getItem(KEY) ?? "yes";
    /** Whether to begin; yes where nobody has said anything. */
    this.isToRun = word !== "no";
    // As it has begun it goes on after a reload, whatever is said to other tabs meanwhile.
    ofTab.setItem(KEY, word);
  }

  /** @param {"yes" | "no"} word */
  keep(word) {
    this.#keepers.forEach((keeper) => keeper.setItem(KEY, word));
  }
}
