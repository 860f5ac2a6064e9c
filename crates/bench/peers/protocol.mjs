// What a peer's harness answers: one JSON request a line on stdin, one JSON line of figures each on stdout.
//
// The loops are here, so that every peer is measured by the same ones; a peer gives the few calls they need:
//   describe()                 its version and how it is set up
//   reset()                    an empty queue
//   enqueue(payload)           ends when the queue has answered
//   enqueueMany(payloads)      the fastest way it has to add a thousand
//   startWorkers(count, run)   calls `run(payload)` for each job; gives { finished(), stop() }
// `finished()` is the number of jobs whose end the queue has answered; a peer that does not say it gives null, and its
// jobs count as finished when `stop()` is over. crates/bench/src/harness.rs is the same for contenders in Rust.

import { createInterface } from "node:readline";

/** Jobs a call of `enqueueMany`. */
const MANY = 1_000;
/** Workers that wait while the pace is kept. */
const LOOK_EVERY_MS = 2;
/** How long a job may take to be run before the harness gives up. */
const PATIENCE_MS = 60_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The payload of every contender. */
function payload(n) {
  return { to: "someone@example.test", template: "welcome", n };
}

/** Percentiles of milliseconds, in whole microseconds. */
function percentiles(milliseconds) {
  const sorted = Float64Array.from(milliseconds).sort();
  const at = (quantile) =>
    sorted.length === 0 ? 0 : Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(quantile * sorted.length) - 1)] * 1e3);
  return { p50_us: at(0.5), p95_us: at(0.95), p99_us: at(0.99), max_us: at(1) };
}

async function until(condition, what) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}

/** Adds jobs in bulk until there are enough or the time is up. */
async function fill(peer, { jobs, seconds }) {
  const started = performance.now();
  let added = 0;
  while (added < jobs && performance.now() - started < seconds * 1e3) {
    const count = Math.min(MANY, jobs - added);
    await peer.enqueueMany(Array.from({ length: count }, (_, index) => payload(added + index)));
    added += count;
  }
  return { jobs: added, seconds: (performance.now() - started) / 1e3 };
}

/** Clients that each wait for their answer before the next. */
async function enqueue(peer, { clients, jobs, seconds }) {
  const latency = [];
  let next = 0;
  const started = performance.now();
  const client = async () => {
    while (next < jobs && performance.now() - started < seconds * 1e3) {
      const job = payload(next++);
      const before = performance.now();
      await peer.enqueue(job);
      latency.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { jobs: latency.length, seconds: (performance.now() - started) / 1e3, latency: percentiles(latency) };
}

/** Workers on jobs that wait for them; the time counts from the first job's start. */
async function work(peer, { workers, jobs, seconds }) {
  let runs = 0;
  let started = 0;
  let last = 0;
  const gaps = [];
  const pool = await peer.startWorkers(workers, () => {
    const now = performance.now();
    if (runs++ === 0) started = now;
    else gaps.push(now - last);
    last = now;
  });
  const finished = () => pool.finished() ?? runs;
  await until(
    () => finished() >= jobs || (started > 0 && performance.now() - started > seconds * 1e3),
    "the workers",
  );
  let count = finished();
  let ended = performance.now();
  const told = pool.finished() !== null;
  await pool.stop();
  if (!told) {
    count = runs;
    ended = performance.now();
  }
  return { jobs: count, seconds: (ended - started) / 1e3, latency: percentiles(gaps) };
}

/** Jobs at a steady pace, whether or not earlier ones have run; each counts from when it should have been sent. */
async function pace(peer, { rate, seconds, workers }) {
  const total = rate * seconds;
  const latency = [];
  let start = Infinity;
  let warm = false;
  const pool = await peer.startWorkers(workers, ({ n }) => {
    if (n < 0) warm = true;
    else latency.push(performance.now() - (start + (n * 1e3) / rate));
  });
  await peer.enqueue(payload(-1));
  await until(() => warm, "the first job");
  start = performance.now() + 50;
  const sent = [];
  while (sent.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) * rate) / 1e3) + 1);
    while (sent.length < due) sent.push(peer.enqueue(payload(sent.length)));
    await sleep(1);
  }
  await Promise.all(sent);
  await until(() => latency.length >= total, "the last job");
  await pool.stop();
  return { jobs: latency.length, seconds, latency: percentiles(latency) };
}

/** One job after another, while nothing else happens: from before its enqueue until it runs. */
async function idle(peer, { jobs, workers }) {
  const latency = [];
  let ran = () => {};
  const pool = await peer.startWorkers(workers, () => ran(performance.now()));
  for (let n = -1; n < jobs; n++) {
    const run = new Promise((resolve) => (ran = resolve));
    const before = performance.now();
    await peer.enqueue(payload(n));
    const at = await run;
    // The first one only wakes the workers.
    if (n >= 0) latency.push(at - before);
    await sleep(LOOK_EVERY_MS);
  }
  await pool.stop();
  return { jobs, seconds: 0, latency: percentiles(latency) };
}

const loops = { fill, enqueue, work, pace, idle };

/** Answers requests until stdin ends. */
export async function serve(peer) {
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      const request = JSON.parse(line);
      if (request.op === "describe") answer = { setup: await peer.describe() };
      else if (request.op === "reset") answer = { jobs: 0, seconds: 0, ...(await peer.reset()) };
      else answer = await loops[request.op](peer, request);
    } catch (error) {
      answer = { error: String(error?.message ?? error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  process.exit(0);
}
