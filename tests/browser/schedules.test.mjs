// Schedules from the GUI: seen before they are made, run, paused, changed, deleted.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn, waitForState } from "./gui.mjs";

test("schedule is previewed, made, and enqueues its job", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openSchedule(page, "noop");
  await page.getByLabel("Name", { exact: true }).fill("Every second");
  await page.getByRole("radio", { name: "At times of the clock" }).check();
  const next = section(page, "Next runs");
  await page.getByLabel("Cron expression").fill("61 9 * * *");
  await next.getByText(/61|minute/i).waitFor();
  await page.getByLabel("Cron expression").fill("30 2 * * *");
  await chooseZone(page, "Asia/Tokyo");
  await next.getByText(/02:30:00/).nth(4).waitFor();

  await page.getByRole("radio", { name: "Every so often" }).check();
  await page.getByLabel("Unit of time between two runs").selectOption("seconds");
  await page.getByLabel("Time between two runs", { exact: true }).fill("1");
  await next.getByRole("listitem").nth(4).waitFor();
  await page.getByRole("button", { name: "Create schedule" }).click();

  const entry = await openSchedules(page, "Every second");
  await entry.getByRole("link", { name: /its job/ }).click();
  await waitForState(page, "Completed");
});

test("schedule is run at once, paused, changed and deleted", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openSchedule(page, "noop");
  await page.getByLabel("Name", { exact: true }).fill("Yearly");
  await page.getByLabel("Cron expression").fill("0 0 1 1 *");
  await page.getByRole("button", { name: "Create schedule" }).click();

  const entry = await openSchedules(page, "Yearly");
  await entry.getByRole("button", { name: "Run now: Yearly" }).click();
  await entry.getByRole("link", { name: /a job now/ }).click();
  await waitForState(page, "Completed");

  await openPage(page, "Schedules");
  await entry.getByRole("button", { name: "Pause: Yearly" }).click();
  await entry.getByText("It does not run until it is resumed.").waitFor();
  await entry.getByRole("link", { name: "Change: Yearly" }).click();
  const name = page.getByRole("form", { name: "Schedule" }).getByLabel("Name", { exact: true });
  assert.equal(await name.inputValue(), "Yearly");
  await name.fill("Once a year");
  await page.getByRole("button", { name: "Save schedule" }).click();

  const renamed = await openSchedules(page, "Once a year");
  await renamed.getByRole("button", { name: "Delete: Once a year" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete schedule" }).click();
  await section(page, "All schedules").getByText("No schedules yet").waitFor();
});

/** Opens the form for a new schedule of a kind. */
async function openSchedule(page, kind) {
  await openPage(page, "Schedules");
  await page.getByRole("link", { name: "New schedule" }).first().click();
  const chooser = section(page, "What to run").getByRole("combobox", { name: "Kind" });
  await chooser.fill(kind);
  await chooser.press("Enter");
  await page.getByRole("form", { name: "Schedule" }).waitFor();
}

/** Waits for the list of schedules and returns the entry of this name. */
async function openSchedules(page, name) {
  const entry = section(page, "All schedules").getByRole("listitem", { name, exact: true });
  await entry.waitFor();
  return entry;
}

async function chooseZone(page, zone) {
  const chooser = page.getByRole("combobox", { name: "Time zone" });
  await chooser.fill(zone);
  await chooser.press("Enter");
}
