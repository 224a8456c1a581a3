// @ts-check
// The panel of the jobs, against a real server: who may submit and control them does so in the page,
// by keyboard alone too, and whoever may not only watches.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CURRENT_SHOWN_MAX, OVER_SHOWN_MAX, ROWS_MAX, arrange } from "../js/job-order.js";
import { AXIS_CHARS_MAX, tooLong } from "../js/new-job-fields.js";
import { ANSWER_MS_MAX } from "../js/answer.js";
import { TOKEN_KEY } from "../js/operator.js";
import { LANGUAGES } from "../js/strings.js";
import { violations } from "./axe.mjs";
import { Browser, ENDLESS, NO_CONNECTION, PATIENCE_MS, Server, overflows, until } from "./support.mjs";

/** @typedef {import("../js/protocol.js").JobView} JobView */
/** @typedef {import("playwright-core").Page} Page */

/** A job that is over soon. */
const SHORT = ["--initial", "1,2.5", "--factor", "1.5", "--times", "0..50"];
const MARKUP = "<img src=x onerror=alert(1)>";
const TOKEN = "a-token-of-the-test";
/** What a browser logs by itself of a request that is refused. */
const REFUSED = /Failed to load resource: .* (401|404|409)/;

/** A page that computes nothing. @param {Browser} browser @param {Server} server
 * @param {import("playwright-core").BrowserContextOptions} [options] */
async function watch(browser, server, options) {
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US", ...options });
  await page.locator("#everybodys:not([hidden])").waitFor();
  return page;
}

/** @param {Server} server @param {string[]} grid @param {string} [name] */
const submit = (server, grid, name = "") =>
  server.run("submit", "repeat_multiply", ...grid, "--name", name);

/** @param {Page} page @param {number} id */
const row = (page, id) => page.locator(`.job[data-job="${id}"]`);

/** @param {Page} page @param {number} id @param {JobView["state"]} state */
const inState = (page, id, state) =>
  page.locator(`.job[data-job="${id}"][data-state="${state}"]`).waitFor();

/** Waits until a field says what is wrong with it, or that nothing is.
 * @param {Page} page @param {string} field @param {RegExp} pattern */
async function says(page, field, pattern) {
  await until(`${field} says ${pattern}`, async () =>
    pattern.test((await page.locator(`#${field}-error`).textContent()) ?? ""),
  );
  const isWrong = !pattern.test("");
  const input = page.locator(`#${field}`);
  assert.equal(await input.getAttribute("aria-invalid"), String(isWrong));
  assert.match((await input.getAttribute("aria-describedby")) ?? "", new RegExp(`${field}-error`));
}

/** Presses Tab until something has the focus. @param {Page} page @param {string} selector */
async function tabTo(page, selector) {
  await until(`Tab comes to ${selector}`, async () => {
    await page.keyboard.press("Tab");
    return page.evaluate((selector) => document.activeElement?.matches(selector), selector);
  });
}

/** @param {Page} page @param {string} selector */
const isFocused = (page, selector) =>
  until(`${selector} has the focus`, () =>
    page.evaluate((selector) => document.activeElement?.matches(selector), selector),
  );

