// Nobody is kept out: dark and light, with a keyboard alone, and by what axe checks for screen readers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { barriers, chooseKind, enqueue, openBrowser, section, signIn, waitForState } from "./gui.mjs";

for (const colorScheme of ["dark", "light"]) {
  test(`main pages have no serious barrier in ${colorScheme}`, async (t) => {
    const node = await startNode(t);
    const page = await openBrowser(t, { colorScheme });
    await page.goto(node.url);
    await page.getByText(/flowork link/).first().waitFor();
    assert.deepEqual(await barriers(page), [], "signing in");

    await signIn(page, node.link);
    assert.equal(await brightness(page) > 127, colorScheme === "light", "the page follows the system");

    await chooseKind(page, "noop");
    assert.deepEqual(await barriers(page), [], "the form");
    await enqueue(page);
    await waitForState(page, "Completed");
    assert.deepEqual(await barriers(page), [], "a job");
    for (const name of ["Jobs", "Engines", "Kinds & modules", "Status", "API reference"]) {
      await page.getByRole("link", { name, exact: true }).first().click();
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      assert.deepEqual(await barriers(page), [], name);
    }
  });
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
