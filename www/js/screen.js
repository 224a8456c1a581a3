// @ts-check
// Shows the tab, its work and everybody's. Each part is loaded and drawn by itself.

import { element } from "./dom.js";
import * as languageSwitch from "./language-switch.js";
import { whileVisible } from "./lifecycle.js";
import { OtherServer } from "./other-server.js";
import * as panel from "./panel.js";
import { begin, guarded } from "./part.js";
import { serviceUrl } from "./server-url.js";
import { LANGUAGE_KEY, onLanguage, rereadLanguage, strings } from "./strings.js";
import * as view from "./view.js";
import { WhyNot } from "./why-not.js";
import { showWords } from "./words.js";

/** @typedef {import("./protocol.js").ToPage} ToPage */
/** @typedef {import("./strings.js").Strings} Strings */
/** @typedef {import("./tab.js").Tab} Tab */
/** @typedef {import("./work.js").Work} Work */

/** How often what counts and measures is drawn anew. */
const RENDER_INTERVAL_MS = 500;

export class Screen {
  /** @type {Work | null} */
  #work = null;
  /** Asks about a server that a link has named. @type {OtherServer | null} */
  #other = null;
  #whyNot = new WhyNot(() => this.changed());
  #tab;
  #draw = guarded("tab", () => this.#render());

  /** @param {Tab} tab */
  constructor(tab) {
    this.#tab = tab;
    languageSwitch.setUp();
    panel.setUp(tab.lending, {
      start: () => (tab.isToAsk ? this.#other?.ask() : tab.choose("start")),
      pause: () => tab.choose("pause"),
      finish: () => tab.choose("finish"),
      retryNow: () => tab.retryNow(),
    });
    addEventListener("storage", (event) => {
      // Without a key, everything was removed.
      if (event.key === LANGUAGE_KEY || event.key === null) {
        rereadLanguage();
      }
    });
    this.#beginParts();
    onLanguage(() => this.#renderWords());
    this.#renderWords();
    this.#other?.ask();
    whileVisible(RENDER_INTERVAL_MS, this.#draw);
  }

  #beginParts() {
    const { server, ofBrowser } = this.#tab;
    if ("bad" in server) {
      return;
    }
    if (server.isOwn) {
      element("everybodys").hidden = false;
      void begin("everybodys", () => import("./work.js"), ({ Work }) => {
        this.#work = new Work();
        this.#work.start();
      });
      const chat = serviceUrl(server, "chat");
      void begin("chat", () => import("./chat.js"), ({ setUp }) => setUp(chat, ofBrowser));
    }
    const echo = serviceUrl(server, "echo");
    const beginEcho = () =>
      void begin("echo", () => import("./echo.js"), ({ setUp }) => setUp(echo, server.isOwn));
    if (this.#tab.isToAsk) {
      this.#other = new OtherServer(server.url, () => {
        this.#tab.agree();
        beginEcho();
      });
    } else {
      beginEcho();
    }
  }

  // ---- What the tab says ------------------------------------------------------------------------

  /** @param {ToPage} message */
  heard(message) {
    guarded("did", () => this.#note(message))();
    if (message.type === "connected") {
      this.#whyNot.connected();
    } else if (message.type === "disconnected") {
      this.#askWhyNot();
    }
    switch (message.type) {
      case "ready":
      case "connecting":
      case "connected":
      case "disconnected":
      case "paused":
      case "lent":
        // What a person waits for is drawn at once, and is rare.
        return this.changed();
    }
  }

  #askWhyNot() {
    const { server } = this.#tab;
    // A page may ask no other server over HTTP.
    if (!("bad" in server) && server.isOwn) {
      void this.#whyNot.disconnected(server.url);
    }
  }

  /** Writes it down. @param {ToPage} message */
  #note(message) {
    const said = strings.logged;
    switch (message.type) {
      case "connecting":
        return view.addLogLine(said.connecting(message.attempt));
      case "connected":
        return view.addLogLine(said.connected);
      case "disconnected":
        return view.addLogLine(said.disconnected(message.reason, message.retry_in_ms / 1000));
      case "paused":
        return view.addLogLine(said.paused);
      case "task":
        return view.addLogLine(said.task(message.task_id, message.text));
      case "result":
        view.addLogLine(said.result(message.task_id, message.result));
        return view.addResult({ ...message, task: String(message.task_id) });
      case "results":
        // A line of the log for each would be several a second.
        return view.addResult({ ...message, task: strings.taskOf(message.job, message.last) });
      case "notice":
        return view.addLogLine(message.text);
    }
  }

  /** @param {(words: Strings) => string} why */
  failed(why) {
    view.addLogLine(why(strings));
    this.changed();
  }

  changed() {
    const { lending, lent, state } = this.#tab;
    guarded("tab", () => {
      panel.showLending(lending, lent);
      panel.showState(state.state, state.canRetry);
    })();
    // A page that is hidden is drawn when it is seen again.
    if (!document.hidden) {
      this.#draw();
    }
  }

  // ---- The screen -------------------------------------------------------------------------------

  /** All that has words, in the language of the moment. */
  #renderWords() {
    const { server } = this.#tab;
    showWords();
    if (!("bad" in server)) {
      panel.showServer(server.url, server.takesLeases && !server.hasKernels);
    }
    if (this.#tab.isToAsk) {
      this.#other?.show();
    }
    view.redraw();
    this.changed();
  }

  #render() {
    const { activity, failure, retryAt, state, totals } = this.#tab;
    const now = performance.now();
    const nameOf = (/** @type {number} */ job) => this.#work?.nameOf(job) ?? "";
    panel.showCountdown(retryAt - now);
    panel.showWhyNot(state.state === "waiting" || state.state === "connecting" ? this.#whyNot.why : null);
    panel.showComputing(state.state, failure(strings), activity.work(now), nameOf);
    panel.showSlots(
      activity.slots.map((slot) => ({ isComputing: slot.isComputing, busy: slot.busy(now) })),
    );
    panel.showSpeed(activity.speed(now));
    panel.showTotals({ here: totals.here, ...totals.sums });
    view.render();
  }
}