test("by keyboard alone a job is submitted, watched, paused, resumed and cancelled", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  // Where there is no job the form is at hand, and its example is one.
  await page.locator("#new-job").waitFor();
  await page.getByText("1,000,000 tasks").waitFor();
  assert.match((await page.locator("#no-jobs").textContent()) ?? "", /Submit a job/);
  await tabTo(page, "#axis-times");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("0..1000000000");
  await page.getByText("5,000,000,000 tasks").waitFor();
  await tabTo(page, "#new-name");
  await page.keyboard.type(MARKUP);
  await page.keyboard.press("Enter");

  await isFocused(page, '.job[data-job="1"] .job-choose[aria-pressed="true"]');
  await page.locator("#new-job").waitFor({ state: "hidden" });
  assert.equal(await row(page, 1).locator(".job-name").textContent(), MARKUP);
  assert.equal((await server.job()).name, MARKUP);
  await page.getByText("waiting for a worker").waitFor();
  const tab = await browser.open(server.page);
  await row(page, 1).locator(".job-left").getByText(/^about \d+ \w+ left$/).waitFor();
  const bar = row(page, 1).getByRole("progressbar");
  await until("it is being done", async () => {
    const text = (await bar.getAttribute("aria-valuetext")) ?? "";
    return /^[\d,]{5,} of 5,000,000,000 \((< 0\.1|\d+(\.\d)?) %\)$/.test(text);
  });

  // The focus stays where it is while the row changes under it.
  await tabTo(page, ".job-turn");
  await page.keyboard.press("Enter");
  await inState(page, 1, "paused");
  assert.equal((await server.job()).state, "paused");
  await isFocused(page, ".job-turn");
  await page.keyboard.press("Space");
  await inState(page, 1, "running");
  assert.equal((await server.job()).state, "running");

  await tabTo(page, ".job-end");
  for (const decline of ["Escape", "Enter"]) {
    await page.keyboard.press("Enter");
    await page.locator("#question[open]").waitFor();
    const question = `Cancel job 1 “${MARKUP}”?`;
    assert.equal(await page.locator("#question-text").textContent(), question);
    await page.getByText(/^Its [\d,]+ results stay; nothing more of it is computed\.$/).waitFor();
    await isFocused(page, "#question-no");
    await page.keyboard.press(decline);
    await page.locator("#question").waitFor({ state: "hidden" });
    await isFocused(page, ".job-end");
  }
  assert.equal((await server.job()).state, "running");
  await page.keyboard.press("Enter");
  await tabTo(page, "#question-yes");
  await page.keyboard.press("Enter");
  await inState(page, 1, "cancelled");
  assert.equal((await server.job()).state, "cancelled");
  assert.equal(await row(page, 1).locator(".job-turn").isVisible(), false);

  // What is over can be removed, which is asked about as well.
  await isFocused(page, ".job-end");
  await page.keyboard.press("Enter");
  await page.getByText(`Remove job 1 “${MARKUP}”?`).waitFor();
  await page.getByText(/^Its [\d,]+ results are deleted on the server\.$/).waitFor();
  await page.keyboard.press("Escape");
  await isFocused(page, ".job-end");
  assert.equal((await server.job()).state, "cancelled");
  await page.keyboard.press("Enter");
  await tabTo(page, "#question-yes");
  await page.keyboard.press("Enter");
  await row(page, 1).waitFor({ state: "detached" });
  await row(tab, 1).waitFor({ state: "detached" });
  assert.equal((await fetch(`${server.page}api/jobs/1`)).status, 404);
  await tab.close();
  // A page may ask for a sample of it while it is being removed.
  await browser.close(/\b404\b.*\/api\/jobs\/1(\/sample)?\)/);
});

test("axes that are wrong say so beside themselves, and are not sent", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  /** @type {string[]} */
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
  await page.getByText("1,000,000 tasks").waitFor();
  const { errors, integers } = LANGUAGES.en.newJob;
  for (const [axis, text, said] of /** @type {const} */ ([
    ["initial", "x", errors.not_a_number],
    ["initial", " ", errors.missing],
    ["initial", "0...5", errors.three_dots],
    ["factor", "0 … 1", errors.three_dots],
    ["factor", "0,5..2", errors.decimal_comma],
    ["factor", "0..=1:0,25", errors.decimal_comma],
    ["factor", "2..1", errors.backwards],
    ["factor", "3..3", errors.empty_range],
    ["factor", "0..=1:0", errors.bad_step],
    ["times", "0.5", integers(0, Number.MAX_SAFE_INTEGER)],
    ["times", Array(1025).fill(1).join(), errors.too_many_values],
  ])) {
    const field = `axis-${axis}`;
    const good = await page.locator(`#${field}`).inputValue();
    await page.locator(`#${field}`).fill(text);
    await says(page, field, new RegExp(`^${said.replaceAll(/[.()]/g, "\\$&")}$`));
    assert.equal(await page.locator("#new-job-total").textContent(), "");
    await page.locator(`#${field}`).press("Enter");
    await isFocused(page, `#${field}`);
    await page.locator(`#${field}`).fill(good);
    await says(page, field, /^$/);
  }
  await page.locator("#axis-initial").fill("0..9007199254740991");
  await page.locator("#new-job-trouble").getByText(errors.too_many_tasks).waitFor();
  await page.locator("#axis-initial").fill("3");
  await page.locator("#new-job-total").getByText("1,000,000 tasks").waitFor();
  await page.locator("#new-priority").fill("1.5");
  await page.locator("#new-job-submit").click();
  await says(page, "new-priority", /whole number/);
  assert.deepEqual(sent, []);

  await page.locator("#new-priority").fill("-2");
  await page.locator("#new-job-submit").click();
  await isFocused(page, '.job[data-job="1"] .job-choose');
  assert.deepEqual(sent.map((url) => new URL(url).pathname), ["/api/jobs"]);
  await browser.close();
});

