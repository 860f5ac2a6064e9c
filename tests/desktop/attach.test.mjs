// The app beside a node that runs by itself: it shows that node, whenever there is one, and never starts a second.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { eventually, within } from "../harness/process.mjs";
import { NEW_JOB, heldJob, makeDesk, stoppedFromTray } from "./app.mjs";
import { freePort } from "./webdriver.mjs";

const ONE_JOB = "Busy: 1 job is running";
const KIND = "//*[@role='combobox']";

test("node that runs already is shown as what it is, is not stopped, and is replaced once it has ended", async (t) => {
  const desk = await makeDesk(t);
  const service = await startNode(t, { env: desk.env });
  const app = await desk.start([], { listen: undefined });
  const window = await app.drive();
  await window.text(NEW_JOB);
  assert.ok((await window.url()).startsWith(service.url), "it is that very node");
  const tray = await app.tray();
  const said = (await tray.menu()).map((entry) => entry.label).join("\n");
  assert.match(said, new RegExp(String(service.child.pid)), "it says whose node this is");
  const stop = await tray.entry("Stop (it runs as a service)");
  assert.equal(stop.enabled, false, "it is not the app's to stop");

  service.child.kill("SIGTERM");
  await within(service.ended, "the end of the service");
  await tray.untilLine("that somebody stopped it", "Stopped");
  await tray.click("Start");
  await tray.untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).pid, app.pid, "now it is the app's own");
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0);
});

test("service goes on when the app that shows it quits, whatever runs there", async (t) => {
  const desk = await makeDesk(t);
  const service = await startNode(t, { env: desk.env });
  const app = await desk.start([], { listen: undefined });
  const tray = await app.tray();
  const job = await heldJob(desk);
  await tray.untilLine("that a job runs", ONE_JOB);
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0, "nothing is lost, so there is nothing to wait for");
  assert.equal((await fetch(`${service.url}/health`)).status, 200);
  assert.equal(await job.state(), "leased", "it was not disturbed");
});

test("service that is restarted is shown again by itself, wherever it serves then", async (t) => {
  const desk = await makeDesk(t);
  const service = await startNode(t, { env: desk.env });
  const app = await desk.start([], { listen: undefined });
  const window = await app.drive();
  await window.text(NEW_JOB);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");

  service.child.kill("SIGTERM");
  await within(service.ended, "the end of the service");
  await tray.untilLine("that somebody stopped it", "Stopped");
  await assert.rejects(desk.cli("status"), /NODE_NOT_RUNNING/, "whoever stopped it wants it so");
  const again = await startNode(t, { env: desk.env });
  await tray.untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).pid, again.child.pid, "it is the service and no other");
  const said = (await tray.menu()).map((entry) => entry.label).join("\n");
  assert.match(said, new RegExp(String(again.child.pid)), "it says whose node this is now");
  await window.untilUrl("at the new address", (address) => address.startsWith(again.url));
  await window.text(NEW_JOB);
});

test("service that is killed and comes back where it was leaves the page as it is", async (t) => {
  const desk = await makeDesk(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const service = await startNode(t, { env: desk.env, listen });
  const app = await desk.start([], { listen: undefined });
  const window = await app.drive();
  await window.click(NEW_JOB);
  await window.type(KIND, "noo");
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");

  service.child.kill("SIGKILL");
  await within(service.ended, "the end of the service");
  await tray.untilLine("that nobody stopped it", "Not answering");
  await startNode(t, { env: desk.env, listen });
  await tray.untilLine("that it is idle", "Idle");
  await window.untilProperty(KIND, "value", "noo");
});

test("node that somebody starts after the app stopped its own is shown", async (t) => {
  const { desk, tray, window } = await stoppedFromTray(t);
  const service = await startNode(t, { env: desk.env });
  await tray.untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).pid, service.child.pid);
  assert.equal((await tray.entry("Stop (it runs as a service)")).enabled, false);
  await window.untilUrl("at the service", (address) => address.startsWith(service.url));
});

test("app without a node of its own writes a log of its own", async (t) => {
  const desk = await makeDesk(t, { panel: false });
  await startNode(t, { env: desk.env });
  await desk.start([], { listen: undefined });
  await untilLogged(desk, "there is no tray");
});

test("settings that cannot be read are explained in the window and in the log", async (t) => {
  const desk = await makeDesk(t);
  await mkdir(desk.dataDir, { recursive: true, mode: 0o700 });
  await writeFile(join(desk.dataDir, "config.toml"), "listen = nowhere\n");
  const app = await desk.start();
  const window = await app.drive();
  assert.match(await window.text("//*[@data-said='message']"), /config\.toml/, "it names the file");
  assert.match(await window.text("//*[@data-said='log']"), /logs/, "it names the logs");
  await untilLogged(desk, "config.toml");
});

/** Waits until the app's own log says this. */
async function untilLogged(desk, text) {
  const logs = join(desk.dataDir, "logs");
  await eventually(`${text} in the log of the app`, async () => {
    const names = (await readdir(logs)).filter((name) => name.startsWith("desktop-"));
    const said = await Promise.all(names.map((name) => readFile(join(logs, name), "utf8")));
    return said.join("").includes(text);
  });
}
