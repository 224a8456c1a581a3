// @ts-check
// What a browser does with a tab: puts it away, brings it back, closes it. The page alone is told.

/** Where the coordinators of all tabs of this browser talk about who has which cores. */
const CHANNEL = "tequio";

/** @param {{ suspend: () => void, resume: () => void }} act */
export function onLifecycle({ suspend, resume }) {
  let isAway = false;
  const goes = () => {
    if (!isAway) {
      isAway = true;
      suspend();
    }
  };
  // Some browsers tell of a return twice, once as `resume` and once as `pageshow`.
  const comes = () => {
    if (isAway) {
      isAway = false;
      resume();
    }
  };
  document.addEventListener("freeze", goes);
  document.addEventListener("resume", comes);
  addEventListener("pagehide", goes);
  addEventListener("pageshow", (event) => event.persisted && comes());
}

/** Tells the other tabs of this browser that this one is gone, so that they share the cores anew
 * at once. @param {string} tab */
export function sayBye(tab) {
  try {
    const channel = new BroadcastChannel(CHANNEL);
    channel.postMessage(JSON.stringify({ type: "bye", tab }));
    channel.close();
  } catch {
    // There are no channels, or none for this page: then the tabs do not know of each other.
  }
}

/** Calls it every so often while the page is to be seen, and at once when it comes to be.
 * @param {number} everyMs @param {() => void} act */
export function whileVisible(everyMs, act) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  onVisibility({
    shown: () => {
      clearInterval(timer);
      timer = setInterval(act, everyMs);
      act();
    },
    hidden: () => clearInterval(timer),
  });
}

/** Calls one of them whenever the page comes to be seen, or is not any more; and now.
 * @param {{ shown: () => void, hidden: () => void }} act */
export function onVisibility({ shown, hidden }) {
  const look = () => (document.hidden ? hidden() : shown());
  document.addEventListener("visibilitychange", look);
  look();
}
