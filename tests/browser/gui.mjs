// Chromium on a node's GUI, and the few things a person does there, by role and name.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

import { PATIENCE_MS } from "../harness/process.mjs";

const CHROMIUM = process.env.FLOWORK_CHROMIUM ?? "/usr/bin/chromium";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Starts a browser with a profile of its own, and opens a page in it. */
export async function openBrowser(t, { colorScheme = "dark", viewport = { width: 1280, height: 800 }, args = [] } = {}) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // The sandbox needs rights that containers and root do not have; what runs here is ours.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server", ...args],
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ colorScheme, viewport, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") {
      page.complaints.push(`console: ${message.text()} ${message.location().url}`);
    }
  });
  return page;
}

/** Opens a one-time link and waits until the GUI is there. */
export async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole("link", { name: "New job" }).first().waitFor();
}

/** Goes to a page of the navigation, and waits until it and not the one before is shown. */
export async function openPage(page, name) {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
}

/** Opens the form for a new job and chooses its kind. */
export async function chooseKind(page, kind) {
  await page.getByRole("link", { name: "New job" }).first().click();
  // The list of jobs has a filter of the same name, and stays on the screen for a moment after the address changed.
  const chooser = section(page, "What to run").getByRole("combobox", { name: "Kind" });
  await chooser.fill(kind);
  await chooser.press("Enter");
}

/** Sends the form and waits for the page of the new job. */
export async function enqueue(page) {
  await page.getByRole("button", { name: "Enqueue job" }).click();
  await page.waitForURL(/\/jobs\/job_/);
}

/** Waits until the job on this page says that it is in a state. */
export async function waitForState(page, state) {
  await page.getByRole("status", { name: "Job state" }).filter({ hasText: state }).waitFor();
}

/** Returns a part of the page by its name. */
export function section(page, name) {
  return page.getByRole("region", { name });
}

/** Returns what axe finds that keeps people out, as one line each. */
export async function barriers(page) {
  // The page's own policy forbids foreign scripts, so axe is run as the debugger, not as a script element.
  const source = await readFile(AXE, "utf8");
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
}