test("what an axis has is said beside it at once, and what its commas mean", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  await page.getByText("1,000,000 tasks").waitFor();
  /** @param {string} axis @param {string} text @param {string} said */
  const notes = async (axis, text, said) => {
    await page.locator(`#axis-${axis}`).fill(text);
    await until(`${text} of ${axis} is said to be "${said}"`, async () => {
      return (await page.locator(`#axis-${axis}-note`).textContent()) === said;
    });
  };
  for (const [language, said] of /** @type {const} */ ([["Español", LANGUAGES.es.newJob], ["English", LANGUAGES.en.newJob]])) {
    await page.locator("#language").getByText(language).click();
    for (const axis of ["initial", "factor", "times"]) {
      await notes(axis, "0..100", said.values(100, 99));
      await notes(axis, "0..=100", said.values(101, 100));
      await notes(axis, "3", "");
      await notes(axis, "1,2,5", said.values(3, 5));
      await notes(axis, "1,000", said.comma(2, "1000"));
      await notes(axis, " 2,000,000 ", said.comma(3, "2000000"));
      await notes(axis, "0,5", said.comma(2, "0.5"));
      // Whatever the others are.
      await page.locator(`#axis-${axis}`).fill("x");
      await says(page, `axis-${axis}`, /./);
      await until("nothing is said of what is wrong", async () => !(await page.locator(`#axis-${axis}-note`).textContent()));
    }
    await notes("initial", "-1,25", said.comma(2, "-1.25"));
    await notes("factor", "0..=1:0.25", said.values(5, 1));
    assert.match((await page.locator("#axis-factor").getAttribute("aria-describedby")) ?? "", /axis-factor-note/);
    await page.locator("#axis-initial").fill("1");
  }
  assert.equal(LANGUAGES.es.newJob.comma(2, "0.5"), "La coma separa valores: estos son 2. El número solo se escribe 0.5.");
  assert.equal(LANGUAGES.en.newJob.values(12_345, 0.125), "12,345 values, the last 0.125");
  await browser.close();
});

test("a field that nobody has touched is not scolded before it is submitted", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  await page.locator("#new-job-total").getByText(/tasks/).waitFor();
  await page.evaluate(() => {
    // As somebody finds it whose browser has restored an empty field.
    /** @type {HTMLInputElement} */ (document.getElementById("axis-initial")).value = "";
  });
  await page.locator("#axis-factor").fill("x");
  await says(page, "axis-factor", /numbers/);
  await says(page, "axis-initial", /^$/);
  await page.locator("#axis-factor").press("Enter");
  await says(page, "axis-initial", /missing/);
  await isFocused(page, "#axis-initial");
  await browser.close();
});

test("what is shown of a job is what the server has, and its links are its results", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await submit(server, SHORT, "first");
  await submit(server, ENDLESS, "huge");
  await server.run("pause", "2");
  const tab = await browser.open(server.page);
  await until("the first is over", async () => (await server.job(1)).state === "done");
  await tab.close();
  const page = await watch(browser, server);
  await inState(page, 1, "done");
  await inState(page, 2, "paused");
  assert.equal(await row(page, 2).locator(".job-progress").textContent(), "0 of 1,000,000,000 (0 %)");
  assert.deepEqual(
    await page.locator(".job").evaluateAll((all) => all.map((job) => /** @type {HTMLElement} */ (job).dataset.job)),
    ["2", "1"],
    "those that are over come last",
  );
  assert.equal(await row(page, 1).getByRole("progressbar").getAttribute("aria-valuenow"), "100");
  assert.equal(await row(page, 1).locator(".job-progress").textContent(), "100 tasks");

  for (const format of ["jsonl", "csv"]) {
    const link = row(page, 1).locator(`.job-${format}`);
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    assert.equal(download.suggestedFilename(), `tequio-job-1.${format}`);
    const got = readFileSync(await download.path(), "utf8");
    assert.equal(got, await server.run("results", "1", "--format", format));
    assert.equal(got.trim().split("\n").length, format === "csv" ? 101 : 100);
  }
  // Nothing is offered of what there is nothing of.
  assert.equal(await row(page, 2).locator(".job-results").isVisible(), false);

  await page.reload();
  await row(page, 2).waitFor();
  // Without a choice, where nothing runs, it is the newest; then the one that was chosen, which a press of a row is.
  const pressed = () => page.locator('.job-choose[aria-pressed="true"] .job-name').allTextContents();
  assert.deepEqual(await pressed(), ["huge"]);
  const bar = await row(page, 1).locator(".job-bar").boundingBox();
  assert.ok(bar);
  await page.mouse.click(bar.x + bar.width / 2, bar.y + bar.height / 2);
  assert.deepEqual(await pressed(), ["first"]);
  await row(page, 2).locator(".job-choose").press("Enter");
  assert.deepEqual(await pressed(), ["huge"]);
  await browser.close();
});

