// Quitting while a job runs: it is waited for, but not for ever, and the exit code says what came of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { eventually, within } from "../harness/process.mjs";
import { heldJob, makeDesk } from "./app.mjs";

const ONE_JOB = "Busy: 1 job is running";
/** The exit code that says that jobs were left unfinished. */
const JOBS_LEFT = 3;
/** A little longer than signals are taken for one. */
const SAME_WISH_MS = 1_100;

test("quitting waits for the job that runs, says so, and ends well when it is finished", async (t) => {
  const { desk, app, job, leaving } = await quitWhileBusy(t);
  assert.match(await leaving.text("//*[@role='status']"), /\b1 job left\b/, "it says what it waits for");
  job.finish();
  assert.equal(await app.exitCode(), 0);
  await app.untilGone();
  await restarted(desk, async () => assert.equal(await job.state(), "completed"));
});

test("quitting stops at the deadline, says by its exit code that a job was left, and loses nothing", async (t) => {
  const { desk, app, job } = await quitWhileBusy(t, { deadlineSeconds: 1 });
  assert.equal(await app.exitCode(), JOBS_LEFT);
  await app.untilGone();
  await untilRunAgain(desk, job);
});

test("quitting at once leaves the job behind, says so by its exit code, and loses nothing", async (t) => {
  const { desk, app, job, leaving } = await quitWhileBusy(t);
  await leaving.clickToClose("//button[normalize-space()='Quit now']");
  assert.equal(await app.exitCode(), JOBS_LEFT);
  await app.untilGone();
  await untilRunAgain(desk, job);
});

test("quitting can be taken back, and the node takes jobs again", async (t) => {
  const { desk, app, tray, job, leaving } = await quitWhileBusy(t);
  await leaving.clickToClose("//button[normalize-space()='Keep running']");
  await tray.untilLine("that the job still runs", ONE_JOB);
  const { id } = await desk.cli("job", "enqueue", "noop");
  await desk.cli("job", "wait", id);
  job.finish();
  await tray.untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).drain.on, false);
  assert.equal(app.hasEnded(), false);
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0);
});

test("closing the window that says that jobs are waited for takes the quitting back", async (t) => {
  const { desk, app, tray, job } = await quitWhileBusy(t);
  await desk.screen.close("Quitting Flowork");
  await tray.untilLine("that the job still runs", ONE_JOB);
  assert.equal(app.hasEnded(), false);
  assert.equal(await job.state(), "leased", "it was not disturbed");
});

test("link that is opened while jobs are waited for is shown at once", async (t) => {
  const { desk, leaving, tray, job } = await quitWhileBusy(t);
  const second = await desk.start([`flowork://job/${job.id}`]);
  assert.equal(await second.exitCode(), 0, "there is one instance");
  await leaving.switchTo("shows the job", (address) => address.endsWith(`/jobs/${job.id}`));
  await leaving.switchTo("about leaving", (address) => address.includes("leaving.html"));
  await leaving.clickToClose("//button[normalize-space()='Keep running']");
  await tray.untilLine("that the job still runs", ONE_JOB);
});

test("start that comes while the app ends is not lost", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const { id } = await desk.cli("job", "enqueue", "noop");
  await desk.cli("job", "wait", id);
  // The node waits some seconds for a request that is under way.
  await halfRequest(desk);
  await tray.click("Quit");
  const second = await desk.start([`flowork://job/${id}`]);
  // As a rule the first one takes the link with it into its next life; on a machine that is busy it may be gone before.
  const left = await eventually("one of them ends", () => [app, second].find((started) => started.hasEnded()));
  const other = left === app ? second : app;
  const window = await other.drive();
  await window.switchTo("shows the job", (address) => address.endsWith(`/jobs/${id}`));
  await (await other.tray()).untilLine("that it is idle", "Idle");
});

test("signal to end is a quit with a deadline, without a question", async (t) => {
  const desk = await makeDesk(t);
  await preferences(desk, "quit_deadline_seconds = 1\n");
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const job = await heldJob(desk);
  app.signal("SIGTERM");
  assert.equal(await app.exitCode(), JOBS_LEFT);
  await untilRunAgain(desk, job);
});

test("signal that comes again waits for no job", async (t) => {
  const desk = await makeDesk(t);
  await preferences(desk, "quit_deadline_seconds = 600\n");
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await heldJob(desk);
  app.signal("SIGTERM");
  await tray.untilLine("that it drains", "Draining: 1 job left");
  // Those of one second are one wish, as of a session that ends. So only one second later can there be another.
  await pause(SAME_WISH_MS);
  assert.equal(app.hasEnded(), false, "it waits for the job");
  app.signal("SIGTERM");
  assert.equal(await app.exitCode(), JOBS_LEFT);
});

test("app that is killed while a job runs loses nothing", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  await (await app.tray()).untilLine("that it is idle", "Idle");
  const job = await heldJob(desk);
  app.signal("SIGKILL");
  await app.untilGone();
  await untilRunAgain(desk, job);
});

/** Starts the app in the background, a job on it, and asks in the tray to quit; drives the window that then opens. */
async function quitWhileBusy(t, { deadlineSeconds = 600 } = {}) {
  const desk = await makeDesk(t);
  await preferences(desk, `quit_deadline_seconds = ${deadlineSeconds}\n`);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const job = await heldJob(desk);
  await tray.untilLine("that a job runs", ONE_JOB);
  await tray.click("Quit");
  if (deadlineSeconds === 1) {
    return { desk, app, tray, job };
  }
  const leaving = await app.drive();
  await leaving.switchTo("about leaving", (address) => address.includes("leaving.html"));
  await tray.untilLine("that it drains", "Draining: 1 job left");
  return { desk, app, tray, job, leaving };
}

/** Begins a request to the node of this desk, and sends no more than its beginning. */
async function halfRequest(desk) {
  const { url } = await desk.cli("status");
  const { token } = await desk.cli("token", "create");
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  desk.t.after(() => socket.destroy());
  socket.on("error", () => {});
  const head = ["POST /v1/jobs HTTP/1.1", `Host: ${hostname}:${port}`, `Authorization: Bearer ${token}`];
  const about = ["Content-Type: application/json", "Content-Length: 1000", "Idempotency-Key: half", "Expect: 100-continue"];
  socket.write(`${[...head, ...about].join("\r\n")}\r\n\r\n`);
  // It asks for the rest only once it is being answered.
  const [said] = await within(once(socket, "data"), "the node takes the request");
  assert.match(String(said), /^HTTP\/1\.1 100/);
}

/** Writes what a person set, before the first start. */
async function preferences(desk, text) {
  await mkdir(desk.dataDir, { recursive: true, mode: 0o700 });
  await writeFile(join(desk.dataDir, "desktop.toml"), text);
}

/** Starts the app once more, looks, and quits. */
async function restarted(desk, look) {
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("what it does", /^(Idle|Busy)/);
  await look();
}

/** Shows that a job that was left behind runs to its end at the next start. */
async function untilRunAgain(desk, job) {
  await restarted(desk, async () => {
    await job.untilAsked();
    job.finish();
    const { state } = await desk.cli("job", "wait", job.id);
    assert.equal(state, "completed");
  });
}
