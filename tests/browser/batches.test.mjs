// A batch that a program enqueues, seen in the GUI to the job that comes after it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { barriers, openBrowser, signIn, waitForState } from "./gui.mjs";

test("job of a batch leads to its batch, and the batch to the job that comes after it", async (t) => {
  const node = await startNode(t);
  const token = await signInAsProgram(node);
  const jobs = ["one", "two", "three"].map((name) => ({ idempotency_key: name, kind: "noop" }));
  const answer = await fetch(`${node.url}/v1/jobs/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": randomUUID() },
    body: JSON.stringify({ jobs, callback: { kind: "noop", payload: { batch: null } } }),
  });
  const batch = await answer.json();
  assert.ok(answer.ok, JSON.stringify(batch));

  const page = await openBrowser(t);
  await signIn(page, await node.newLink());
  await page.goto(`${node.url}/jobs/${batch.items[0].job.id}`);
  await page.getByRole("link", { name: batch.batch_id }).click();
  await page.getByRole("heading", { level: 1, name: "Batch" }).waitFor();
  const completed = page.getByLabel("Jobs of the batch").getByText("Completed").locator("xpath=..");
  await completed.filter({ hasText: "3" }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
    assert.deepEqual(await barriers(page), [], colorScheme);
  }
  await page.getByRole("link", { name: /^job_/ }).click();
  await waitForState(page, "Completed");
  assert.match(await page.getByRole("main").innerText(), /completed/, "it was told the counts");
});

/** Trades the node's one-time link for a token, as the GUI does. */
async function signInAsProgram(node) {
  const code = /pair=([^&]+)/.exec(node.link)?.[1];
  const answer = await fetch(`${node.url}/v1/auth/pair`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, device_name: "a program" }),
  });
  return (await answer.json()).access_token;
}
