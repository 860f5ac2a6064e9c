// From the first start to the last: windows that come and go, other starts, other nodes, and starts that fail.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { eventually, start } from "../harness/process.mjs";
import { NEW_JOB, makeDesk, stoppedFromTray } from "./app.mjs";

const ENTER = "\uE007";

test("first start signs in by itself, runs a first job, lets its id be copied, and quitting leaves nothing behind", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.click(NEW_JOB);
  assert.match(await window.url(), /^http:\/\/127\.0\.0\.1:\d+\//, "the window shows the node");
  await window.type("//*[@role='combobox']", `module.csv-profile${ENTER}`);
  const file = join(desk.home, "numbers.csv");
  await writeFile(file, "a,b\n1,2\n3,4\n");
  await window.type("//*[@id=//label[starts-with(normalize-space(),'CSV file')]/@for]", file);
  await window.click("//button[normalize-space()='Enqueue job']");
  // A module is a child of the app's own program, so this also shows that it can be one.
  await window.text("//*[@role='status' and contains(., 'Completed')]");
  await window.click(`//button[@aria-label="Copy the job's id"]`);
  const [, id] = /\/jobs\/(job_\w+)/.exec(await window.url());
  await eventually("the id is in the clipboard", async () => (await desk.screen.clipboard()) === id);
  const reading = "navigator.clipboard.readText().then(() => arguments[0]('read'), (error) => arguments[0](error.name))";
  assert.equal(await window.evaluateAsync(reading), "NotAllowedError", "a page cannot read what others have copied");

  const tray = await app.tray();
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0, "nothing ran, so nothing was lost");
  await app.untilGone();
});

test("closed window leaves the app in the tray without a page in memory", async (t) => {
  const desk = await makeDesk(t);
  // The driver would keep the first page for itself.
  const app = await desk.start([], { driven: false });
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.screen.opens("Flowork");
  await app.untilPage();
  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  await app.untilNoPage();
  assert.equal((await desk.cli("status")).pid, app.pid, "the node goes on");
  await tray.activate();
  await desk.screen.opens("Flowork");
  await app.untilPage();
});

test("window that was closed opens again from the tray, signed in, on the same node", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const { url } = await desk.cli("status");
  const tray = await app.tray();
  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  await tray.click("Open dashboard");
  await desk.screen.untilInFront("Flowork");
  await window.switchTo("shows the node", (address) => address.startsWith(url));
  await window.text(NEW_JOB);
});

test("keys of the window's menu do what the menu says", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await desk.screen.untilInFront("Flowork");
  await window.evaluate("window.isOld = true");
  await desk.screen.key("ctrl+r");
  await eventually("the page is another one", async () => (await window.evaluate("return window.isOld")) === null);
  await window.text(NEW_JOB);

  await desk.screen.key("ctrl+comma");
  await desk.screen.untilInFront("Settings");
  await desk.screen.close("Settings");
  await desk.screen.untilInFront("Flowork");

  await desk.screen.key("ctrl+w");
  await desk.screen.closes("Flowork");
  assert.equal(app.hasEnded(), false, "it is in the tray");
  await tray.click("Open dashboard");
  await desk.screen.untilInFront("Flowork");
  await desk.screen.key("ctrl+q");
  assert.equal(await app.exitCode(), 0);
});

test("start in the background shows no window until somebody asks for it", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  assert.deepEqual(await app.windows(), []);
  await tray.click("Open dashboard");
  const window = await app.drive();
  await window.text(NEW_JOB);
});

test("window comes back where it was and as large as it was", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  await app.drive().then((window) => window.text(NEW_JOB));
  await desk.screen.place("Flowork", { x: 90, y: 70, width: 820, height: 640 });
  const placed = await desk.screen.whereIs("Flowork");
  await (await app.tray()).click("Quit");
  assert.equal(await app.exitCode(), 0);

  await desk.start();
  await desk.screen.opens("Flowork");
  await desk.screen.untilPlaced("Flowork", placed);
});

test("second start brings the window forward, hands over a link to a job, and ends", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const { id } = await desk.cli("job", "enqueue", "noop");
  await desk.screen.minimize("Flowork");
  await eventually("the window is hidden", () => desk.screen.isMinimized("Flowork"));

  const second = await desk.start([`flowork://job/${id}`]);
  assert.equal(await second.exitCode(), 0, "there is one instance");
  await window.untilUrl("at the job", (address) => address.endsWith(`/jobs/${id}`));
  await window.text("//*[@role='status' and contains(., 'Completed')]");
  await desk.screen.untilInFront("Flowork");

  // Links come from anywhere; one that is none of ours shows nothing and does no harm.
  const third = await desk.start(["flowork://job/../../settings"]);
  assert.equal(await third.exitCode(), 0);
  assert.ok((await window.url()).endsWith(`/jobs/${id}`), "the window stayed");

  await desk.screen.close("Flowork");
  await desk.screen.closes("Flowork");
  await desk.start([`flowork://job/${id}`]);
  await window.switchTo("shows the job", (address) => address.endsWith(`/jobs/${id}`));
});

