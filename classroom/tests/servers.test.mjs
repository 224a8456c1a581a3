// @ts-check
// The other way round: the exercises' own servers, which Tequio's page works for and its commands
// talk to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, WELCOME_RESULT, resultsSent } from "../../www/tests/support.mjs";
import { Client, PYTHON, PYTHON_OLDER, count } from "./support.mjs";

for (const python of [PYTHON, PYTHON_OLDER]) {
  test(`a tab works for the exercise's server (${python})`, async (t) => {
    const exercise = Client.start(t, "../servers/tasks_server.py", [0], python);
    const server = await Server.start(t, { args: ["--no-welcome"] });
    const browser = await Browser.start(t);
    const page = await browser.open(`${server.page}?server=${await address(exercise)}`);
    await exercise.line(new RegExp(`^Resultado 1: ${WELCOME_RESULT}$`));
    await resultsSent(page, 1);
    await page.close();
    await exercise.line(/^Cliente desconectado$/);
    assert.equal(count(exercise.lines, /^Cliente conectado$/), 1);
    await browser.close();
  });
}

/** Where an exercise's server listens. @param {Client} exercise */
async function address(exercise) {
  const line = await exercise.line(/^Servidor en /);
  return line.slice("Servidor en ".length);
}
