// The end of the session, which may wait for nobody: what ran then runs again at the next start.
import assert from "node:assert/strict";
import { test } from "node:test";

import { heldJob, makeDesk } from "./app.mjs";
import { startScreen } from "./screen.mjs";

test("session that asks once and then ends the app by force costs no job", async (t) => {
  const desk = await makeDesk(t);
  const { app, tray, job } = await startBusy(desk);
  // As systemd and session managers do it: several signals at once, and after some time the last one.
  app.signal("SIGHUP");
  app.signal("SIGTERM");
  await tray.untilLine("that it drains", "Draining: 1 job left");
  assert.equal(app.hasEnded(), false, "it waits for the job");
  app.signal("SIGKILL");
  await app.untilGone();
  await runsAgain(desk, job);
});

test("screen that goes away takes the app along and no job", async (t) => {
  const desk = await makeDesk(t);
  const { app, job } = await startBusy(desk);
  await desk.screen.end();
  await app.untilGone();
  // The panel is another screen's, and so is the tray.
  const { env } = await startScreen(desk.t, desk.env);
  await runsAgain(desk, job, { env });
});

/** Starts the app in the background, and a job on it that runs until the test lets it finish. */
async function startBusy(desk) {
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const job = await heldJob(desk);
  return { app, tray, job };
}

/** Shows that a job runs to its end at the next start. */
async function runsAgain(desk, job, options = {}) {
  await desk.start(["--background"], options);
  await job.untilAsked();
  job.finish();
  const { state } = await desk.cli("job", "wait", job.id);
  assert.equal(state, "completed");
}
