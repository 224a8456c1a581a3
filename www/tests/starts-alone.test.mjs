// @ts-check
// What computes stands on nothing that draws: a tab computes, and shows what it can, whatever its browser
// lacks or gets wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, ENDLESS, Server, inState, resultsSent, until } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** A server with a job that nobody ends. @param {import("node:test").TestContext} t */
async function busyServer(t) {
  const server = await Server.start(t);
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "sweep");
  return server;
}

/** The sections that say that they are broken. @param {Page} page */
function broken(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("[data-broken]")].map(({ id }) => id).sort(),
  );
}

/** Whether everything that draws has drawn. @param {Page} page */
async function draws(page) {
  await page.locator("#jobs [data-job]").first().getByText("sweep").waitFor();
  await page.locator("#throughput-chart canvas").waitFor();
  await page.locator('#stream:not([data-rows="0"])[data-rows]').waitFor();
  await page.locator("#values-plot canvas").waitFor();
  await page.locator("#workers-rows tr").first().waitFor();
}

test("a browser whose language is none computes and draws everything", async (t) => {
  const server = await busyServer(t);
  const browser = await Browser.start(t);
  for (const language of ["C", "en-US@posix", "", "es_MX.UTF-8"]) {
    const page = await browser.open(server.page, {}, (page) =>
      page.addInitScript((language) => {
        Object.defineProperty(Navigator.prototype, "language", { get: () => language });
        Object.defineProperty(Navigator.prototype, "languages", { get: () => [language] });
      }, language),
    );
    await inState(page, "connected");
    await resultsSent(page, 2);
    await draws(page);
    assert.deepEqual(await broken(page), [], language);
    assert.equal(await page.locator("html").getAttribute("lang"), language.startsWith("es") ? "es" : "en");
    await page.close();
  }
  await browser.close();
});

/** What browsers have been seen to lack, or to get wrong, and the sections that cannot do without. All
 * others are drawn.
 * @type {Record<string, { take: () => void, broken: string[], said?: RegExp }>} */
