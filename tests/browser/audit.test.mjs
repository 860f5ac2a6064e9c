// What was done is in the audit log, and what must not be there is not.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn } from "./gui.mjs";

test("token of an engine is shown once, and the audit log has who made it but not the token", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Engines");
  await page.getByRole("button", { name: "Add engine" }).click();
  const form = page.getByRole("form", { name: "New engine" });
  await form.getByLabel("Name").fill("attic");
  await form.getByRole("button", { name: "Add engine" }).click();
  const shown = page.getByRole("alertdialog", { name: "The token of attic" });
  const token = await shown.getByLabel("Token", { exact: true }).innerText();
  assert.match(token, /^fle_/);
  await page.keyboard.press("Escape");
  assert.ok(await shown.isVisible(), "it goes only when somebody says that it is saved");
  await shown.getByRole("button", { name: "I have saved it" }).click();
  await shown.waitFor({ state: "detached" });

  await section(page, "attic").getByRole("button", { name: "Rotate token of attic" }).click();
  await page.getByRole("alertdialog").getByRole("radio", { name: "Not at all" }).check();
  await page.getByRole("alertdialog").getByRole("button", { name: "Rotate token" }).click();
  const second = page.getByRole("alertdialog", { name: "The token of attic" });
  assert.notEqual(await second.getByLabel("Token", { exact: true }).innerText(), token);
  await second.getByRole("button", { name: "I have saved it" }).click();
  await second.waitFor({ state: "detached" });
  const refused = await fetch(`${node.url}/v1/engine/token`, { method: "POST", headers: { "x-engine-token": token } });
  assert.equal(refused.status, 401, "the token before has ended");

  await openPage(page, "Audit");
  const entries = section(page, "Entries");
  await entries.getByText("engine.token.rotate", { exact: true }).first().waitFor();
  await page.getByRole("search", { name: "Filter the log" }).getByLabel("Action").fill("engine.create");
  await page.keyboard.press("Enter");
  await page.waitForURL(/action=engine\.create/);
  const entry = entries.getByRole("listitem").filter({ hasText: "engine.create" });
  await entry.filter({ hasText: /Owner/i }).getByText("engine.create").click();
  await entry.getByText("POST /v1/engines").waitFor();
  assert.equal(await page.getByText(token).count(), 0, "the token is nowhere");

  await section(page, "Check of the log").getByRole("button", { name: "Check now" }).click();
  await page.getByRole("status", { name: "Result of the check" }).filter({ hasText: "The log is whole" }).waitFor();

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export what matches" }).click()]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  assert.ok(lines.some((line) => line.includes("engine.create")), "the export has the entry");
  assert.ok(lines.every((line) => !line.includes(token)), "and not the token");
  assert.deepEqual(page.complaints, []);
});

test("keys are rotated, and whoever is signed in stays signed in", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Keys");
  const people = section(page, "People");
  await people.getByText("Signs", { exact: true }).waitFor();
  await people.getByRole("button", { name: "Rotate the keys of people" }).click();
  await page.getByRole("alertdialog").getByRole("radio", { name: /at once/ }).check();
  await page.getByRole("alertdialog").getByRole("button", { name: "Rotate now" }).click();
  await page.getByRole("alertdialog").waitFor({ state: "detached" });
  await openPage(page, "Jobs");
  await page.getByText(/no jobs/i).first().waitFor();
  await openPage(page, "Audit");
  await section(page, "Entries").getByText("key.rotate", { exact: true }).waitFor();
});

test("admin token does what it was made for and nothing else", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Admin tokens");
  await page.getByRole("checkbox", { name: /Read the audit log/ }).check();
  await page.getByRole("button", { name: "Make token" }).click();
  const shown = page.getByRole("alertdialog", { name: "The new admin token" });
  await shown.getByText(/It lives for another/).waitFor();
  const token = await shown.getByLabel("Admin token", { exact: true }).innerText();
  const ask = (path) => fetch(node.url + path, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status);
  assert.deepEqual([await ask("/v1/audit"), await ask("/v1/members")], [200, 403]);
});
