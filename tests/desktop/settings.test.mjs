// The window of the app's own settings: starting with the session, deleting everything, and who may call what.
import assert from "node:assert/strict";
import { access, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { FLOWORK } from "../harness/node.mjs";
import { eventually, run, start, within } from "../harness/process.mjs";
import { APP, NEW_JOB, heldJob, makeDesk } from "./app.mjs";

/** A provider that has a key in the vault. */
const PROVIDER = "nobody";
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
  await assert.rejects(invoke(settings, "settings_set", { change: { keep_in_tray: false } }), "it would be kept anew");
  await settings.clickToClose("//button[normalize-space()='Quit Flowork']");
  assert.equal(await app.exitCode(), 0);
  await eventually("no setting is left", async () => !(await exists(join(desk.dataDir, "desktop.toml"))));
});

test("each window has its own commands, which tell no secret, and the window of the node has none", async (t) => {
  const desk = await makeDesk(t);
  const { app, settings, tray } = await openSettings(desk);
  const secrets = await secretsOf(desk);
  const view = await invoke(settings, "settings_view", { seen: null });
  assert.ok(view.words, "its own work");
  const plan = await invoke(settings, "reset_plan");
  assert.ok(plan.items.some(({ what }) => what.includes(`provider/${PROVIDER}`)), "it was in the vault, which names it");
  for (const answer of [view, plan]) {
    hasNone(secrets, answer);
  }
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
  const leaving = await invoke(settings, "leaving_view", { seen: null });
  assert.equal(leaving.left, 1);
  hasNone(secrets, leaving);
  for (const command of ["settings_view", "reset_plan", "reset_carry_out", "plugin:app|version"]) {
    await refused(settings, command, { seen: null });
  }
  await settings.clickToClose("//button[normalize-space()='Keep running']");
  job.finish();
  assert.equal(app.hasEnded(), false);
});

test("pages of the app run no script and load no picture that is put into them", async (t) => {
  const desk = await makeDesk(t);
  const { settings } = await openSettings(desk);
  await settings.text("//h1[normalize-space()='Settings']");
  let asked = 0;
  const other = createServer((_request, response) => {
    asked += 1;
    response.end();
  });
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  desk.t.after(() => other.close());
  const script = `
    const [src] = arguments;
    window.refused = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => window.refused.push(effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.hasRun = true";
    const picture = new Image();
    picture.src = src;
    document.body.append(script, picture);
  `;
  await settings.evaluate(script, `http://127.0.0.1:${other.address().port}/picture.png`);
  await eventually("both are refused", async () => {
    const refused = await settings.evaluate("return window.refused");
    return refused.some((rule) => rule.startsWith("script-src")) && refused.includes("img-src");
  });
  assert.equal(await settings.evaluate("return window.hasRun ?? false"), false);
  assert.equal(asked, 0);
  assert.equal(await settings.evaluate("return Object.isFrozen(Object.prototype)"), true);
});

test("pages of the app are dark where the system is", async (t) => {
  const desk = await makeDesk(t);
  const color = async (settings) => {
    // Written by a script of the page, which waits for its colors.
    await settings.text("//h1[normalize-space()='Settings']");
    return settings.evaluate("return getComputedStyle(document.body).backgroundColor");
  };
  const bright = await openSettings(desk);
  const usual = await color(bright.settings);
  await quit(bright.app);
  desk.env.GTK_THEME = "Adwaita:dark";
  const dark = await openSettings(desk);
  assert.notEqual(await color(dark.settings), usual);
  assert.equal(await dark.settings.evaluate("return matchMedia('(prefers-color-scheme: dark)').matches"), true);
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

/** What nobody but the node may know: the key of its vault, something in there, and a token. In all ways to write them. */
async function secretsOf(desk) {
  const provider = `[providers.${PROVIDER}]\napi = "openai"\nbase_url = "http://127.0.0.1:9"\n`;
  await writeFile(join(desk.dataDir, "config.toml"), provider);
  const canary = "sk-canary-58a1c20e7d4b";
  const set = start(desk.t, FLOWORK, ["provider", "set-key", PROVIDER], { env: desk.env, stdio: ["pipe", "pipe", "pipe"] });
  set.child.stdin.end(`${canary}\n`);
  assert.equal((await within(set.ended, "setting the key of a provider")).code, 0, set.said.err);
  const { token } = await desk.cli("token", "create");

  const files = await contents(desk.env.FLOWORK_VAULT_KEY_DIR);
  const keys = await Promise.all(files.map(async (file) => Buffer.from(await readFile(file, "utf8"), "base64")));
  assert.deepEqual([...new Set(keys.map((key) => key.length))], [32], "the key of the vault is in a file");
  const written = [...keys, Buffer.from(canary)].flatMap((bytes) => [
    ...["base64", "base64url", "hex"].map((way) => bytes.toString(way).replace(/=+$/, "")),
    bytes.join(),
  ]);
  // Of a token the signature is secret: the rest says whose it is.
  return [canary, token.split(".").at(-1), ...written];
}

/** Shows that none of these is anywhere in an answer. */
function hasNone(secrets, answer) {
  const text = JSON.stringify(answer);
  for (const secret of secrets) {
    const at = text.indexOf(secret);
    assert.equal(at, -1, `a secret comes after ${text.slice(Math.max(0, at - 80), at)}`);
  }
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
