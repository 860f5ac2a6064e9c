// The window of the app's own settings: starting with the session, deleting everything, and who may call what.
import assert from "node:assert/strict";
import { access, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { eventually, run } from "../harness/process.mjs";
import { APP, NEW_JOB, heldJob, makeDesk } from "./app.mjs";

/** The entry by which an AppImage opens links. */
const HANDLER = "flowork-desktop-handler.desktop";
const OPEN_LINKS = "//input[@id=//label[normalize-space()='Open flowork: links with this app']/@for]";
const START_WITH_SESSION = "//input[@id=//label[normalize-space()='Start with the system']/@for]";

test("app starts with the session only once that was asked for, and not after it was turned off", async (t) => {
  const desk = await makeDesk(t);
  const autostart = join(desk.env.XDG_CONFIG_HOME, "autostart");
  const { app, settings } = await openSettings(desk);
  await settings.untilProperty(START_WITH_SESSION, "checked", false);
  assert.deepEqual(await filesIn(autostart), [], "nobody asked for it");

  await settings.click(START_WITH_SESSION);
  const name = await entryIn(autostart);
  const entry = join(autostart, name);
  assert.match(await readFile(entry, "utf8"), new RegExp(`^Exec=.*${APP}.*--background`, "m"));
  await settings.untilProperty(START_WITH_SESSION, "checked", true);
  await settings.click(START_WITH_SESSION);
  await settings.untilProperty(START_WITH_SESSION, "checked", false);
  await eventually("no entry that starts anything", async () => {
    const text = await readFile(entry, "utf8").catch(() => "Hidden=true");
    return /^(Hidden=true|X-GNOME-Autostart-enabled=false)$/m.test(text);
  });
  await quit(app);
  await openSettings(desk).then(({ settings }) => settings.untilProperty(START_WITH_SESSION, "checked", false));
});

test("entry of a program that has moved is repaired where it is on, and left alone where it is off", async (t) => {
  const desk = await makeDesk(t);
  const autostart = join(desk.env.XDG_CONFIG_HOME, "autostart");
  const first = await openSettings(desk);
  await first.settings.click(START_WITH_SESSION);
  const name = await entryIn(autostart);
  await quit(first.app);
  const entry = join(autostart, name);
  const right = await readFile(entry, "utf8");
  assert.deepEqual(await startedBySession(desk), [`app-${name.replaceAll("-", "\\x2d").replace(".desktop", "")}@autostart.service`]);
  const moved = right.replaceAll(APP, join(desk.home, "gone/flowork-desktop"));
  assert.notEqual(moved, right);

  const off = `${moved.trimEnd()}\nHidden=true\n`;
  await writeFile(entry, off);
  const second = await openSettings(desk);
  await second.settings.untilProperty(START_WITH_SESSION, "checked", false);
  assert.equal(await readFile(entry, "utf8"), off, "off stays off, and nothing is written");
  await quit(second.app);

  await writeFile(entry, moved);
  assert.match(moved, /^TryExec=.*gone/m, "whoever starts entries is told what has to be there");
  assert.deepEqual(await startedBySession(desk), [], "what is gone does no harm");
  const third = await openSettings(desk);
  await third.settings.untilProperty(START_WITH_SESSION, "checked", true);
  await eventually("the entry names the program", async () => (await readFile(entry, "utf8")).includes(APP));
});

test("AppImage opens links once that was asked for, also after it was moved, and no more when told", async (t) => {
  const desk = await makeDesk(t);
  const applications = join(desk.env.XDG_DATA_HOME, "applications");
  const opener = () => run(desk.t, "xdg-mime", ["query", "default", "x-scheme-handler/flowork"], { env: desk.env });
  const packaged = await openSettings(desk);
  assert.equal(await packaged.settings.evaluate("return document.getElementById('open-links-row').hidden"), true);
  await quit(packaged.app);

  // As the program at the start of an image says it to what is in it.
  Object.assign(desk.env, { APPDIR: dirname(APP), APPIMAGE: join(desk.home, "Flowork 1.AppImage") });
  const first = await openSettings(desk);
  await first.settings.untilProperty(OPEN_LINKS, "checked", false);
  assert.deepEqual(await filesIn(applications), [], "nobody asked for it");
  await first.settings.click(OPEN_LINKS);
  await eventually("links open the image", async () => (await opener()).trim() === HANDLER);
  const entry = join(applications, HANDLER);
  assert.match(await readFile(entry, "utf8"), new RegExp(`^Exec="${desk.env.APPIMAGE}" %u$`, "m"));
  await quit(first.app);

  desk.env.APPIMAGE = join(desk.home, "Flowork 2.AppImage");
  const second = await openSettings(desk);
  await eventually("the entry names the image of now", async () =>
    (await readFile(entry, "utf8")).includes(`Exec="${desk.env.APPIMAGE}" %u`),
  );
  await second.settings.untilProperty(OPEN_LINKS, "checked", true);
  await second.settings.click(OPEN_LINKS);
  await second.settings.untilProperty(OPEN_LINKS, "checked", false);
  assert.doesNotMatch(await opener(), /flowork/);
  await quit(second.app);
});

test("reset lists exactly what it deletes, deletes that, and leaves the rest", async (t) => {
  const desk = await makeDesk(t);
  await mkdir(desk.dataDir, { recursive: true, mode: 0o700 });
  const own = join(desk.dataDir, "notes-of-mine.txt");
  await writeFile(own, "not Flowork's");
  const { app, settings } = await openSettings(desk);
  const { id } = await desk.cli("job", "enqueue", "noop");
  await desk.cli("job", "wait", id);
  const before = await contents(desk.home);

  const { plan, phrase, items } = await invoke(settings, "reset_plan");
  const paths = items.map((item) => item.path).filter((path) => path !== null);
  assert.ok(paths.some((path) => path.endsWith("control.db")), paths.join("\n"));
  assert.ok(!paths.some((path) => own.startsWith(path)), "what is not Flowork's is not listed");
  await assert.rejects(invoke(settings, "reset_carry_out", { plan, typed: "something else" }));
  assert.deepEqual(await contents(desk.home), before, "nothing was deleted without the word for it");

  // As a person does it: what is listed can be read, the word is typed, and the button is pressed.
  await settings.click("//button[normalize-space()='Show what would be deleted']");
  for (const path of paths) {
    await settings.text(`//code[normalize-space()='${path}']`);
  }
  await settings.type("//input[@id=//label[starts-with(normalize-space(), 'To confirm, type')]/@for]", phrase);
  await settings.click("//button[normalize-space()='Delete all of this']");
  await settings.text("//*[normalize-space()='Everything on the list is deleted.']");
  for (const path of paths) {
    await eventually(`${path} is gone`, async () => !(await exists(path)));
  }
  assert.equal(await readFile(own, "utf8"), "not Flowork's");
  const listed = (path) => paths.some((gone) => path === gone || path.startsWith(`${gone}/`));
  const gone = before.filter((path) => !listed(path));
  const left = await contents(desk.home);
  assert.deepEqual(gone.filter((path) => !left.includes(path) && !path.includes("/cache/")), [], "nothing else went");
  await settings.clickToClose("//button[normalize-space()='Quit Flowork']");
  assert.equal(await app.exitCode(), 0);
});

test("each window has its own commands and no other, and the window of the node has none", async (t) => {
  const desk = await makeDesk(t);
  const { app, settings, tray } = await openSettings(desk);
  assert.ok((await invoke(settings, "settings_view", { seen: null })).words, "its own work");
  await refused(settings, "leaving_quit_now");
  await refused(settings, "plugin:app|version");
  await refused(settings, "plugin:event|listen", { event: "x", handler: 1 });

  await settings.switchTo("shows the node", (address) => address.startsWith("http:"));
  await settings.text(NEW_JOB);
  for (const command of ["settings_view", "reset_plan", "leaving_quit_now", "plugin:app|version"]) {
    await refused(settings, command, { seen: null });
  }

  const job = await heldJob(desk);
  await tray.untilLine("that a job runs", "Busy: 1 job is running");
  await tray.click("Quit");
  await settings.switchTo("about leaving", (address) => address.includes("leaving.html"));
  for (const command of ["settings_view", "reset_plan", "reset_carry_out", "plugin:app|version"]) {
    await refused(settings, command, { seen: null });
  }
  await settings.clickToClose("//button[normalize-space()='Keep running']");
  job.finish();
  assert.equal(app.hasEnded(), false);
});

test("window cannot leave the node, and what leads elsewhere opens in the browser", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const before = await window.url();
  await window.evaluate("location.href = 'tauri://localhost/settings.html'");
  await window.evaluate("location.href = 'https://action.flowork.invalid/quit'");
  await window.evaluate("location.href = 'http://flowork.invalid/elsewhere'");
  assert.equal(await desk.opened(), "http://flowork.invalid/elsewhere");
  assert.equal(await window.url(), before, "the window stayed");
  assert.equal(app.hasEnded(), false);
  const [said, frozen] = await window.evaluate(`
    const said = window.__FLOWORK_DESKTOP__;
    return [said, Object.isFrozen(said)];
  `);
  assert.match(said.version, /^\d+\.\d+\.\d+/);
  assert.equal(frozen, true, "no page can say something else");
});

