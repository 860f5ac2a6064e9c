// Takes the pictures of the desktop app: `node pictures.mjs FOLDER`, from the real app on a real panel.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { eventually, run } from "../harness/process.mjs";
import { NEW_JOB, heldJob, makeDesk } from "./app.mjs";

/** Where the panel is on the screen, and its first item in it. */
const PANEL = "240x32+0+868";
const ITEM = { x: 16, y: 884 };
/** Where the menu of that item opens, beside the window. */
const MENU = "36x300+0+566";
/** Where other windows than the first are: in the middle. */
const MIDDLE = "400x240+440+340";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  throw new Error("usage: node pictures.mjs FOLDER");
}
await mkdir(folder, { recursive: true });

for (const dark of [false, true]) {
  const steps = [];
  const t = { after: (step) => steps.unshift(step) };
  try {
    const desk = await makeDesk(t, { panel: false, env: dark ? { GTK_THEME: "Adwaita:dark" } : {} });
    await desk.startPanel({ dark });
    await takeAll(desk, dark ? "dark" : "light");
  } finally {
    for (const step of steps) {
      await step();
    }
  }
}

/** Goes through every state of the app once, and takes a picture of each. */
async function takeAll(desk, look) {
  const screen = async (name, area) => {
    const file = join(folder, `${name}-${look}.png`);
    await settled(desk, file, area);
    await desk.screen.picture(file);
  };
  const icon = async (name) => {
    const file = join(folder, `tray-${name}-${look}.png`);
    await settled(desk, file, PANEL);
    await run(desk.t, "convert", [file, "-filter", "point", "-resize", "200%", file]);
  };
  const app = await desk.start();
  const window = await app.drive();
  await window.text(NEW_JOB);
  const tray = await app.tray();
  await tray.untilLine("that it is idle", "Idle");
  await icon("idle");

  const job = await heldJob(desk);
  await tray.untilLine("that a job runs", "Busy: 1 job is running");
  await icon("busy");
  await window.text("//td[contains(., 'http.request')]");
  await screen("window", PANEL);
  await desk.screen.click(ITEM, { button: 3 });
  await screen("tray-menu", MENU);
  await desk.screen.key("Escape");

  await tray.click("Settings…");
  await window.switchTo("of the settings", (address) => address.includes("settings.html"));
  await window.text("//h1");
  await screen("settings", MIDDLE);
  await desk.screen.close("Settings");

  await tray.click("Drain: take no new jobs");
  await tray.untilLine("that it drains", "Draining: 1 job left");
  await icon("draining");
  await tray.click("Quit");
  await window.switchTo("about leaving", (address) => address.includes("leaving.html"));
  await window.text("//*[@role='status']");
  await desk.screen.untilInFront("Quitting Flowork");
  await screen("leaving", PANEL);
  await window.clickToClose("//button[normalize-space()='Keep running']");
  job.finish();
  await tray.untilLine("that nothing is left", "Drained: nothing is running");
  await tray.click("End the drain");
  await tray.untilLine("that it is idle", "Idle");
  await tray.click("Stop");
  await tray.untilLine("that it has stopped", "Stopped");
  await icon("stopped");
  await tray.click("Quit");
  await app.exitCode();

  await writeFile(join(desk.dataDir, "desktop.toml"), "this is no TOML");
  const worried = await desk.start(["--background"]);
  await (await worried.tray()).untilLine("that it is idle", "Idle");
  await icon("attention");
}

/** Takes pictures of an area until two in a row are the same; elsewhere on the screen there may be a clock. */
async function settled(desk, file, area) {
  let last = "";
  await eventually(`${area} comes to rest`, async () => {
    await desk.screen.picture(file, area);
    const now = await run(desk.t, "identify", ["-format", "%#", file]);
    const same = now === last;
    last = now;
    return same;
  });
}
