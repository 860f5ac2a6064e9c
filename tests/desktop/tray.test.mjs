// The tray tells the truth, and what can be done from it is done.
import assert from "node:assert/strict";
import { test } from "node:test";

import { eventually } from "../harness/process.mjs";
import { NEW_JOB, heldJob, makeDesk, stoppedFromTray } from "./app.mjs";
import { iconOf, isInTray, startHungWatcher } from "./tray.mjs";

test("tray shows in words and in its picture that a job runs, and that none does", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const one = await heldJob(desk);
  await tray.untilLine("that one job runs", "Busy: 1 job is running");
  await tray.untilIcon("so, too", await iconOf(desk.t, "busy"));
  const other = await heldJob(desk);
  await tray.untilLine("that two jobs run", "Busy: 2 jobs are running");
  one.finish();
  other.finish();
  await tray.untilLine("that it is idle", "Idle");
  await tray.untilIcon("that it is idle", await iconOf(desk.t, "idle"));
});

test("node is drained from the tray, works again from there, and both are done to the node itself", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const job = await heldJob(desk);

  await tray.click("Drain: take no new jobs");
  await tray.untilLine("how many jobs are left", "Draining: 1 job left");
  await tray.untilIcon("that it drains", await iconOf(desk.t, "draining"));
  const { drain } = await desk.cli("status");
  assert.equal(drain.on, true);
  assert.equal(drain.stopping, false, "it drains, but nobody quits");
  job.finish();
  await tray.untilLine("that nothing is left", "Drained: nothing is running");

  await tray.click("End the drain");
  await tray.untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).drain.on, false);
  await tray.untilIcon("that it is idle", await iconOf(desk.t, "idle"));
});

test("drain that somebody else began is in the tray, too", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.cli("drain", "on");
  await tray.untilLine("that it drains", "Drained: nothing is running");
  await desk.cli("drain", "off");
  await tray.untilLine("that it is idle", "Idle");
});

test("workers become fewer and more from the tray, stay so after a restart, and follow the load again", async (t) => {
  const desk = await makeDesk(t);
  const workers = async () => (await desk.cli("status")).engines[0].workers_fixed ?? null;
  // The next click counts from what is shown.
  const shown = (tray, count) => eventually("the tray shows it", () => tray.entry(`${count} workers`));
  const until = (count) => eventually(`${count} workers`, async () => (await workers()) === count);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  assert.equal(await workers(), null, "at first their number follows the load");
  await tray.click("One more");
  const more = await eventually("a number of workers", workers);
  await shown(tray, more);
  await tray.click("One more");
  await until(more + 1);
  await shown(tray, more + 1);
  await tray.click("One fewer");
  await until(more);
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0);

  const again = await desk.start(["--background"]);
  const after = await again.tray();
  await after.untilLine("that it is idle", "Idle");
  assert.equal(await workers(), more, "it is kept");
  await after.click(/^By load/);
  await eventually("the load decides", async () => (await workers()) === null);
});

test("node is stopped and started from the tray while the app stays", async (t) => {
  const { desk, tray, window } = await stoppedFromTray(t);
  await tray.untilIcon("that there is none", await iconOf(desk.t, "stopped"));
  await assert.rejects(desk.cli("status"), /NODE_NOT_RUNNING/, "there is no node");
  const drain = await tray.entry("Drain: take no new jobs (it is not running)");
  assert.equal(drain.enabled, false, "what cannot be done is there, and says why not");
  await tray.click("Start");
  await tray.untilLine("that it is idle", "Idle");
  await window.text(NEW_JOB);
});

test("address is copied, and the folder of the logs and the window are opened from the tray", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const { url, data_dir } = await desk.cli("status");
  await tray.click("Copy address");
  await eventually("the address is in the clipboard", async () => (await desk.screen.clipboard()).startsWith(url));
  await tray.click("Open log folder");
  assert.equal(await desk.opened(), `${data_dir}/logs`);
});