test("settings are opened from the window, and kept in a file unless that cannot be read", async (t) => {
  const desk = await makeDesk(t);
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  await window.evaluate("location.assign('https://action.flowork.invalid/settings')");
  await window.switchTo("of the settings", (address) => address.includes("settings.html"));
  await invoke(window, "settings_set", { change: { notifications: "all" } });
  const file = join(desk.dataDir, "desktop.toml");
  assert.match(await readFile(file, "utf8"), /notifications\s*=\s*"all"/);
  await writeFile(file, "this is no TOML");
  await assert.rejects(invoke(window, "settings_set", { change: { notifications: "off" } }));
  assert.equal(await readFile(file, "utf8"), "this is no TOML");
});

test("language that is chosen is that of the tray and of the windows", async (t) => {
  const desk = await makeDesk(t);
  const { settings, tray } = await openSettings(desk);
  await tray.entry("Quit");
  await invoke(settings, "settings_set", { change: { language: "de" } });
  await eventually("the tray is in German", () => tray.entry("Beenden"));
  const language = () => settings.evaluate("return document.documentElement.lang");
  await eventually("the page is in German", async () => (await language()) === "de");
  await tray.untilLine("in German what it does", "Bereit");
});

/** Starts the app and opens its settings from the tray. */
async function openSettings(desk) {
  const app = await desk.start();
  const settings = await app.drive();
  await settings.text(NEW_JOB);
  const tray = await app.tray();
  await tray.click("Settings…");
  await settings.switchTo("of the settings", (address) => address.includes("settings.html"));
  return { app, settings, tray };
}

