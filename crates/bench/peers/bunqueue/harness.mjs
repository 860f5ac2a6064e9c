// bunqueue, embedded, with its files below DATA_DIR. It runs on Bun only.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Queue, Worker, shutdownManager } from "bunqueue/client";

import { serve } from "../protocol.mjs";

const version = JSON.parse(readFileSync(new URL("node_modules/bunqueue/package.json", import.meta.url))).version;
const options = { durable: true, removeOnComplete: true, attempts: 3 };
let files = 0;
let dataPath;
let queue;

await serve({
  describe: () => `bunqueue ${version} (Bun ${Bun.version}), embedded, durable: true, removeOnComplete, drainDelay 1 ms`,
  async reset() {
    queue?.close();
    shutdownManager();
    dataPath = join(process.env.DATA_DIR, `${files++}.db`);
    queue = new Queue("bench", { embedded: true, dataPath });
  },
  enqueue: (payload) => queue.add("noop", payload, options),
  enqueueMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: "noop", data, opts: options }))),
  async startWorkers(concurrency, run) {
    let finished = 0;
    const worker = new Worker("bench", async ({ data }) => run(data), { embedded: true, dataPath, concurrency, drainDelay: 1 });
    worker.on("completed", () => finished++);
    return { finished: () => finished, stop: () => worker.close() };
  },
});