test("rows stay what they are while they change, move and are folded", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (let nth = 1; nth <= OVER_SHOWN_MAX + 3; nth += 1) {
    await submit(server, ENDLESS, `sweep ${nth}`);
  }
  const page = await watch(browser, server);
  await row(page, 7).waitFor();
  assert.equal(await page.locator("#jobs-current .job").count(), CURRENT_SHOWN_MAX);
  await page.locator("#jobs-current-all").getByText("Show all 7").press("Enter");
  await row(page, 1).waitFor();
  await isFocused(page, "#jobs-current-all[aria-expanded='true']");
  await row(page, 2).evaluate((row) => Object.assign(globalThis, { row }));
  await row(page, 2).locator(".job-turn").focus();
  for (const id of [2, 3, 4, 5, 6, 7]) {
    await server.run("cancel", String(id));
    await inState(page, id, "cancelled");
    await isFocused(page, id < 6 ? '.job[data-job="2"] .job-choose' : "*");
  }
  // @ts-expect-error It was put there above; it is one of those that are folded now.
  assert.equal(await page.evaluate(() => globalThis.row.dataset.state), "cancelled");
  await isFocused(page, "#jobs-title");
  assert.equal(await page.locator("#jobs-over .job").count(), OVER_SHOWN_MAX);
  const all = page.getByRole("button", { name: "Show all 6" });
  await all.press("Enter");
  assert.equal(await page.locator("#jobs-over .job").count(), 6);
  await isFocused(page, "#jobs-all[aria-expanded='true']");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#jobs-over .job").count(), OVER_SHOWN_MAX);
  await browser.close();
});

test("without the operator's token the page shows, and offers nothing", async (t) => {
  const args = ["--operator-token", TOKEN];
  const server = await Server.start(t, { args });
  const browser = await Browser.start(t);
  const context = await browser.browser.newContext({ locale: "en-US" });
  context.setDefaultTimeout(PATIENCE_MS);
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--token", TOKEN);
  /** @type {string[]} */
  const urls = [];
  context.on("request", (request) => urls.push(request.url()));
  const [page, other] = [await context.newPage(), await context.newPage()];
  for (const one of [page, other]) {
    one.on("console", (line) => browser.console.push(line.text()));
    one.on("pageerror", (error) => browser.errors.push(String(error)));
    await one.goto(`${server.page}?auto=0`);
    await one.getByRole("button", { name: "I run this server" }).waitFor();
    await row(one, 1).waitFor();
  }
  /** What can be pressed of what changes anything. @param {Page} page */
  const offered = (page) =>
    page.locator("#new-job-open, #new-job-submit, .job-turn, .job-end").filter({ visible: true }).count();
  assert.equal(await offered(page), 0);

  await page.locator("#operator-ask").press("Enter");
  await page.keyboard.press("Escape");
  await isFocused(page, "#operator-ask");
  await page.keyboard.press("Enter");
  const { wrong, missing, impossible } = LANGUAGES.en.operator;
  for (const [typed, said] of [
    ["a-wrong-token", wrong],
    ["a wrong token", wrong],
    ["señor", impossible],
    ["clave\u{200b}", impossible],
    ["🙂", impossible],
    ["a\ttab", impossible],
    ["", missing],
  ]) {
    await isFocused(page, "#operator-token");
    await page.locator("#operator-token").fill(typed);
    await page.keyboard.press("Enter");
    await page.locator("#operator-wrong").getByText(said).waitFor();
    assert.equal(await page.locator("#operator-token").inputValue(), "");
  }
  assert.equal(await offered(page), 0);
  await page.keyboard.type(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("#operator-dialog").waitFor({ state: "hidden" });
  await isFocused(page, "#new-job-open");
  assert.equal(await offered(page), 3);
  await row(page, 1).locator(".job-turn").click();
  await inState(page, 1, "paused");

  await page.reload();
  await row(page, 1).locator(".job-turn").waitFor();
  await row(page, 1).locator(".job-turn").click();
  await inState(page, 1, "running");
  assert.equal(await offered(other), 0, "another tab has not been given it");
  const third = await context.newPage();
  await third.goto(`${server.page}?auto=0`);
  await third.locator("#operator-ask").waitFor();
  assert.equal(await offered(third), 0);
  assert.ok(!urls.some((url) => url.includes(TOKEN)), "it is in no URL");
  assert.ok(!(await page.content()).includes(TOKEN), "it is not in the page");
  assert.ok(!browser.console.concat(server.lines).join().includes(TOKEN), "it is in no log");
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes(TOKEN));

  await page.locator("#operator-forget").click();
  await isFocused(page, "#operator-ask");
  assert.equal(await offered(page), 0);
  assert.equal(await page.evaluate((key) => sessionStorage.getItem(key), TOKEN_KEY), "");
  await page.reload();
  await page.locator("#operator-ask").waitFor();
  assert.equal(await offered(page), 0);
  await browser.close();
});

