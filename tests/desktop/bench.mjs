// Measures the desktop app: how soon its window is usable, and what it costs with and without one. Prints a table.
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

import { eventually } from "../harness/process.mjs";
import { NEW_JOB, makeDesk, wakesBetween } from "./app.mjs";

const STARTS = 7;
const START_MS_GOAL = 1_500;
const WINDOW_MIB_GOAL = 180;
const TRAY_MIB_GOAL = 80;
/** How long processor time is counted while nothing happens. */
const IDLE_MS = 20_000;
/** Processor time is counted in these; it is the same on every Linux. */
const TICK_MS = 10;
const MIB = 1024;

const steps = [];
const t = { after: (step) => steps.unshift(step) };
try {
  const desk = await makeDesk(t);
  const starts = await measureStarts(desk);
  const cost = await measureCost(desk);
  console.log("| what | goal | measured |\n| --- | --- | --- |");
  line(`start to usable window, ${STARTS} starts`, `≤ ${START_MS_GOAL} ms`, quantiles(starts));
  line("memory of its own with one window", `≤ ${WINDOW_MIB_GOAL} MiB`, mib(cost.window, "own"));
  line("memory of its own closed to the tray", `≤ ${TRAY_MIB_GOAL} MiB`, mib(cost.tray, "own"));
  line("the same, and its share of programs and libraries in memory (PSS), with one window", "", mib(cost.window, "all"));
  line("the same closed to the tray", "", mib(cost.tray, "all"));
  line(`processor time in ${IDLE_MS / 1_000} s, idle, with one window`, "0", idle(cost.windowIdle));
  line(`processor time in ${IDLE_MS / 1_000} s, idle, closed to the tray`, "0", idle(cost.trayIdle));
} finally {
  for (const step of steps) {
    await step();
  }
}

function line(what, goal, measured) {
  console.log(`| ${what} | ${goal} | ${measured} |`);
}

/**
 * From starting the program until the first list of jobs is in the page, which is the last thing that the first screen
 * waits for. The page itself says when that was, so that nothing drives it meanwhile.
 */
async function measureStarts(desk) {
  const times = [];
  for (let start = 0; start <= STARTS; start += 1) {
    const began = Date.now();
    const app = await desk.start();
    const tray = await app.tray();
    await tray.untilLine("that it is idle", "Idle");
    const window = await app.drive();
    await window.text(NEW_JOB);
    const there = await window.evaluate(`
      const loaded = performance.getEntriesByType("resource");
      const jobs = loaded.filter(({ name }) => /\\/v1\\/jobs(\\?|$)/.test(name)).map(({ responseEnd }) => responseEnd);
      return jobs.length === 0 ? null : performance.timeOrigin + Math.min(...jobs);
    `);
    if (there === null) {
      throw new Error("the first screen asked for no jobs");
    }
    // The first start makes the data directory and is not counted.
    if (start > 0) {
      times.push(there - began);
    }
    await tray.click("Quit");
    await app.exitCode();
    await app.untilGone();
  }
  return times.sort((one, other) => one - other);
}

async function measureCost(desk) {
  // Nothing drives this one: the driver costs memory of its own.
  const app = await desk.start([], { driven: false });
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.screen.opens("Flowork");
  const window = await settledMemory(app);
  const windowIdle = await idleTime(app);
  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  await app.untilNoPage();
  const inTray = await settledMemory(app);
  const trayIdle = await idleTime(app);
  await tray.click("Quit");
  await app.exitCode();
  return { window, windowIdle, tray: inTray, trayIdle };
}

/**
 * Waits until the memory of the app hardly changes any more, and returns it by process, in KiB. Its own is what a system
 * monitor shows: no other process has it, and the system gets it back when the app ends. What is mapped from files of
 * programs and libraries is counted besides, shared out among those who have it mapped: the system may drop it at any time.
 */
async function settledMemory(app) {
  let last = 0;
  return eventually("the memory comes to rest", async () => {
    await pause(2_000);
    const now = await memory(app);
    const rests = Math.abs(now.all.total - last) < 0.01 * now.all.total;
    last = now.all.total;
    return rests && now;
  });
}

async function memory(app) {
  const found = { own: { total: 0, parts: {} }, all: { total: 0, parts: {} } };
  for (const { pid, name } of await app.processes()) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    const kib = (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(rollup)?.[1] ?? 0);
    add(found.own, name, kib("Pss_Anon") + kib("Pss_Shmem"));
    add(found.all, name, kib("Pss"));
  }
  return found;
}

function add(sum, name, kib) {
  sum.total += kib;
  sum.parts[name] = (sum.parts[name] ?? 0) + kib;
}

async function idleTime(app) {
  const before = await used(app);
  await pause(IDLE_MS);
  const after = await used(app);
  return { ms: after.ms - before.ms, wakes: (wakesBetween(before.wakes, after.wakes) * 1_000) / IDLE_MS };
}

/** Processor time and wake-ups of all processes of the app. */
async function used(app) {
  let ms = 0;
  const pids = (await app.processes()).map(({ pid }) => pid);
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ms += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
  }
  return { ms, wakes: await app.wakes(pids) };
}

function quantiles(times) {
  const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
  return `${at(0.5)} ms in the middle, ${at(0)}–${at(1)} ms`;
}

function mib(memory, kind) {
  const { total, parts } = memory[kind];
  const each = Object.entries(parts).map(([name, kib]) => `${name} ${Math.round(kib / MIB)}`);
  return `${Math.round(total / MIB)} MiB (${each.join(", ")})`;
}

function idle({ ms, wakes }) {
  return `${ms} ms, ${wakes.toFixed(1)} wake-ups a second`;
}
