// The GUI as another machine gets it over plain HTTP, where browsers withhold cryptography, UUIDs and the clipboard.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { chooseKind, enqueue, openBrowser, openPage, section, signIn, waitForState } from "./gui.mjs";

/** A name that is not loopback's, though it leads there. */
const NAME = "flowork.test";

/** Opens the GUI under that name. */
async function open(t) {
  const node = await startNode(t, { env: { FLOWORK_GATEWAY_ALLOWED_HOSTS: NAME } });
  const page = await openBrowser(t, { args: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`] });
  await signIn(page, node.link.replace("127.0.0.1", NAME));
  assert.equal(await page.evaluate(() => isSecureContext), false, "the browser does not trust the way");
  return page;
}

test("job is made, and the page says why there is no key", async (t) => {
  const page = await open(t);
  await chooseKind(page, "noop");
  await enqueue(page);
  await waitForState(page, "Completed");
  await openPage(page, "Devices");
  await page.getByText("This browser can keep no key here").waitFor();
  // The browser itself complains that there is no HTTPS.
  assert.deepEqual(page.complaints.filter((complaint) => complaint.startsWith("uncaught")), []);
});

test("what is copied gets into the clipboard, or is shown where it can't", async (t) => {
  const page = await open(t);
  await openPage(page, "Status");
  const path = await section(page, "Data and keys").locator("code").first().textContent();
  const copied = page.evaluate(
    () => new Promise((resolve) => document.addEventListener("copy", () => resolve(document.activeElement.value), { once: true })),
  );
  await page.getByRole("button", { name: "Copy the path" }).click();
  assert.equal(await copied, path);
  await page.getByRole("button", { name: "Copied the path" }).waitFor();

  await page.evaluate(() => {
    document.execCommand = () => false;
  });
  await page.getByRole("button", { name: "Copy the path" }).click();
  const shown = page.getByRole("dialog", { name: "Copy the path by hand" }).getByRole("textbox");
  assert.equal(await shown.inputValue(), path);
  assert.deepEqual(await shown.evaluate((field) => [field === document.activeElement, field.selectionEnd - field.selectionStart]), [true, path.length]);
});