test("a token that the server no longer takes is forgotten and asked for again", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  await server.run("submit", "repeat_multiply", ...ENDLESS, "--token", TOKEN);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  const give = async () => {
    await page.locator("#operator-token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.locator("#operator-dialog").waitFor({ state: "hidden" });
  };
  await page.locator("#operator-ask").click();
  await give();
  // Some other server's, as it were.
  await page.evaluate((key) => sessionStorage.setItem(key, "of-yesterday"), TOKEN_KEY);
  await row(page, 1).locator(".job-turn").click();
  await page.locator("#operator-wrong").getByText(LANGUAGES.en.operator.stale).waitFor();
  await page.locator("#operator-dialog[open]").waitFor();
  assert.equal(await page.evaluate((key) => sessionStorage.getItem(key), TOKEN_KEY), "");
  const alert = page.locator("#jobs-trouble");
  assert.equal(await alert.textContent(), "Job 1 could not be paused. The operator token is needed.");
  assert.equal((await server.job()).state, "running");
  await give();
  await row(page, 1).locator(".job-turn").click();
  await inState(page, 1, "paused");
  assert.equal(await alert.textContent(), "");

  // A server that starts anew is asked anew, as soon as it is back.
  const { port } = server;
  await server.kill();
  await page.locator("#link").getByText(/away/).waitFor();
  await row(page, 1).locator(".job-turn").click();
  await alert.getByText("The server does not answer.").waitFor();
  await Server.start(t, { port, args: ["--operator-token", "another"] });
  await page.locator("#operator-ask").waitFor();
  assert.equal(await page.evaluate((key) => sessionStorage.getItem(key), TOKEN_KEY), "");
  await browser.close(new RegExp(`${REFUSED.source}|${NO_CONNECTION.source}`));
});

test("what cannot be done is said", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await submit(server, ENDLESS);
  const page = await watch(browser, server);
  await page.route("**/api/jobs/1/pause", (route) =>
    route.fulfill({ status: 409, json: { error: { code: "job_over", message: "It is." } } }),
  );
  await row(page, 1).locator(".job-turn").click();
  const alert = page.getByRole("alert");
  await alert.getByText("Job 1 could not be paused. The job is over already.").waitFor();
  await page.locator("#language").getByText("Español").click();
  await alert.getByText("No se pudo pausar el trabajo 1. El trabajo ya no está en marcha.").waitFor();
  await page.locator("#language").getByText("English").click();
  await page.unroute("**/api/jobs/1/pause");
  await page.route("**/api/jobs", (route) =>
    route.fulfill({ status: 400, json: { error: { code: "odd", message: `No ${MARKUP}.` } } }),
  );
  await page.locator("#new-job-open").click();
  await page.locator("#new-job-submit").click();
  await alert.getByText(`No ${MARKUP}.`).waitFor();
  await isFocused(page, "#new-job-submit");
  // Nothing of that stays once it is over.
  await page.locator("#new-name").fill("x");
  await until("the form says nothing", async () => !(await page.locator("#new-job-trouble").textContent()));
  await page.locator("#jobs-trouble:not(:empty)").waitFor();
  await server.run("pause", "1");
  await inState(page, 1, "paused");
  assert.equal(await page.locator("#jobs-trouble").textContent(), "");
  await browser.close(/Failed to load resource/);
});

