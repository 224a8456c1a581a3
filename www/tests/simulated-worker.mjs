// @ts-check
// A worker that is there, and does only what a test says: without a browser or a program, there can
// be a thousand of them.

import { once } from "node:events";
import { WebSocket } from "ws";

/** What it says to the server, if it is still connected. @typedef {(message: object) => void} Say */

/** Connects one to a server, which it says hello to; it leaves when the test ends.
 * @param {import("node:test").TestContext} t @param {import("./support.mjs").Server} server
 * @param {object} about What it says of itself: more than that it has one slot, or something else.
 * @param {(message: any, say: Say) => void} [hear] What it does with a message of the server's. */
export async function simulateWorker(t, server, about, hear) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`);
  const leave = () => socket.terminate();
  t.after(leave);
  /** @type {Say} */
  const say = (message) => {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify(message));
    }
  };
  const greeted = once(socket, "open").then(() => {
    say({ type: "hello", protocol: 1, slots: 1, ops: ["repeat_multiply"], ...about });
  });
  // Whoever answers before it has said hello is a plain client, and given a task of a job.
  socket.on("message", async (data) => {
    await greeted;
    hear?.(JSON.parse(String(data)), say);
  });
  await greeted;
  return { say, leave };
}