test("without a tray the app says so, and it goes into one that comes later", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const notice = await desk.untilNotice("TRAY_MISSING");
  assert.ok(notice.message && notice.hint, "it says what that means and what to do");

  await desk.startPanel();
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.untilNotice("TRAY_MISSING", false);
  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  assert.equal((await desk.cli("status")).pid, app.pid, "now there is a tray to stay in");
});

test("start in the background without a tray is in the task bar, and so is an app whose tray went for good", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  const app = await desk.start(["--background"]);
  const inTaskBar = async () => {
    await desk.screen.opens("Flowork");
    await eventually("the window is in the task bar", () => desk.screen.isMinimized("Flowork"));
    assert.equal((await app.windows()).length, 1);
  };
  await inTaskBar();

  const panel = await desk.startPanel();
  await (await app.tray()).untilLine("that it is idle", "Idle");
  await desk.untilNotice("TRAY_MISSING", false);
  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  panel.child.kill("SIGKILL");
  await panel.ended;
  // Nobody could reach the app any more.
  await inTaskBar();
  assert.equal((await desk.cli("status")).pid, app.pid);
});

test("panel that is started anew has the app in it again", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  const panel = await desk.startPanel();
  const app = await desk.start(["--background"]);
  await app.tray();
  panel.child.kill("SIGKILL");
  await panel.ended;
  await desk.startPanel();
  await eventually("the app is in the new panel", () => isInTray(desk.bus, app.pid));
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
});

test("panel that hangs does not hang the app", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  const panel = await desk.startPanel();
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  await (await app.tray()).untilLine("that it is idle", "Idle");
  panel.child.kill("SIGKILL");
  await panel.ended;
  await startHungWatcher(desk);
  // Something to draw.
  const job = await heldJob(desk);
  await window.text(`//a[contains(@href, '${job.id}')]`);
  job.finish();
  await desk.cli("job", "wait", job.id);
  assert.ok(await window.evaluate("return document.title"), "the window answers");
  app.signal("SIGTERM");
  assert.equal(await app.exitCode(), 0);
});

test("window closed without a tray is hidden, a second start shows it, and closed while hidden it quits", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  await desk.screen.close("Flowork");
  await eventually("the window is hidden", () => desk.screen.isMinimized("Flowork"));
  const second = await desk.start();
  assert.equal(await second.exitCode(), 0);
  await desk.screen.untilInFront("Flowork");
  assert.equal(await desk.screen.isMinimized("Flowork"), false);

  await desk.screen.close("Flowork");
  await eventually("the window is hidden", () => desk.screen.isMinimized("Flowork"));
  await desk.screen.close("Flowork");
  assert.equal(await app.exitCode(), 0, "whoever closes what is hidden means it");
  await app.untilGone();
});

test("without a session bus and a keychain everything works that needs neither", async (t) => {
  const desk = await makeDesk(t, { bus: false, env: { FLOWORK_VAULT: undefined, FLOWORK_VAULT_KEY_DIR: undefined } });
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const { vault, notices } = await desk.cli("status");
  assert.equal(vault, "file");
  const codes = notices.map((notice) => notice.code);
  assert.ok(codes.includes("VAULT_KEY_ON_DISK") && codes.includes("TRAY_MISSING"), codes.join(", "));

  // Nobody tells the first one of a second start, which shows the same node and is no reason for it to end.
  const second = await desk.start();
  const other = await second.drive();
  await other.text(NEW_JOB);
  assert.equal(new URL(await other.url()).origin, new URL(await window.url()).origin);
  second.signal("SIGTERM");
  assert.equal(await second.exitCode(), 0);
  assert.equal((await desk.cli("status")).pid, app.pid);
  app.signal("SIGTERM");
  assert.equal(await app.exitCode(), 0);
});

test("session bus without a keychain on it is no reason not to start", async (t) => {
  const desk = await makeDesk(t, { env: { FLOWORK_VAULT: undefined, FLOWORK_VAULT_KEY_DIR: undefined } });
  const app = await desk.start(["--background"]);
  await (await app.tray()).untilLine("that it is idle", "Idle");
  const notice = await desk.untilNotice("VAULT_KEY_ON_DISK");
  assert.ok(notice.hint);
});