test("a job that is damaged says what of it is, and can only be removed", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  for (const name of ["over", "set aside"]) {
    await submit(server, ENDLESS, name);
  }
  await server.run("cancel", "1");
  await server.run("pause", "2");
  const trouble = `its op cannot be read: ${MARKUP.repeat(20)}`;
  const page = await browser.open(`${server.page}?auto=0`, { locale: "en-US" }, (page) =>
    page.addInitScript((trouble) => {
      const { parse } = JSON;
      // As a server tells of such jobs, also of one that waited for inputs.
      JSON.parse = (text) =>
        parse(text, (_, value) =>
          value?.submitted_at ? { ...value, trouble, open: value.state === "paused" } : value,
        );
    }, trouble),
  );
  for (const [id, state] of /** @type {const} */ ([[1, "cancelled"], [2, "paused"]])) {
    await inState(page, id, state);
    assert.equal(await row(page, id).locator(".job-word").textContent(), "Damaged");
    assert.equal(await row(page, id).locator(".job-trouble").textContent(), trouble);
    assert.equal(await row(page, id).locator(".job-open").textContent(), "");
    const buttons = row(page, id).locator(".job-do button:visible");
    assert.deepEqual(await buttons.allTextContents(), ["Remove"]);
  }
  for (const width of [280, 1600]) {
    await page.setViewportSize({ width, height: 900 });
    assert.equal(await overflows(page), false, `${width} px`);
  }
  // The question stays while the server tells of the job; this server has it whole, and refuses.
  await row(page, 2).locator(".job-end").click();
  await server.run("submit", "repeat_multiply", ...SHORT);
  await row(page, 3).waitFor();
  await page.locator("#question-text").getByText("Remove job 2 “set aside”?").waitFor();
  await page.locator("#question-yes").click();
  const alert = page.getByRole("alert");
  await alert.getByText("Job 2 could not be removed. The job is not over yet.").waitFor();
  await page.locator("#language").getByText("Español").click();
  await row(page, 2).getByText("Dañado").waitFor();
  await browser.close(REFUSED);
});

test("a server that hangs is not waited for, and what is asked of it shows meanwhile", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await submit(server, ENDLESS, MARKUP);
  const page = await watch(browser, server);
  await page.locator("#new-job-open").click();
  await page.locator("#new-job-total").getByText("1,000,000 tasks").waitFor();
  assert.equal(await row(page, 1).locator(".job-name").getAttribute("title"), MARKUP);
  server.child.kill("SIGSTOP");
  t.after(() => server.child.kill("SIGCONT"));
  const pressed = performance.now();
  await row(page, 1).locator(".job-turn").click();
  await row(page, 1).locator('.job-turn[aria-busy="true"]').waitFor();
  await page.locator("#new-job-submit").click();
  await page.locator('#new-job-submit[aria-busy="true"]').waitFor();
  await page.locator("#jobs-trouble").getByText("The server does not answer.").waitFor();
  await page.locator("#new-job-trouble").getByText("The server does not answer.").waitFor();
  assert.ok(performance.now() - pressed >= ANSWER_MS_MAX);
  assert.equal(await row(page, 1).locator('[aria-busy="true"]').count(), 0);
  await page.locator('#new-job-submit[aria-busy="false"]:enabled').waitFor();
  await browser.close();
});

test("a list that is too long to be sent is wrong where it is", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  // The commas take three characters each in a URL: some of these are too long there alone.
  const long = "1,".repeat(AXIS_CHARS_MAX / 2);
  for (const axis of ["initial", "factor", "times"]) {
    await page.locator(`#axis-${axis}`).fill(long);
  }
  const pattern = new RegExp(`^${LANGUAGES.en.newJob.errors.too_long.replaceAll(".", "\\.")}$`);
  await says(page, "axis-initial", pattern);
  await page.locator("#axis-times").fill(`${long}1`);
  await says(page, "axis-times", pattern);
  await says(page, "axis-initial", /^$/);
  await page.locator("#axis-times").press("Enter");
  await isFocused(page, "#axis-times");
  await browser.close(/Failed to load resource: .* (414|431)/);
});

test("whoever closes the dialog while the token is checked has given none", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  let checks = 0;
  /** @type {() => void} */
  let answer = () => {};
  const held = new Promise((resolve) => (answer = () => resolve(undefined)));
  await page.route("**/api/operator", async (route) => {
    checks += 1;
    await held;
    await route.continue().catch(() => {});
  });
  await page.locator("#operator-ask").click();
  await page.locator("#operator-token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator('#operator-give[aria-busy="true"]').waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.locator('#operator-give[aria-busy="false"]').waitFor({ state: "attached" });
  answer();
  await page.locator("#operator-dialog").waitFor({ state: "hidden" });
  assert.equal(checks, 1);
  assert.equal(await page.evaluate((key) => sessionStorage.getItem(key), TOKEN_KEY), null);
  assert.equal(await page.locator("#operator-wrong").textContent(), "");
  await browser.close();
});

