// The app under test on a desk of its own: a home with nothing in it, a screen, a session bus, a panel with a tray.
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve } from "node:path";

import { FLOWORK } from "../harness/node.mjs";
import { cleanEnvironment, eventually, run, start, temporaryFolder, within } from "../harness/process.mjs";
import { startBus } from "./bus.mjs";
import { startScreen } from "./screen.mjs";
import { PANEL_NEEDS, startPanel, trayItem } from "./tray.mjs";
import { freePort, openDriver } from "./webdriver.mjs";

/** The app under test. */
export const APP = resolve(process.env.FLOWORK_DESKTOP_BIN ?? "target/debug/flowork-desktop");
/** The link on every page of the GUI that shows that somebody is signed in. */
export const NEW_JOB = "//a[normalize-space()='New job']";

/**
 * Makes a desk. Without `bus` there is no session bus, without `panel` there is no tray to be in. `env` is known to
 * everything on it.
 */
export async function makeDesk(t, { bus: hasBus = true, panel: hasPanel = hasBus, env: further = {} } = {}) {
  // What was started last goes first, so that nothing outlives what it stands on.
  const steps = [];
  t.after(async () => {
    for (const step of steps.reverse()) {
      await step();
    }
  });
  const own = { after: (step) => steps.push(step) };

  const home = await temporaryFolder(own, "desktop");
  const opened = join(home, "opened");
  const programs = join(home, "bin");
  await mkdir(programs);
  // What the app asks the system to open is written down, a line each.
  const opener = `#!/bin/sh\nprintf '%s\\n' "$1" >> '${opened}'\n`;
  await writeFile(join(programs, "xdg-open"), opener, { mode: 0o755 });
  const plain = cleanEnvironment(home, {
    FLOWORK_DATA_DIR: join(home, "flowork"),
    FLOWORK_VAULT: "file",
    FLOWORK_VAULT_KEY_DIR: join(home, "keys"),
    // The jobs of these tests ask the test itself for something.
    FLOWORK_EGRESS_ALLOW_HOSTS: "127.0.0.1",
    PATH: `${programs}:${process.env.PATH}`,
    DBUS_SYSTEM_BUS_ADDRESS: "disabled:",
    LANG: "C.UTF-8",
    LC_ALL: "",
    LANGUAGE: "",
    GDK_BACKEND: "x11",
    // There is no graphics card behind this screen, and no bus for assistive programs.
    WEBKIT_DISABLE_DMABUF_RENDERER: "1",
    LIBGL_ALWAYS_SOFTWARE: "1",
    NO_AT_BRIDGE: "1",
    ...further,
  });
  const screen = await startScreen(own, plain);
  const bus = hasBus ? await startBus(own, screen.env, { home, activatable: PANEL_NEEDS }) : undefined;
  const env = bus?.env ?? screen.env;
  const desk = {
    t: own,
    home,
    env,
    screen,
    bus,
    dataDir: join(home, "flowork"),
    /** Starts a panel, and with it a tray to be in. */
    startPanel: (look) => startPanel(own, { bus, env, home }, look),
    /** Starts the app, unseen by the driver until `drive` is called. */
    start: (args = [], options = {}) => startApp(desk, args, options),
    /** Runs `flowork` on the data of this desk and returns what it printed, read as JSON. */
    cli: async (...words) => JSON.parse(await run(own, FLOWORK, [...words, "--json"], { env })),
    /** Waits until the node's notices have (or, with `there` false, have not) one of this code. */
    untilNotice: (code, there = true) =>
      eventually(`${code} is ${there ? "" : "not "}in the status`, async () => {
        const { notices } = await desk.cli("status");
        const found = notices.find((notice) => notice.code === code);
        return there ? found : found === undefined;
      }),
    /** Waits until something was opened with the system's own program for it, and returns the last such. */
    opened: async () => {
      const lines = await eventually("something is opened", () => readFile(opened, "utf8"));
      return lines.trim().split("\n").at(-1);
    },
  };
  if (hasPanel) {
    await desk.startPanel();
  }
  return desk;
}

