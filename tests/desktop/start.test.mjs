// Starts that are not like the others: without a screen, without a bus, in another language, beside a node that is well.
import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { cleanEnvironment, start, temporaryFolder, within } from "../harness/process.mjs";
import { APP, NEW_JOB, makeDesk } from "./app.mjs";

test("start without a screen is refused in a few words, which name what works there", async (t) => {
  const home = await temporaryFolder(t, "desktop");
  const env = cleanEnvironment(home, { DISPLAY: undefined, WAYLAND_DISPLAY: undefined });
  const { said, ended } = start(t, APP, [], { env });
  const { code, signal } = await within(ended, "the end of the app");
  assert.equal(code, 1, `it ended by ${signal}: ${said.err}`);
  assert.match(said.err, /^error: /m);
  assert.match(said.err, /`flowork serve`/, "it says what to do");
  assert.doesNotMatch(said.err, /panicked|RUST_BACKTRACE/);
  assert.deepEqual(await readdir(home), [], "nothing was begun");
});

test("tray and windows are in the language of the system", async (t) => {
  const desk = await makeDesk(t, { env: { LANG: "de_DE.UTF-8" } });
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("in German what it does", "Bereit");
  await tray.click("Einstellungen …");
  const settings = await app.drive();
  await settings.switchTo("of the settings", (address) => address.includes("settings.html"));
  await settings.text("//h1[normalize-space()='Einstellungen']");
  await desk.screen.opens("Einstellungen");
  await tray.click("Beenden");
  assert.equal(await app.exitCode(), 0);
});

test("app that finds a healthy node does not claim to be careful, however often it was cut off before", async (t) => {
  const desk = await makeDesk(t);
  const run = join(desk.dataDir, "run");
  await mkdir(run, { recursive: true, mode: 0o700 });
  await writeFile(join(run, "desktop-starts.json"), JSON.stringify({ pending: true, recovery: false, failed: 3 }));
  await startNode(desk.t, { env: desk.env });
  const app = await desk.start(["--recovery"]);
  const window = await app.drive();
  await window.text(NEW_JOB);
  const { notices } = await desk.cli("status");
  assert.deepEqual(
    notices.filter(({ code }) => code === "RECOVERY_MODE"),
    [],
    "the node runs jobs",
  );
  await (await app.tray()).click("Settings…");
  await window.switchTo("of the settings", (address) => address.includes("settings.html"));
  await window.text("//*[@id='recovery']", (text) => text === "Normal");
  assert.equal(await window.shows("//button[normalize-space()='Start normally']"), false, "it is as usual already");
});
