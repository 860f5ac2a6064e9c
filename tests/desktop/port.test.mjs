// A port that somebody else has, for a person who has the window and nothing else.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { NEW_JOB, makeDesk } from "./app.mjs";
import { iconOf } from "./tray.mjs";

const FREE_PORT = "//a[normalize-space()='Use a free port']";
/** How a person finds the settings again. */
const COMMENT = "# where my bookmarks lead";

test("port that is taken is left to who has it by one click, and the new one is kept", async (t) => {
  const desk = await makeDesk(t);
  const taken = await takePort(desk.t);
  const config = join(desk.dataDir, "config.toml");
  await mkdir(desk.dataDir, { recursive: true, mode: 0o700 });
  await writeFile(config, `${COMMENT}\nlisten = "127.0.0.1:${taken}"\n\n[gateway]\nsockets_max = 99\n`);
  const app = await desk.start([], { listen: null });
  const window = await app.drive();
  const message = await window.text("//*[@data-said='message']");
  assert.match(message, new RegExp(`127\\.0\\.0\\.1:${taken} is used by .*\\(pid ${process.pid}\\)`), "it says by whom");
  const hint = await window.text("//*[@data-said='hint']");
  assert.ok(hint.includes("Use a free port") && !hint.includes("--listen"), `there is no command line here: ${hint}`);
  const tray = await app.tray();
  await tray.untilIcon("that something is wrong", await iconOf(desk.t, "attention"));

  await window.click(FREE_PORT);
  await window.text(NEW_JOB);
  await tray.untilIcon("that all is well", await iconOf(desk.t, "idle"));
  const { url, notices } = await desk.cli("status");
  const port = Number(new URL(url).port);
  assert.notEqual(port, taken);
  assert.deepEqual(
    notices.filter(({ code }) => code === "PORT_NOT_KEPT"),
    [],
  );
  const kept = `${COMMENT}\nlisten = "127.0.0.1:${port}"\n\n[gateway]\nsockets_max = 99\n`;
  assert.equal(await readFile(config, "utf8"), kept, "all else in there is the person's");
  await tray.click("Quit");
  assert.equal(await app.exitCode(), 0);

  // The other port is still taken, and nobody asks for it any more.
  const again = await desk.start(["--background"], { listen: null });
  await (await again.tray()).untilLine("that it is idle", "Idle");
  assert.equal((await desk.cli("status")).url, url, "the address stays the same");
});

/** Takes a port, as another program would, and returns its number. */
async function takePort(t) {
  const other = createServer((socket) => socket.destroy());
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  t.after(() => other.close());
  return other.address().port;
}
