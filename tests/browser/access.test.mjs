// Nobody is kept out: dark and light, with a keyboard alone, and by what axe checks for screen readers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { barriers, chooseKind, enqueue, openBrowser, openPage, section, signIn, waitForState } from "./gui.mjs";

/** The pages of the navigation, and what is there once one has all it shows. */
const PAGES = {
  Overview: (page) => section(page, "Recent jobs").getByRole("table"),
  Jobs: (page) => section(page, "Job list").getByRole("table"),
  Queues: (page) => section(page, "All queues").getByRole("table"),
  Limits: (page) => page.getByText("No limits yet"),
  Schedules: (page) => page.getByText("No schedules yet"),
  Engines: (page) => section(page, "Autoscaler"),
  "Kinds & modules": (page) => section(page, "Built in"),
  Members: (page) => section(page, "All members").getByRole("listitem").first(),
  Devices: (page) => section(page, "Your sessions").getByRole("listitem").first(),
  Keys: (page) => section(page, "People").getByRole("table"),
  "Admin tokens": (page) => section(page, "New admin token"),
  Audit: (page) => section(page, "Entries").getByRole("listitem").first(),
  Status: (page) => section(page, "Data and keys"),
  "API reference": (page) => page.getByRole("heading", { level: 2 }).first(),
};

for (const colorScheme of ["dark", "light"]) {
  test(`main pages have no serious barrier in ${colorScheme}`, async (t) => {
    const node = await startNode(t);
    const page = await openBrowser(t, { colorScheme });
    await page.goto(node.url);
    await page.getByText(/flowork link/).first().waitFor();
    assert.deepEqual(await barriers(page), [], "signing in");

    await signIn(page, node.link);
    await section(page, "First job").waitFor();
    assert.deepEqual(await barriers(page), [], "an overview of nothing");
    assert.equal(await brightness(page) > 127, colorScheme === "light", "the page follows the system");

    await chooseKind(page, "noop");
    assert.deepEqual(await barriers(page), [], "the form");
    await enqueue(page);
    await waitForState(page, "Completed");
    assert.deepEqual(await barriers(page), [], "a job");
    for (const [name, shown] of Object.entries(PAGES)) {
      await openPage(page, name);
      await shown(page).waitFor();
      assert.deepEqual(await barriers(page), [], name);
    }
  });

  test(`what is asked and shown about access has no serious barrier in ${colorScheme}`, async (t) => {
    const node = await startNode(t);
    const page = await openBrowser(t, { colorScheme });
    await signIn(page, node.link);
    await openPage(page, "Members");
    await page.getByRole("button", { name: "Add member" }).click();
    const form = page.getByRole("form", { name: "New member" });
    await form.getByLabel("Wallet address").fill("0x12");
    await form.getByRole("button", { name: "Add member" }).click();
    await form.getByText("A name is needed.").waitFor();
    assert.deepEqual(await barriers(page), [], "a form with mistakes");
    await form.getByLabel("Wallet address").fill("");
    await form.getByLabel("Name").fill("Ada");
    await form.getByRole("button", { name: "Add member" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Make link" }).click();
    const shown = page.getByRole("alertdialog", { name: "A link for Ada" });
    await shown.getByRole("img", { name: /QR code/ }).waitFor();
    assert.deepEqual(await barriers(page), [], "a link that is shown once");
    await shown.getByRole("button", { name: "I have saved it" }).click();
    await section(page, "All members").getByRole("link", { name: "Ada" }).click();
    await section(page, "Keys").waitFor();
    assert.deepEqual(await barriers(page), [], "a member");

    await openPage(page, "Keys");
    await page.getByRole("button", { name: "Rotate all" }).click();
    await page.getByRole("alertdialog").waitFor();
    assert.deepEqual(await barriers(page), [], "asking before a rotation");
    await page.keyboard.press("Escape");
    await page.getByRole("alertdialog").waitFor({ state: "detached" });
    await openPage(page, "Audit");
    await section(page, "Entries").getByRole("listitem").first().locator("summary").click();
    await section(page, "Check of the log").getByRole("button", { name: "Check now" }).click();
    await page.getByRole("status", { name: "Result of the check" }).waitFor();
    assert.deepEqual(await barriers(page), [], "an entry of the log");
    await openPage(page, "Kinds & modules");
    await page.getByRole("button", { name: "Change who may use noop" }).click();
    await page.getByRole("dialog").getByRole("checkbox", { name: "Members" }).waitFor();
    assert.deepEqual(await barriers(page), [], "the rights of a kind");
  });

  test(`forms and failures have no serious barrier in ${colorScheme}`, async (t) => {
    const node = await startNode(t);
    const refused = JSON.stringify({ method: "GET", url: "http://127.0.0.1:1/" });
    await node.cli("job", "enqueue", "http.request", "--payload", refused, "--queue", "mail");
    await node.cli("limit", "set", "kind:noop", "--concurrency", "2");
    const page = await openBrowser(t, { colorScheme });
    await signIn(page, node.link);
    await section(page, "Needs attention").getByRole("link", { name: "See failed jobs" }).waitFor();
    assert.deepEqual(await barriers(page), [], "an overview with a failure");

    await section(page, "Needs attention").getByRole("link", { name: "See failed jobs" }).click();
    await section(page, "Job list").getByRole("button", { name: "Requeue all matching" }).click();
    await page.getByRole("dialog").getByLabel("Into queue").waitFor();
    assert.deepEqual(await barriers(page), [], "requeuing");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await openPage(page, "Limits");
    await section(page, "All limits").getByRole("button", { name: "Change the limit of kind:noop" }).click();
    await page.getByRole("dialog").getByLabel("At once").waitFor();
    assert.deepEqual(await barriers(page), [], "a limit");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await openPage(page, "Queues");
    await section(page, "Drain").getByRole("button", { name: "Drain this node" }).click();
    await page.getByRole("alertdialog").getByLabel("Reason").waitFor();
    assert.deepEqual(await barriers(page), [], "asking before a drain");
    await page.getByRole("alertdialog").getByRole("button", { name: "Drain now" }).click();
    await page.getByRole("alertdialog").waitFor({ state: "detached" });
    await page.getByRole("alert").filter({ hasText: "The node is draining" }).waitFor();
    assert.deepEqual(await barriers(page), [], "a node that drains");

    await openPage(page, "Schedules");
    await page.getByRole("link", { name: "New schedule" }).click();
    const chooser = section(page, "What to run").getByRole("combobox", { name: "Kind" });
    await chooser.fill("noop");
    await chooser.press("Enter");
    await section(page, "Next runs").getByRole("listitem").first().waitFor();
    assert.deepEqual(await barriers(page), [], "a schedule");
  });
}

test("pages about access fit a narrow phone", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t, { viewport: { width: 360, height: 740 } });
  await page.goto(node.url);
  await page.getByText(/flowork link/).first().waitFor();
  assert.equal(await overflow(page), 0, "signing in");
  await signIn(page, node.link);
  for (const name of ["Members", "Devices", "Keys", "Admin tokens", "Audit", "Engines", "Kinds & modules"]) {
    await page.getByRole("button", { name: "Open menu" }).click();
    await openPage(page, name);
    await PAGES[name](page).waitFor();
    assert.equal(await overflow(page), 0, name);
  }
});

