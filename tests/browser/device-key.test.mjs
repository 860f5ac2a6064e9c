// A browser that was paired once comes back by itself, until somebody ends that.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn } from "./gui.mjs";

test("browser that lost its refresh token goes in with its own key", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  assert.deepEqual(await exportAttempts(page), ["InvalidAccessError"], "nothing gives the key out that the secret is encrypted with");

  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.getByRole("link", { name: "New job" }).first().waitFor();
  assert.notEqual(await page.evaluate(() => localStorage.getItem("flowork.refresh_token")), null, "the session lasts again");

  await openPage(page, "Members");
  await section(page, "All members").getByRole("link", { name: "Owner", exact: false }).first().click();
  await section(page, "Keys").getByText("Browser").waitFor();
  assert.deepEqual(page.complaints, []);
});

test("link for somebody else gives a browser that has a key another one", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  const link = await invite(page, "Ada");
  // Only the fragment changes, as when a link is opened in the tab that shows Flowork already.
  await page.evaluate((address) => location.assign(address), link);
  await page.getByText(/^m_[0-9a-f]+$/).first().waitFor();
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.getByText(/^m_[0-9a-f]+$/).first().waitFor();
});

test("browser whose key was taken away is told so and stays out", async (t) => {
  const node = await startNode(t);
  const owner = await openBrowser(t);
  await signIn(owner, node.link);
  const page = await openBrowser(t);
  await signIn(page, await invite(owner, "Ada"));

  await openPage(owner, "Devices");
  await section(owner, "Sessions of other members").getByRole("button", { name: /End the session of/ }).click();
  const ask = owner.getByRole("alertdialog");
  await ask.getByRole("checkbox", { name: /Remove its key/ }).check();
  await ask.getByRole("button", { name: "End session and remove key" }).click();
  await ask.waitFor({ state: "detached" });

  await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  await section(page, "With the key of this browser").getByRole("button", { name: "Sign in again" }).click();
  await page.getByRole("alert").filter({ hasText: /refused/ }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "The node does not know this browser any more" }).waitFor();
});

test("signing out everywhere ends every browser, and each can come back with its key", async (t) => {
  const node = await startNode(t);
  const first = await openBrowser(t);
  await signIn(first, node.link);
  const second = await openBrowser(t);
  await signIn(second, await node.newLink());

  await openPage(first, "Devices");
  await section(first, "Your sessions").getByRole("listitem").nth(1).waitFor();
  assert.equal(await section(first, "Your sessions").getByText("This one").count(), 1);
  await first.getByRole("button", { name: "Sign out everywhere" }).click();
  await first.getByRole("alertdialog").getByRole("button", { name: "Sign out everywhere" }).click();
  for (const page of [first, second]) {
    await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
  }
  await section(second, "With the key of this browser").getByRole("button", { name: "Sign in again" }).click();
  await second.getByRole("link", { name: "New job" }).first().waitFor();

  await second.getByRole("button", { name: "Sign out", exact: true }).click();
  await second.getByRole("heading", { name: "You are signed out" }).waitFor();
  await second.reload();
  await second.getByRole("heading", { name: "Sign in to this node" }).waitFor();
  assert.equal(await section(second, "With the key of this browser").count(), 0, "signing out forgets the key");
});

/** Adds a member and returns the link that the GUI shows for them. */
async function invite(page, name) {
  await openPage(page, "Members");
  await page.getByRole("button", { name: "Add member" }).click();
  const form = page.getByRole("form", { name: "New member" });
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Add member" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Make link" }).click();
  const shown = page.getByRole("alertdialog", { name: `A link for ${name}` });
  await shown.getByRole("img", { name: /QR code/ }).waitFor();
  const link = await shown.getByLabel("Link", { exact: true }).innerText();
  await shown.getByRole("button", { name: "I have saved it" }).click();
  await shown.waitFor({ state: "detached" });
  return link;
}

/** Tries to read each key that the page keeps, and returns how that failed. */
function exportAttempts(page) {
  return page.evaluate(async () => {
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await done(indexedDB.open("flowork"));
    const kept = await done(database.transaction("device_key").objectStore("device_key").getAll());
    database.close();
    return Promise.all(kept.map(({ wrapping }) => crypto.subtle.exportKey("raw", wrapping).then(() => "given out", (error) => error.name)));
  });
}