const TAKEN = {
  "no ResizeObserver": { take: () => Reflect.deleteProperty(globalThis, "ResizeObserver"), broken: [] },
  "no BroadcastChannel": {
    take: () => Reflect.deleteProperty(globalThis, "BroadcastChannel"),
    broken: [],
  },
  "a BroadcastChannel that is forbidden": {
    take: () => {
      globalThis.BroadcastChannel = /** @type {any} */ (
        function BroadcastChannel() {
          throw new DOMException("The operation is insecure.", "SecurityError");
        }
      );
    },
    broken: [],
  },
  "no EventSource": { take: () => Reflect.deleteProperty(globalThis, "EventSource"), broken: [] },
  "storage that is forbidden": {
    take: () => {
      for (const area of ["localStorage", "sessionStorage"]) {
        Object.defineProperty(globalThis, area, {
          get() {
            throw new DOMException("Access is denied for this document.", "SecurityError");
          },
        });
      }
    },
    broken: [],
  },
  "no number of cores, no clipboard, no crypto": {
    take: () => {
      Reflect.deleteProperty(Navigator.prototype, "hardwareConcurrency");
      Reflect.deleteProperty(Navigator.prototype, "clipboard");
      Reflect.deleteProperty(globalThis, "crypto");
    },
    broken: [],
  },
  "no dialogs": {
    take: () => {
      for (const name of ["showModal", "show", "close", "open"]) {
        Reflect.deleteProperty(HTMLDialogElement.prototype, name);
      }
    },
    broken: [],
  },
  "Intl that throws": {
    take: () => {
      function refuse() {
        throw new RangeError("Incorrect locale information provided");
      }
      Object.assign(Intl, { NumberFormat: refuse, DateTimeFormat: refuse });
    },
    // uPlot, which draws both, counts on it.
    broken: ["throughput", "values"],
    said: /This part cannot be shown \(RangeError: Incorrect locale/,
  },
  "no canvas": {
    take: () => {
      HTMLCanvasElement.prototype.getContext = () => null;
    },
    broken: ["stream", "throughput", "values"],
    said: /This part cannot be shown/,
  },
  "no matchMedia": {
    take: () => Reflect.deleteProperty(globalThis, "matchMedia"),
    broken: ["throughput", "values"],
    said: /This part cannot be shown \(ReferenceError: matchMedia/,
  },
};

test("a browser that lacks what draws computes, and shows all else", async (t) => {
  const server = await Server.start(t, { args: ["--no-welcome"] });
  const browser = await Browser.start(t);
  let id = 0;
  for (const [what, { take, broken: expected, said }] of Object.entries(TAKEN)) {
    await t.test(what, async () => {
      id += 1;
      await server.run("submit", "repeat_multiply", ...ENDLESS, "--name", "sweep");
      const page = await browser.open(server.page, {}, (page) => page.addInitScript(take));
      await inState(page, "connected");
      await resultsSent(page, 2);
      const job = page.locator(`#jobs [data-job="${id}"]`);
      await job.getByText("sweep").waitFor();
      await page.locator("#workers-rows tr").first().waitFor();
      assert.equal(await page.locator("#unstarted").count(), 0);
      if (expected.length === 0) {
        await draws(page);
      }
      await until(`these are broken: ${expected}`, async () => {
        return JSON.stringify(await broken(page)) === JSON.stringify(expected);
      });
      for (const id of expected) {
        assert.match(await page.locator(`#${id} .broken`).innerText(), said ?? /./);
      }
      // Its buttons work.
      const answered = page.waitForResponse(`**/api/jobs/${id}/pause`);
      await job.locator(".job-turn").click();
      await (await answered).finished();
      await job.locator(".job-turn").getByText("Resume").waitFor();
      await job.locator(".job-end").click();
      await page.locator("#question-yes").click();
      await until("the job is cancelled", async () => (await server.job(id)).state === "cancelled");
      await page.locator("#pause").click();
      await inState(page, "paused");
      await page.close();
    });
  }
  await browser.close(/RangeError|TypeError|ReferenceError|no canvas/);
});

test("a browser that cannot compute says why, and shows the others' work", async (t) => {
  const server = await busyServer(t);
  const browser = await Browser.start(t);
  for (const [name, locale, said] of /** @type {const} */ ([
    ["Worker", "en", "this browser has no Worker"],
    ["WebAssembly", "es", "este navegador no tiene WebAssembly"],
    ["WebSocket", "en", "this browser has no WebSocket"],
  ])) {
    const page = await browser.open(server.page, { locale }, (page) =>
      page.addInitScript((name) => Reflect.deleteProperty(globalThis, name), name),
    );
    await inState(page, "failed");
    await page.locator("#computing").getByText(said).waitFor();
    await page.locator("#computing").getByText("Firefox 114").waitFor();
    await page.locator('#jobs [data-job="1"]').getByText("sweep").waitFor();
    await page.close();
  }
  await browser.close();
});

test("a browser that runs no modules in workers says so", async (t) => {
  const server = await busyServer(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, (page) =>
    page.addInitScript(() => {
      const { Worker } = globalThis;
      // As one that does not know of the option: it is never read.
      globalThis.Worker = class extends Worker {
        /** @param {URL | string} url */
        constructor(url) {
          super(url);
        }
      };
    }),
  );
  await inState(page, "failed");
  await page.locator("#computing").getByText("this browser has no module Worker").waitFor();
  await browser.close(/import statement outside a module/);
});

test("a tab whose screen cannot be drawn computes all the same, and says so in both languages", async (t) => {
  const server = await busyServer(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.page, {}, (page) =>
    page.route("**/js/panel.js", (route) => route.abort()),
  );
  await until("it says so", () => page.locator("#undrawn").isVisible());
  assert.match(await page.locator("#undrawn").innerText(), /This tab computes[^]*Esta pestaña calcula/);
  assert.equal(await page.locator("#unstarted").count(), 0);
  await until("it computes", async () => (await server.job()).done > 0);
  await browser.close(/net::ERR_FAILED|Failed to fetch/);
});

test("a tab that nobody can be asked for does not say that it computes", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.page}?server=wss://other.invalid/ws`, {}, (page) =>
    page.route("**/js/panel.js", (route) => route.abort()),
  );
  await until("it has failed", async () => browser.errors.some((error) => /Failed to fetch/.test(error)));
  assert.equal(await page.locator("#undrawn").isVisible(), false);
  await page.locator("#unstarted").getByText("Tequio has not started").waitFor();
  await browser.close(/net::ERR_FAILED|Failed to fetch/);
});

test("a page without one of its parts says so there, and shows the rest", async (t) => {
  const server = await busyServer(t);
  const browser = await Browser.start(t);
  for (const id of ["jobs", "throughput", "stream", "values", "workers", "join", "chat", "echo"]) {
    const page = await browser.open(server.page, { locale: "es" }, (page) =>
      page.route(`**/js/${id}.js`, (route) => route.abort()),
    );
    await resultsSent(page, 2);
    await page.locator(`#${id} .broken`).getByText("Esta parte no se puede mostrar").waitFor();
    assert.deepEqual(await broken(page), [id]);
    const shown = id === "workers" ? "#jobs [data-job]" : "#workers-rows tr";
    await page.locator(shown).first().waitFor();
    // It says so in the language of the moment.
    await page.locator("#language").getByText("English").click();
    await page.locator(`#${id} .broken`).getByText("This part cannot be shown").waitFor();
    await page.close();
  }
  await browser.close(/net::ERR_FAILED|Failed to fetch/);
});
