// The real app in a window: it starts a node, signs in by itself, runs a job, and leaves nothing behind.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { cleanEnvironment, eventually, temporaryFolder } from "../harness/process.mjs";
import { startScreen } from "./screen.mjs";
import { openWindow } from "./webdriver.mjs";

const APP = resolve(process.env.FLOWORK_DESKTOP_BIN ?? "target/debug/flowork-desktop");
const ENTER = "\uE007";
const NEW_JOB = "//a[normalize-space()='New job']";

test("window signs in, runs a job, and leaves nothing behind when it is closed", async (t) => {
  const app = await startApp(t, await ownHome(t), ["--listen", "127.0.0.1:0"]);
  await app.window.click(NEW_JOB);
  assert.match(await app.window.url(), /^http:\/\/127\.0\.0\.1:\d+\//, "the window shows the node");
  await app.window.type("//*[@role='combobox']", `module.csv-profile${ENTER}`);
  const file = join(app.home, "numbers.csv");
  await writeFile(file, "a,b\n1,2\n3,4\n");
  await app.window.type("//*[@id=//label[starts-with(normalize-space(),'CSV file')]/@for]", file);
  await app.window.click("//button[normalize-space()='Enqueue job']");
  // A module is a child of the app's own program, so this also shows that it can be one.
  await app.window.text("//*[@role='status' and contains(., 'Completed')]");

  await app.closeWindow();
  assert.equal(await app.exitCode(), 0, "closing the window is a normal end");
  await eventually("every process of the app is gone", async () => (await app.processes()).length === 0);
});

test("window cannot leave the node and cannot call the shell", async (t) => {
  const app = await startApp(t, await ownHome(t), ["--listen", "127.0.0.1:0"]);
  await app.window.click(NEW_JOB);
  const before = await app.window.url();
  await app.window.evaluate("location.href = 'tauri://localhost/error.html?message=spoofed'");
  await app.window.evaluate("location.href = 'http://flowork.invalid/elsewhere'");
  assert.equal(await app.openedInBrowser(), "http://flowork.invalid/elsewhere", "links to elsewhere open in the browser");
  const called = await app.window.evaluate(`
    const call = window.__TAURI_INTERNALS__?.invoke;
    window.called = call === undefined ? "absent" : "pending";
    call?.("plugin:app|version").then(() => (window.called = "allowed"), () => (window.called = "refused"));
    return window.called;
  `);
  assert.ok(["absent", "pending"].includes(called));
  const answer = await eventually("the shell answers", async () => {
    const answer = await app.window.evaluate("return window.called");
    return answer !== "pending" && answer;
  });
  assert.notEqual(answer, "allowed", "the GUI has no rights in the shell");
  assert.equal(await app.window.url(), before, "the window stayed");
});

test("port that is taken is explained in the window, and trying again works once it is free", async (t) => {
  const other = createServer((socket) => socket.destroy());
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  const { port } = other.address();
  t.after(() => other.close());
  const app = await startApp(t, await ownHome(t), ["--listen", `127.0.0.1:${port}`]);
  const message = await app.window.text("//*[@id='message']");
  assert.match(message, new RegExp(String(port)), "it names the port");
  assert.match(await app.window.text("//*[@id='hint']"), /--listen/, "it says what to do");
  assert.match(await app.window.text("//*[@id='log']"), /logs/, "it names the logs");

  await new Promise((done) => other.close(done));
  await app.window.click("//a[normalize-space()='Try again']");
  await app.window.text(NEW_JOB);
  await app.closeWindow();
  assert.equal(await app.exitCode(), 0);
});

test("data directory that cannot be written is explained in the window", async (t) => {
  const own = await ownHome(t);
  const file = join(own.home, "a-file");
  await writeFile(file, "");
  const app = await startApp(t, own, ["--data-dir", join(file, "data"), "--listen", "127.0.0.1:0"]);
  assert.match(await app.window.text("//*[@id='message']"), /a-file/, "it names the directory");
  assert.notEqual(await app.window.text("//*[@id='hint']"), "");
  await app.closeWindow();
  assert.equal(await app.exitCode(), 0);
});

test("node that runs already is shown, and goes on when the window is closed", async (t) => {
  const node = await startNode(t);
  const app = await startApp(t, { home: node.home, env: node.env }, []);
  await app.window.text(NEW_JOB);
  assert.ok((await app.window.url()).startsWith(node.url), "it is that very node");
  await app.closeWindow();
  assert.equal(await app.exitCode(), 0);
  assert.equal((await fetch(`${node.url}/health`)).status, 200, "the node is not the window's to stop");
});

/** A home with nothing in it, and what the app may know of the machine. */
async function ownHome(t) {
  const home = await temporaryFolder(t, "desktop");
  const keys = { FLOWORK_VAULT: "file", FLOWORK_VAULT_KEY_DIR: join(home, "keys") };
  return { home, env: cleanEnvironment(home, { FLOWORK_DATA_DIR: join(home, "flowork"), ...keys }) };
}

/** Starts the app on a screen of its own and connects to its window. */
async function startApp(t, { home, env }, args) {
  const screen = await startScreen(t, env);
  // The driver starts the app and keeps its exit code to itself, so a script stands between them. The mark is how the
  // app's own processes are told from those of the test.
  const mark = `MARK_OF_THIS_APP=${home}`;
  const exit = join(home, "exit-code");
  const starter = join(home, "start-app");
  await writeFile(starter, `#!/bin/sh\nenv '${mark}' '${APP}' "$@"\necho $? > '${exit}'\n`, { mode: 0o755 });
  const opened = join(home, "opened-in-browser");
  const programs = join(home, "bin");
  await mkdir(programs);
  await writeFile(join(programs, "xdg-open"), `#!/bin/sh\nprintf '%s' "$1" > '${opened}'\n`, { mode: 0o755 });
  const window = await openWindow(t, starter, args, {
    ...screen.env,
    PATH: `${programs}:${screen.env.PATH}`,
    TAURI_WEBVIEW_AUTOMATION: "true",
    // There is no graphics card behind this screen, and no bus for assistive programs.
    WEBKIT_DISABLE_DMABUF_RENDERER: "1",
    LIBGL_ALWAYS_SOFTWARE: "1",
    NO_AT_BRIDGE: "1",
  });
  t.after(async () => {
    for (const pid of await marked(mark)) {
      process.kill(pid, "SIGKILL");
    }
  });
  return {
    home,
    window,
    closeWindow: () => screen.close("Flowork"),
    exitCode: async () => Number(await eventually("the app ends", async () => (await readFile(exit, "utf8")).trim())),
    openedInBrowser: () => eventually("the browser is opened", () => readFile(opened, "utf8").catch(() => "")),
    processes: () => marked(mark),
  };
}

/** The processes that were started with this in their environment. */
async function marked(mark) {
  const found = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(mark)) {
      found.push(Number(pid));
    }
  }
  return found;
}
