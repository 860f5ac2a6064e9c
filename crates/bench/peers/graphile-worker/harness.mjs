// graphile-worker on the PostgreSQL whose socket directory is PGHOST.

import { readFileSync } from "node:fs";

import { Logger, makeWorkerUtils, run as runWorkers } from "graphile-worker";
import pg from "pg";

import { serve } from "../protocol.mjs";

/** Connections of the clients; as many transactions share a flush of the server's log. */
const CLIENT_CONNECTIONS = 64;
const version = JSON.parse(readFileSync(new URL("node_modules/graphile-worker/package.json", import.meta.url))).version;
const logger = new Logger(() => () => {});
const pool = connections(CLIENT_CONNECTIONS);
// What its documents on performance advise for many short jobs: claims by the hundred, and ends that are stored later.
const batching = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const settings = process.env.BATCHING === "1" ? batching : {};
let utils;

/** Connections that end the harness when one of them breaks. */
function connections(max) {
  const opened = new pg.Pool({ max });
  const broken = (error) => {
    throw error;
  };
  opened.on("error", broken).on("connect", (client) => client.on("error", broken));
  return opened;
}

async function setting(name) {
  return Object.values((await pool.query(`SHOW ${name}`)).rows[0])[0];
}

await serve({
  async describe() {
    const server = (await setting("server_version")).split(" ")[0];
    return (
      `graphile-worker ${version} (Node.js ${process.versions.node}) on PostgreSQL ${server}, ` +
      `fsync ${await setting("fsync")}, synchronous_commit ${await setting("synchronous_commit")}, ` +
      (settings === batching ? "localQueue.size 500, completeJobBatchDelay 0" : "no batching (its default)")
    );
  },
  async reset() {
    await utils?.release();
    await pool.query("DROP SCHEMA IF EXISTS graphile_worker CASCADE");
    utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
  },
  enqueue: (payload) => utils.addJob("noop", payload, { maxAttempts: 3 }),
  enqueueMany: (payloads) =>
    utils.addJobs(payloads.map((payload) => ({ identifier: "noop", payload, maxAttempts: 3 }))),
  async startWorkers(concurrency, run) {
    const workers = connections(concurrency + 4);
    const runner = await runWorkers({
      pgPool: workers,
      logger,
      noHandleSignals: true,
      taskList: { noop: async (payload) => run(payload) },
      preset: { worker: { ...settings, concurrentJobs: concurrency } },
    });
    return {
      // Its workers do not wait for the end of a job to be stored, and nothing tells when it was.
      finished: () => null,
      async stop() {
        await runner.stop();
        await workers.end();
      },
    };
  },
});
