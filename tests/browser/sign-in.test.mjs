// Who gets in: a link works once, and the session stays.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, signIn } from "./gui.mjs";

test("link that was used is refused with what to do", async (t) => {
  const node = await startNode(t);
  const first = await openBrowser(t);
  await signIn(first, node.link);
  assert.ok(!first.url().includes("pair="), "the code is gone from the address");

  const second = await openBrowser(t);
  await second.goto(node.link);
  await second.getByText(/flowork link/).first().waitFor();
  assert.equal(await second.getByRole("link", { name: "New job" }).count(), 0, "nobody is signed in");

  await signIn(second, await node.newLink());
});

test("session outlives a reload and ends with signing out", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await page.reload();
  await page.getByRole("link", { name: "New job" }).first().waitFor();
  await page.getByRole("button", { name: /sign out/i }).first().click();
  await page.getByText(/flowork link/).first().waitFor();
  await page.goto(`${node.url}/jobs`);
  await page.getByText(/flowork link/).first().waitFor();
});

test("without a link the page says how to get one", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await page.goto(node.url);
  await page.getByText(/flowork link/).first().waitFor();
});
