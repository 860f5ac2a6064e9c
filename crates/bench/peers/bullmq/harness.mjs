// BullMQ on the Redis that REDIS_PORT names.

import { readFileSync } from "node:fs";

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

import { serve } from "../protocol.mjs";

const connection = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const version = JSON.parse(readFileSync(new URL("node_modules/bullmq/package.json", import.meta.url))).version;
const redis = new Redis(connection);
const queue = new Queue("bench", { connection });
// It keeps no history: what it writes for a job that has run is the least it can.
const options = { removeOnComplete: true, attempts: 3 };

await serve({
  async describe() {
    const server = /redis_version:(\S+)/.exec(await redis.info("server"))?.[1];
    const fsync = await redis.config("GET", "appendfsync");
    return `bullmq ${version} on Redis ${server}, appendfsync ${Array.isArray(fsync) ? fsync[1] : fsync.appendfsync}, removeOnComplete`;
  },
  async reset() {
    await redis.flushall();
  },
  enqueue: (payload) => queue.add("noop", payload, options),
  enqueueMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: "noop", data, opts: options }))),
  async startWorkers(concurrency, run) {
    let finished = 0;
    const worker = new Worker("bench", async ({ data }) => run(data), { connection, concurrency });
    worker.on("completed", () => finished++);
    await worker.waitUntilReady();
    return { finished: () => finished, stop: () => worker.close() };
  },
});
