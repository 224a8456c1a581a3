// @ts-check
// The other way round: the exercises' own servers, which Tequio's page works for and its commands
// talk to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, WELCOME_RESULT, resultsSent, until } from "../../www/tests/support.mjs";
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

  test(`tequio echo and tequio chat talk to the exercises' servers (${python})`, async (t) => {
    const echo = await address(Client.start(t, "../servers/echo_server.py", [0], python));
    const said = await Client.tequio(t, "echo", echo, "Hola, Servidor!").end();
    assert.deepEqual(said, ["> Hola, Servidor!", "< echo: Hola, Servidor!"]);

    const room = Client.start(t, "../servers/chat_server.py", [0], python);
    const other = Client.start(t, "chat.py", [await address(room)], python);
    await room.line(/^Conectados: 1$/);
    const chat = Client.tequio(t, "chat", await address(room));
    await room.line(/^Conectados: 2$/);
    other.type("¿Quién está?");
    await chat.line(/¿Quién está\?$/);
    chat.type("yo");
    await other.line(/^Recibido: yo$/);
    chat.child.stdin.end();
    await chat.end();
    await until("it has left", () => count(room.lines, /^Conectados: 1$/) === 2);
  });
}

/** Where an exercise's server listens. @param {Client} exercise */
async function address(exercise) {
  const line = await exercise.line(/^Servidor en /);
  return line.slice("Servidor en ".length);
}
