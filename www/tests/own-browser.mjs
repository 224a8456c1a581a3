// @ts-check
// A Chromium as a person has it. Playwright's own keeps every tab visible, focused and awake, and
// is sent a copy of every frame on every socket; this one is started without its switches and asked
// over the DevTools protocol for what a test wants to know, and for nothing else.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { ENVIRONMENT, PATIENCE_MS, SWITCHES, numberIn, until, variable } from "./support.mjs";

export class OwnBrowser {
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  asked = new Map();
  questions = 0;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const { id, result, error } = JSON.parse(String(data));
      const question = this.asked.get(id);
      this.asked.delete(id);
      if (error) {
        question?.reject(new Error(error.message));
      } else {
        question?.resolve(result);
      }
    });
    socket.on("close", () => {
      this.asked.forEach(({ reject }) => reject(new Error("the browser is gone")));
    });
  }

  /** Starts one, which ends with the test. @param {import("node:test").TestContext} t */
  static async start(t) {
    const profile = mkdtempSync(join(tmpdir(), "tequio-browser-"));
    const child = spawn(
      variable("CHROME"),
      ["--remote-debugging-port=0", `--user-data-dir=${profile}`, ...SWITCHES, "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"], env: ENVIRONMENT },
    );
    const ended = once(child, "exit");
    /** @type {string} */
    const address = await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        const found = /DevTools listening on (ws:\S+)/.exec(line);
        if (found) {
          resolve(found[1]);
        }
      });
      ended.then(() => reject(new Error("the browser did not start")));
    });
    const socket = new WebSocket(address, { perMessageDeflate: false });
    await once(socket, "open");
    t.after(async () => {
      // Killed, it would leave processes that go on writing into its profile.
      socket.send(JSON.stringify({ id: 0, method: "Browser.close" }));
      const patience = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      await ended;
      clearTimeout(patience);
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    });
    return new OwnBrowser(socket);
  }

  /** @param {string} method @param {object} [params] @param {string} [sessionId] A tab's.
   * @returns {Promise<any>} */
  ask(method, params = {}, sessionId = undefined) {
    const id = (this.questions += 1);
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.asked.set(id, { resolve, reject }));
  }

  /** A tab, in front of the others. @param {string} url
   * @param {{ cores?: number }} [machine] What it is to believe that the machine has. */
  async open(url, { cores } = {}) {
    const { targetId } = await this.ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    if (cores) {
      const source = `Object.defineProperty(Navigator.prototype, "hardwareConcurrency",
        { get: () => ${cores} })`;
      await tab.ask("Page.enable");
      await tab.ask("Page.addScriptToEvaluateOnNewDocument", { source });
    }
    await tab.ask("Page.navigate", { url });
    await until("it has loaded", () => tab.evaluate(() => document.readyState === "complete"));
    return tab;
  }

  /** Web Workers of all tabs. */
  async workers() {
    const { targetInfos } = await this.ask("Target.getTargets", { filter: [{ type: "worker" }] });
    return targetInfos.length;
  }

  /** Seconds of CPU that all tabs have used so far, by the browser's own account. */
  async cpuSeconds() {
    const { processInfo } = await this.ask("SystemInfo.getProcessInfo");
    /** @type {{ type: string, cpuTime: number }[]} */
    const tabs = processInfo.filter((/** @type {any} */ { type }) => type === "renderer");
    assert.ok(tabs.length > 0);
    return tabs.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  }
}

export class Tab {
  /** @param {OwnBrowser} browser @param {string} targetId @param {string} sessionId */
  constructor(browser, targetId, sessionId) {
    this.browser = browser;
    this.targetId = targetId;
    this.sessionId = sessionId;
  }

  /** @param {string} method @param {object} [params] */
  ask(method, params) {
    return this.browser.ask(method, params, this.sessionId);
  }

  /** Runs a function in the page and gives what it gives.
   * @template Given, Got
   * @param {(given: Given) => Got} run @param {Given} [given]
   * @returns {Promise<Awaited<Got>>} */
  async evaluate(run, given) {
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", {
      expression: `(${run})(${JSON.stringify(given)})`,
      awaitPromise: true,
      returnByValue: true,
    });
    assert.ok(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  }

  /** @param {string} id */
  text(id) {
    return this.evaluate((id) => document.getElementById(id)?.textContent ?? "", id);
  }

  /** @param {string} id */
  click(id) {
    return this.evaluate((id) => document.getElementById(id)?.click(), id);
  }

  /** Moves a slider. @param {string} id @param {number} value */
  slide(id, value) {
    return this.evaluate(
      ({ id, value }) => {
        const slider = /** @type {HTMLInputElement} */ (document.getElementById(id));
        slider.value = String(value);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        slider.dispatchEvent(new Event("change", { bubbles: true }));
      },
      { id, value },
    );
  }

  /** @param {string} state */
  inState(state) {
    return until(`the tab is ${state}`, async () => {
      const is = await this.evaluate(() => document.getElementById("state")?.dataset.state);
      return is === state;
    });
  }

  /** In a tab in front: another is not drawn. @param {number} count */
  resultsSent(count) {
    return until(`${count} results are sent`, async () => {
      return numberIn(await this.text("result-count")) >= count;
    });
  }

  bringToFront() {
    return this.ask("Page.bringToFront");
  }

  /** @param {"frozen" | "active"} state */
  setLifecycle(state) {
    return this.ask("Page.setWebLifecycleState", { state });
  }

  close() {
    return this.browser.ask("Target.closeTarget", { targetId: this.targetId });
  }
}
