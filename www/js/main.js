// @ts-check
// Starts what computes, and then what draws: each of its own, so that no chart, library or language
// that fails takes the work with it.

import { Tab } from "./tab.js";

const tab = new Tab();
tab.start();
import("./screen.js").then(
  ({ Screen }) => {
    tab.showOn(new Screen(tab));
    document.getElementById("unstarted")?.remove();
  },
  undrawn,
).catch(undrawn);

/** Says, with what index.html has for it, that the tab works and cannot show it. What cannot work either
 * has not started, nor has what waits for a person's word, for which nobody can be asked.
 * @param {unknown} error */
function undrawn(error) {
  console.error(error);
  const said = document.getElementById("undrawn");
  if (said && !tab.isToAsk && tab.state.state !== "failed") {
    document.getElementById("unstarted")?.remove();
    said.hidden = false;
  }
}