/** Starts the app. With `listen` as `null` nothing but the configuration says where it serves. */
async function startApp(desk, args, { listen = "127.0.0.1:0", driven = true, env = {} } = {}) {
  const inspector = `127.0.0.1:${await freePort()}`;
  // The mark is how the app's own processes are told from those of the test, and of another start on the same desk.
  const mark = `MARK_OF_THIS_APP=${inspector}`;
  const place = listen === null ? [] : ["--listen", listen];
  const app = start(desk.t, APP, [...place, ...args], {
    env: {
      ...desk.env,
      ...(driven && { TAURI_WEBVIEW_AUTOMATION: "true", WEBKIT_INSPECTOR_SERVER: inspector }),
      MARK_OF_THIS_APP: inspector,
      ...env,
    },
  });
  desk.t.after(async () => {
    for (const { pid } of await marked(mark)) {
      killed(pid);
    }
  });
  return {
    pid: app.child.pid,
    said: app.said,
    signal: (name) => app.child.kill(name),
    /** Connects the driver, and waits for the first window. */
    drive: () => openDriver(desk.t, { inspector, env: desk.env }),
    /** Waits for the app's item in the tray. */
    tray: () => trayItem(desk.bus, app.child.pid),
    /** Waits until the app ended, and returns its exit code. */
    exitCode: async () => {
      const { code, signal } = await within(app.ended, "the end of the app");
      if (code === null) {
        throw new Error(`the app ended by ${signal}: ${app.said.err}`);
      }
      return code;
    },
    /** The windows that it has on the screen. */
    windows: async () => (await desk.screen.windows()).filter((window) => window.pid === app.child.pid),
    /** How often each thread of these processes went to sleep so far. */
    wakes: (pids = [app.child.pid]) => wakes(pids),
    hasEnded: () => app.child.exitCode !== null || app.child.signalCode !== null,
    /** Every process of the app: `{ pid, name }`. */
    processes: () => marked(mark),
    /** Waits until a web page of the app is in memory. */
    untilPage: () => eventually("a page of the app", async () => (await pages(mark)) > 0),
    /** Waits until no web page of the app is in memory. */
    untilNoPage: () => eventually("no page of the app is left", async () => (await pages(mark)) === 0),
    /** Waits until no process of the app is left. */
    untilGone: () => eventually("every process of the app is gone", async () => (await marked(mark)).length === 0),
  };
}

async function pages(mark) {
  return (await marked(mark)).filter(({ name }) => name.startsWith("WebKitWebProces")).length;
}

function killed(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") {
      throw error;
    }
  }
}

async function wakes(pids) {
  const counts = new Map();
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      const status = await readFile(`/proc/${pid}/task/${thread}/status`, "utf8").catch(() => "");
      counts.set(thread, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0));
    }
  }
  return counts;
}

/** How often threads woke up between two counts; what ended meanwhile does not count. */
export function wakesBetween(before, after) {
  return [...after].reduce((sum, [thread, count]) => sum + count - (before.get(thread) ?? 0), 0);
}

/** The processes that were started with this in their environment. */
async function marked(mark) {
  const found = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(mark)) {
      const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
      found.push({ pid: Number(pid), name: name.trim() });
    }
  }
  return found;
}

/** An app with a window whose node was stopped from the tray. */
export async function stoppedFromTray(t) {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const tray = await app.tray();
  await tray.click("Stop");
  await tray.untilLine("that it has stopped", "Stopped");
  return { desk, tray, window };
}

/** Starts a job on the node of this desk that runs until the test lets it finish, or fail. */
export async function heldJob(desk) {
  const waiting = new Set();
  const server = createServer((_request, response) => {
    waiting.add(response);
    response.once("close", () => waiting.delete(response));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  desk.t.after(() => server.closeAllConnections());
  desk.t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/`;
  const payload = JSON.stringify({ method: "GET", url, timeout_ms: 300_000 });
  const { id } = await desk.cli("job", "enqueue", "http.request", "--payload", payload);
  await eventually("the job runs", () => waiting.size > 0);
  const answer = (status) => {
    for (const response of waiting) {
      response.writeHead(status).end();
    }
  };
  return {
    id,
    finish: () => answer(204),
    /** Lets it fail in a way that is not tried again. */
    fail: () => answer(404),
    /** Waits until it runs and asks again, as it does after a restart. */
    untilAsked: () => eventually("the job runs", () => waiting.size > 0),
    state: async () => (await desk.cli("job", "get", id)).state,
  };
}