/** What systemd makes of the entries in the desk's own list: a unit for each program that a session starts. */
async function startedBySession(desk) {
  const folder = join(desk.home, "units");
  await mkdir(folder, { recursive: true });
  const env = { ...desk.env, XDG_CONFIG_DIRS: join(desk.home, "none") };
  await run(desk.t, "/usr/lib/systemd/user-generators/systemd-xdg-autostart-generator", [folder, folder, folder], { env });
  const units = (await readdir(folder)).filter((name) => name.endsWith(".service"));
  await rm(folder, { recursive: true });
  return units;
}

function filesIn(folder) {
  return readdir(folder).catch(() => []);
}

/** Waits for the entry itself, which is another file until it is written. */
function entryIn(folder) {
  return eventually("the entry", async () => (await filesIn(folder)).find((name) => name.endsWith(".desktop")));
}

async function quit(app) {
  await (await app.tray()).click("Quit");
  assert.equal(await app.exitCode(), 0);
}

/** Calls a command of the shell from the page and returns the answer. */
async function invoke(window, command, args = {}) {
  const { answer, error } = await called(window, command, args);
  if (error !== undefined) {
    throw new Error(`${command}: ${JSON.stringify(error)}`);
  }
  return answer;
}

/** Shows that the page cannot call a command of the shell. */
async function refused(window, command, args = {}) {
  const { answer, error } = await called(window, command, args);
  assert.equal(answer, undefined, `${command} was answered`);
  assert.match(JSON.stringify(error), /not allowed|not found|absent/, `${command} was refused for another reason`);
}

function called(window, command, args) {
  const script = `
    const [command, args, done] = arguments;
    const call = window.__TAURI_INTERNALS__?.invoke;
    if (call === undefined) {
      done({ error: "absent" });
    } else {
      call(command, args).then((answer) => done({ answer: answer ?? null }), (error) => done({ error }));
    }
  `;
  return window.evaluateAsync(script, command, args);
}

function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Every file below a folder. */
async function contents(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
}