test("second start for recovery mode has a stopped node begin in it, and shows the settings of one that runs", async (t) => {
  const { desk, window } = await stoppedFromTray(t);
  const second = await desk.start(["--recovery"]);
  assert.equal(await second.exitCode(), 0, "there is one instance");
  await desk.untilNotice("RECOVERY_MODE");
  await window.text(NEW_JOB);
  assert.equal(await window.count(), 1, "there was nothing to explain");

  const third = await desk.start(["--recovery"]);
  assert.equal(await third.exitCode(), 0);
  await window.switchTo("of the settings", (address) => address.includes("settings.html"));
  await window.text("//button[normalize-space()='Start normally']");
});

test("port that is taken is explained in the window, and trying again works once it is free", async (t) => {
  const desk = await makeDesk(t);
  const other = createServer((socket) => socket.destroy());
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  const { port } = other.address();
  t.after(() => other.close());
  const app = await desk.start([], { listen: `127.0.0.1:${port}` });
  const window = await app.drive();
  const message = await window.text("//*[@data-said='message']");
  assert.match(message, new RegExp(String(port)), "it names the port");
  assert.match(message, new RegExp(`pid ${process.pid}\\b|node`), "it says who has it");
  assert.match(await window.text("//*[@data-said='hint']"), /--listen/, "it says what to do");
  assert.match(await window.text("//*[@data-said='log']"), /logs/, "it names the logs");
  await (await app.tray()).untilLine("that there is no node", "Could not start");
  // Whoever wrote the port there wants that one. It is not replaced even where the page asks for it all the same.
  assert.equal(await window.shows("//a[@data-said='free_port']"), false);
  await window.evaluate("location.assign('https://action.flowork.invalid/free-port')");
  await window.text("//*[@data-said='message']", (text) => text === message);

  await new Promise((done) => other.close(done));
  await window.click("//a[normalize-space()='Try again']");
  await window.text(NEW_JOB);
});

test("data directory that cannot be written is explained in the window", async (t) => {
  const desk = await makeDesk(t);
  const file = join(desk.home, "a-file");
  await writeFile(file, "");
  const app = await desk.start(["--data-dir", join(file, "data")]);
  const window = await app.drive();
  assert.match(await window.text("//*[@data-said='message']"), /a-file/, "it names the directory");
  assert.notEqual(await window.text("//*[@data-said='hint']"), "");
  await (await app.tray()).click("Quit");
  assert.equal(await app.exitCode(), 0);
});

test("after three starts that were cut off the next one is careful, until somebody asks for the usual", async (t) => {
  const desk = await makeDesk(t);
  const first = await desk.start();
  await (await first.tray()).click("Quit");
  assert.equal(await first.exitCode(), 0);

  for (let before = 0; before < 3; before += 1) {
    const app = await desk.start(["--background"]);
    await eventually("the start is counted", async () => {
      const { pending, failed } = await startsOf(desk);
      return pending && failed === before;
    });
    app.signal("SIGKILL");
    await app.untilGone();
  }

  const careful = await desk.start();
  const window = await careful.drive();
  await window.text(NEW_JOB);
  const notice = await desk.untilNotice("RECOVERY_MODE");
  assert.ok(notice.hint, "it says how to get out of it");
  await window.text("//*[contains(., 'ecovery')]");
  const { id } = await desk.cli("job", "enqueue", "noop");
  assert.equal((await desk.cli("status")).engines[0].workers, 0, "no worker runs");
  assert.equal((await desk.cli("job", "get", id)).state, "queued");

  await (await careful.tray()).click("Settings…");
  await window.switchTo("of the settings", (address) => address.includes("settings.html"));
  await window.click("//button[normalize-space()='Start normally']");
  await desk.untilNotice("RECOVERY_MODE", false);
  assert.equal((await desk.cli("job", "wait", id)).state, "completed");
});

test("node of the app looks at everything anew when the machine has slept", async (t) => {
  const desk = await makeDesk(t);
  start(desk.t, "/usr/bin/python3", ["-m", "dbusmock", "--system", "--template", "logind"], { env: desk.env });
  await desk.bus.until("org.freedesktop.login1");
  const app = await desk.start(["--background"]);
  await (await app.tray()).untilLine("that it is idle", "Idle");
  const { url } = await desk.cli("status");
  const { token } = await desk.cli("token", "create");
  const ended = new AbortController();
  desk.t.after(() => ended.abort());
  const answer = await fetch(`${url}/v1/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: ended.signal,
  });
  let heard = "";
  const hearing = (async () => {
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      heard += part;
    }
  })();
  hearing.catch(() => {});
  const logind = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Mock"];
  const over = ["org.freedesktop.login1.Manager", "PrepareForSleep", "b", 1, "b", false];
  await eventually("everybody is told to look anew", async () => {
    await desk.bus.call(...logind, "EmitSignal", "sssav", over);
    return heard.includes("resync");
  });
});

/** What the app has written down of its starts. */
async function startsOf(desk) {
  return JSON.parse(await readFile(join(desk.dataDir, "run/desktop-starts.json"), "utf8"));
}