/** By how many pixels the page is wider than the screen. */
function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test("job is enqueued with the keyboard alone", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await tabTo(page, "New job");
  await page.keyboard.press("Enter");
  await section(page, "What to run").getByRole("combobox", { name: "Kind" }).waitFor();
  await tabTo(page, "Kind");
  await page.keyboard.type("noop");
  await page.keyboard.press("Enter");
  await tabTo(page, "Enqueue job");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/jobs\/job_/);
  await waitForState(page, "Completed");
});

/** How bright the corner of the page is, from 0 to 255: what is seen, whatever styles made it. */
async function brightness(page) {
  const picture = await page.screenshot({ clip: { x: 0, y: 0, width: 4, height: 4 } });
  return page.evaluate(async (data) => {
    const canvas = new OffscreenCanvas(4, 4).getContext("2d");
    canvas.drawImage(await createImageBitmap(new Blob([Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0))])), 0, 0);
    return Math.max(...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));
  }, picture.toString("base64"));
}

/** Presses Tab until the focus is on the element of this name. */
async function tabTo(page, name) {
  for (let pressed = 0; pressed < 80; pressed++) {
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return element?.labels?.[0]?.textContent ?? element?.getAttribute("aria-label") ?? element?.textContent ?? "";
    });
    if (focused.trim().startsWith(name)) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never came to ${name}`);
}
