// What a person is told while no window is open.
import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../harness/process.mjs";
import { NEW_JOB, heldJob, makeDesk } from "./app.mjs";
import { startNotifications } from "./notifications.mjs";
import { iconOf } from "./tray.mjs";

/** Changes stored jobs behind the node's back, as a disk that fails does. */
const DAMAGE = `
import sqlite3, sys
for path in sys.argv[1:]:
    with sqlite3.connect(path) as shard:
        shard.execute("UPDATE finished SET payload_check = payload_check + 1")
`;

test("job that failed is told, and a click on that opens it", async (t) => {
  const desk = await makeDesk(t);
  const notifications = await startNotifications(desk);
  const app = await desk.start(["--background"]);
  await (await app.tray()).untilLine("that it is idle", "Idle");

  const fine = await heldJob(desk);
  fine.finish();
  await desk.cli("job", "wait", fine.id);
  const broken = await heldJob(desk);
  broken.fail();
  const note = await notifications.next(0);
  assert.match(note.summary, /failed/i);
  assert.match(`${note.summary} ${note.body}`, /http\.request/, "it says which");
  assert.equal((await notifications.all()).length, 1, "a job that completed is no news, unless somebody asks for it");

  await notifications.click(1);
  const window = await app.drive();
  await window.untilUrl("at the job", (address) => address.endsWith(`/jobs/${broken.id}`));
});

test("job that completed is told where that was asked for, and nothing where nothing was", async (t) => {
  for (const [about, expected] of [
    ["all", 2],
    ["off", 0],
  ]) {
    const desk = await makeDesk(t);
    await mkdir(desk.dataDir, { recursive: true, mode: 0o700 });
    await writeFile(join(desk.dataDir, "desktop.toml"), `notifications = "${about}"\n`);
    const notifications = await startNotifications(desk);
    const app = await desk.start(["--background"]);
    const tray = await app.tray();
    await tray.untilLine("that it is idle", "Idle");
    const fine = await heldJob(desk);
    await tray.untilLine("that a job runs", "Busy: 1 job is running");
    fine.finish();
    await tray.untilLine("that it is idle", "Idle");
    const broken = await heldJob(desk);
    await tray.untilLine("that a job runs", "Busy: 1 job is running");
    broken.fail();
    await tray.untilLine("that it is idle", "Idle");
    if (expected > 0) {
      await notifications.next(expected - 1);
    }
    await tray.click("Quit");
    assert.equal(await app.exitCode(), 0);
    assert.equal((await notifications.all()).length, expected, about);
  }
});

test("what needs a look is told while no window is open, and a click on that opens it", async (t) => {
  const desk = await makeDesk(t);
  const notifications = await startNotifications(desk);
  const app = await desk.start(["--background"]);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  const { id } = await desk.cli("job", "enqueue", "noop", "--payload", '{"a":1}');
  await desk.cli("job", "wait", id);
  const shards = await readdir(join(desk.dataDir, "shards"), { recursive: true });
  const files = shards.filter((name) => name.endsWith(".db")).map((name) => join(desk.dataDir, "shards", name));
  await run(desk.t, "/usr/bin/python3", ["-c", DAMAGE, ...files]);

  const scrub = await desk.cli("job", "enqueue", "shard.scrub");
  await desk.cli("job", "wait", scrub.id);
  const note = await notifications.next(0);
  assert.match(note.summary, /needs a look/i);
  assert.match(note.body, /not as they were stored/, "it says what");
  await tray.untilIcon("that something needs a look", await iconOf(desk.t, "attention"));
  await notifications.click(1);
  const window = await app.drive();
  await window.text(NEW_JOB);
});