test("whoever types while the server starts with another token is told, and led to it", async (t) => {
  const server = await Server.start(t, { args: ["--operator-token", TOKEN] });
  const browser = await Browser.start(t);
  const page = await watch(browser, server);
  await page.locator("#operator-ask").click();
  await page.locator("#operator-token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await isFocused(page, "#new-job-open, #new-name");
  await page.locator("#new-name").fill("half a na");
  await page.locator("#new-job-total").getByText(/tasks/).waitFor();
  const { port } = server;
  await server.kill();
  await Server.start(t, { port, args: ["--operator-token", "another"] });
  await page.locator("#jobs-trouble").getByText(LANGUAGES.en.operator.stale).waitFor();
  await isFocused(page, "#operator-ask");
  await page.keyboard.press("Enter");
  await page.locator("#operator-token").fill("another");
  await page.keyboard.press("Enter");
  await page.locator("#new-job-open").waitFor();
  assert.equal(await page.locator("#jobs-trouble").textContent(), "");
  await browser.close(new RegExp(`${REFUSED.source}|${NO_CONNECTION.source}`));
});

test("the panel speaks the language of the moment", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await submit(server, ENDLESS);
  await submit(server, SHORT, "corto");
  await server.run("cancel", "2");
  const page = await watch(browser, server, { locale: "es-MX" });
  const text = async (/** @type {string} */ selector) => page.locator(selector).first().textContent();
  const said = async () => [
    await text("#jobs-title"),
    await text("#new-job-open"),
    await row(page, 1).locator(".job-name").textContent(),
    await row(page, 1).locator(".job-word").textContent(),
    await row(page, 1).locator(".job-progress").textContent(),
    await row(page, 1).locator(".job-left").textContent(),
    await row(page, 1).locator(".job-turn").textContent(),
    await row(page, 1).locator(".job-end").getAttribute("aria-label"),
    await row(page, 2).locator(".job-about").textContent(),
    await row(page, 2).locator(".job-word").textContent(),
  ];
  await page.locator("#new-job-open").waitFor();
  const spanish = [
    "Trabajos",
    "Nuevo trabajo",
    "Trabajo 1",
    "En curso",
    "0 de 1,000,000,000 (0 %)",
    "esperando a un trabajador",
    "Pausar",
    "Cancelar: Trabajo 1",
    "Trabajo 2 · repeat_multiply",
    "Cancelado",
  ];
  assert.deepEqual(await said(), spanish);
  await page.locator("#language").getByText("English").click();
  assert.deepEqual(await said(), [
    "Jobs",
    "New job",
    "Job 1",
    "Running",
    "0 of 1,000,000,000 (0 %)",
    "waiting for a worker",
    "Pause",
    "Cancel: Job 1",
    "Job 2 · repeat_multiply",
    "Cancelled",
  ]);
  await page.locator("#language").getByText("Español").click();
  assert.deepEqual(await said(), spanish);
  await page.locator("#new-job-open").click();
  await page.locator("#axis-times").fill("x");
  await says(page, "axis-times", /^Esto no son números/);
  await browser.close();
});

test("the panel is accessible, by day and by night, wide and narrow", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await submit(server, SHORT, "short");
  await server.run("cancel", "1");
  await submit(server, ENDLESS, "a name that is very long ".repeat(7));
  await server.run("pause", "2");
  await submit(server, ENDLESS, "growth");
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const width of [360, 1280, 2560]) {
      // The policy of the page forbids foreign scripts, axe's included.
      const viewport = { width, height: 900 };
      const page = await watch(browser, server, { colorScheme, viewport, bypassCSP: true });
      await row(page, 3).waitFor();
      await page.locator("#new-job-open").click();
      await page.locator("#axis-times").fill("x");
      await says(page, "axis-times", /numbers/);
      const look = async (/** @type {string} */ where) =>
        assert.deepEqual(await violations(page, [where]), [], `${where}, ${colorScheme}, ${width} px`);
      await look("#jobs");
      await row(page, 3).locator(".job-end").click();
      await look("#question");
      assert.equal(await overflows(page), false, `no sideways scrolling at ${width} px`);
      await page.close();
    }
  }
});

// ---- What needs no browser ----------------------------------------------------------------------

