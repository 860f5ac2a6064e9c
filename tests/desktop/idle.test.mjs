// What the app does when there is nothing to do: nothing. Whatever asks by the clock, even once a second, is seen here.
//
// Three things are counted, and each must be small for ten seconds once: whatever asks by the clock has no such ten seconds.
// How long the start takes to come to rest does not matter, and a machine that is busy with other things makes none of them
// larger: a thread that gets no processor does not go to sleep more often.
// - Requests to the node, from its log: neither the app nor the page in its window asks for anything.
// - Wake-ups of every thread of the app's own process: no timer, and nothing that looks at a file or at the bus.
// - Wake-ups of the main thread of each page, on which its scripts run. WebKit's other threads and processes have timers
//   of their own (its allocator's twice a second, the watch over memory every five), which are not the app's to stop.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { eventually } from "../harness/process.mjs";
import { makeDesk, wakesBetween } from "./app.mjs";

/** For how long everything is counted. */
const WATCHED_S = 10;
/** What wakes up once a second does so more often than this. */
const WAKES_MAX = WATCHED_S - 1;
/** How long the start may take to come to rest, and a machine that is busy to show it. */
const SETTLED_WITHIN_S = 180;

test("app in the tray and with its window open sleeps when there is nothing to do, and asks for nothing", async (t) => {
  // Side by side, because waiting is most of it.
  await Promise.all([sleeps(t), sleeps(t, { inTray: true })]);
});

async function sleeps(t, { inTray = false } = {}) {
  // Each answer is a line in the log.
  const desk = await makeDesk(t, { env: { FLOWORK_LOG: "info,flowork_gateway=debug" } });
  const app = await desk.start([], { driven: false });
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.screen.opens("Flowork");
  await app.untilPage();
  await eventually("the page asks for jobs", async () => (await answers(desk)).includes("/v1/jobs"));
  if (inTray) {
    await desk.screen.close("Flowork");
    await desk.screen.closes("Flowork");
    await app.untilNoPage();
  }
  await untilAsleep(desk, app);
}

/** Waits until each of what is counted was small for some time. */
async function untilAsleep(desk, app) {
  const samples = [];
  const waitsFor = new Set(["requests", "own", "pages"]);
  let busy;
  for (let second = 0; second <= SETTLED_WITHIN_S; second += 1) {
    samples.push(await counted(desk, app));
    const before = samples.at(-1 - WATCHED_S);
    if (before !== undefined) {
      busy = between(before, samples.at(-1));
      if (busy.requests.length === 0) {
        waitsFor.delete("requests");
      }
      for (const whose of ["own", "pages"].filter((name) => busy[name] <= WAKES_MAX)) {
        waitsFor.delete(whose);
      }
      if (waitsFor.size === 0) {
        return;
      }
    }
    await pause(1_000);
  }
  assert.fail(`${[...waitsFor]} never rested; in the last ${WATCHED_S} s there were: ${JSON.stringify(busy)}`);
}

async function counted(desk, app) {
  const processes = await app.processes();
  const pages = processes.filter(({ name }) => name.startsWith("WebKitWebProces")).map(({ pid }) => pid);
  const ofPages = [...(await app.wakes(pages))].filter(([thread]) => pages.includes(Number(thread)));
  return { own: await app.wakes(), pages: new Map(ofPages), answers: await answers(desk) };
}

function between(before, after) {
  return {
    own: wakesBetween(before.own, after.own),
    pages: wakesBetween(before.pages, after.pages),
    requests: after.answers.slice(before.answers.length),
  };
}

/** The route of every answer that the node has given so far. */
async function answers(desk) {
  const folder = join(desk.dataDir, "logs");
  const files = (await readdir(folder)).filter((name) => name.startsWith("flowork"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line.includes('"answered"'));
  return lines.map((line) => JSON.parse(line).fields?.route ?? JSON.parse(line).route);
}
