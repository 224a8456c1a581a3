// Tasks a second of BullMQ: a queue in Redis, and two workers, each a process of its own.
//
//   node bullmq.mjs REDIS_PORT           adds the jobs, starts the workers, and prints the rate
//   node bullmq.mjs REDIS_PORT worker    is one of them
//
// Timed is from the first jobs' being done to the last one's. Adding them is not.

import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Queue, Worker } from "bullmq";

const QUEUE = "repeat_multiply";
const JOBS = 20_000;
const JOBS_ADDED_AT_ONCE = 2_000;
const WORKERS = 2;

/** Jobs that a worker has at once: most of a job is waiting for Redis. */
const CONCURRENCY = 50;

/** Jobs that are not counted, since both workers are still starting. */
const WARM = 4_000;

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };

function work() {
  const compute = async ({ data: { initial, factor, times } }) => initial * Math.pow(factor, times);
  new Worker(QUEUE, compute, { connection, concurrency: CONCURRENCY });
  // It is not to outlive who started it.
  process.on("disconnect", () => process.exit());
}

async function measure() {
  const queue = new Queue(QUEUE, { connection });
  // It keeps nothing of what is done but how much that is, which is what costs it least.
  const opts = { removeOnComplete: true };
  for (let first = 0; first < JOBS; first += JOBS_ADDED_AT_ONCE) {
    const jobs = Array.from({ length: JOBS_ADDED_AT_ONCE }, (_, at) => {
      const data = { initial: 1.0000054, factor: 1.00000043, times: first + at };
      return { name: "task", data, opts };
    });
    await queue.addBulk(jobs);
  }
  const workers = Array.from({ length: WORKERS }, () => {
    return fork(fileURLToPath(import.meta.url), [process.argv[2], "worker"]);
  });
  const began = await left(queue, JOBS - WARM);
  const ended = await left(queue, 0);
  const tasks_per_second = ((began.left - ended.left) / (ended.at - began.at)) * 1000;
  console.log(JSON.stringify({ tasks_per_second }));
  await Promise.all(
    workers.map((worker) => {
      worker.kill();
      return once(worker, "exit");
    }),
  );
  await queue.close();
}

/** Waits until at most so many jobs are left, and says when, and how many. */
async function left(queue, most) {
  for (;;) {
    const { waiting, active } = await queue.getJobCounts("waiting", "active");
    if (waiting + active <= most) {
      return { at: performance.now(), left: waiting + active };
    }
    await sleep(5);
  }
}

await (process.argv[3] === "worker" ? work() : measure());