/** @param {number} id @param {JobView["state"]} state */
const job = (id, state, leased = 0) => /** @type {JobView} */ ({ id, state, leased, rate: 0 });

test("jobs at work come first, newest first, and of those that are over the newest few", () => {
  const jobs = [
    job(1, "running"),
    ...[2, 3, 4, 5, 6, 7].map((id) => job(id, id % 2 ? "done" : "cancelled")),
    job(8, "paused"),
  ];
  /** @param {number | null} looked @param {boolean} isAllOver */
  const ids = (looked, isAllOver) => {
    const { current, over, overCount, omitted } = arrange(jobs, { looked, isAllOver });
    return [current.map(({ id }) => id), over.map(({ id }) => id), overCount, omitted];
  };
  assert.deepEqual(ids(null, false), [[8, 1], [7, 6, 5, 4], 6, 0]);
  assert.deepEqual(ids(2, false), [[8, 1], [7, 6, 5, 4, 2], 6, 0]);
  assert.deepEqual(ids(null, true), [[8, 1], [7, 6, 5, 4, 3, 2], 6, 0]);
  const many = Array.from({ length: ROWS_MAX + 5 }, (_, nth) => job(nth + 1, "running"));
  const { current, omitted } = arrange(many, { isAllCurrent: true });
  assert.deepEqual([current.length, current[0].id, omitted], [ROWS_MAX, ROWS_MAX + 5, 5]);
});

test("of many jobs at work those have a row that somebody looks at or works on, then the newest", () => {
  const many = Array.from({ length: 300 }, (_, nth) => job(nth + 1, "running", nth % 30 === 0 ? 1 : 0));
  /** @param {import("../js/job-order.js").Sight} sight */
  const ids = (sight) => {
    const { current, currentCount } = arrange(many, sight);
    assert.equal(currentCount, ROWS_MAX);
    return current.map(({ id }) => id);
  };
  assert.deepEqual(ids({}), [271, 241, 211, 181, 151, 121]);
  assert.deepEqual(ids({ looked: 7, focused: 5 }), [271, 241, 211, 181, 7, 5]);
  // A row does not go while its job is worked on, but for one that is looked at.
  const shown = new Set([1, 31, 61, 91, 121, 151, 300]);
  assert.deepEqual(ids({ shown }), [151, 121, 91, 61, 31, 1]);
  const few = many.slice(290);
  assert.deepEqual(arrange(few, {}).current.map(({ id }) => id), [300, 299, 298, 297, 296, 295]);
});

test("of axes that are too long to be sent the longest is wrong", () => {
  const factor = "2,".repeat(9000);
  const { errors, total } = tooLong([["initial", "1"], ["factor", factor], ["times", "3".repeat(AXIS_CHARS_MAX)]]);
  assert.deepEqual([Object.keys(errors), total], [["factor"], null]);
});

test("what a removal means is said of no result, of one and of many", () => {
  const { means } = LANGUAGES.en.jobs.question.remove;
  assert.deepEqual(
    [0, 1, 2].map(means),
    [
      "It has no results.",
      "Its 1 result is deleted on the server.",
      "Its 2 results are deleted on the server.",
    ],
  );
  assert.equal(LANGUAGES.es.jobs.question.remove.means(0), "No tiene resultados.");
});

test("parts and spans are said roughly, and never as more than they are", () => {
  const { progress, left } = LANGUAGES.en.jobs;
  assert.equal(progress(412_000, 1_000_000), "412,000 of 1,000,000 (41 %)");
  assert.equal(progress(999_999, 1_000_000), "999,999 of 1,000,000 (99 %)");
  assert.equal(progress(1e9, 1e9), "1,000,000,000 of 1,000,000,000 (100 %)");
  assert.equal(progress(1, 1e9), "1 of 1,000,000,000 (< 0.1 %)");
  assert.equal(progress(4_990, 100_000), "4,990 of 100,000 (4.9 %)");
  assert.equal(progress(0, 0), "0 of 0 (0 %)");
  assert.equal(left(0), "about 5 seconds left");
  assert.equal(left(31), "about 35 seconds left");
  assert.equal(left(100), "about 2 minutes left");
  assert.equal(left(3600 * 30), "about 30 hours left");
  assert.equal(left(86_400 * 1234), "about 1,234 days left");
  assert.equal(LANGUAGES.es.jobs.left(100), "faltan como 2 minutos");
  assert.equal(LANGUAGES.es.jobs.left(3600 * 1.5), "faltan como 2 horas");
});
