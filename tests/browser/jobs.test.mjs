// A person with a browser: from the link to a finished job.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { chooseKind, enqueue, openBrowser, section, signIn, waitForState } from "./gui.mjs";

test("csv-profile runs from the form to the profile", async (t) => {
  const node = await startNode(t);
  const file = join(node.home, "measures.csv");
  const rows = Array.from({ length: 200 }, (_, index) => `${index},sensor-${index % 7},${index % 10 === 0 ? "" : index / 4}`);
  await writeFile(file, ["id,sensor,temperature", ...rows, ""].join("\n"));

  const page = await openBrowser(t);
  await signIn(page, node.link);
  await chooseKind(page, "module.csv-profile");
  await page.getByLabel("CSV file").fill(file);
  await enqueue(page);
  await waitForState(page, "Completed");

  const result = section(page, "Result");
  for (const column of ["id", "sensor", "temperature"]) {
    await result.getByText(column, { exact: true }).first().waitFor();
  }
  const text = await result.innerText();
  assert.match(text, /200/, "the profile counts the rows");
  assert.deepEqual(page.complaints, [], "the page ran without errors");
});

test("job that fails shows what happened and what to do", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await chooseKind(page, "module.csv-profile");
  await page.getByLabel("CSV file").fill(join(node.home, "absent.csv"));
  await enqueue(page);
  await waitForState(page, "Failed");
  const main = await page.getByRole("main").innerText();
  assert.match(main, /absent\.csv/, "the error names the file");
  await page.getByRole("button", { name: "Requeue job" }).waitFor();
});

test("running job is cancelled by its button", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await chooseKind(page, "sleep");
  await page.getByLabel(/duration/i).first().fill("600000");
  await enqueue(page);
  await waitForState(page, "Running");
  await page.getByRole("button", { name: "Cancel job" }).click();
  await waitForState(page, "Cancelled");
  await page.getByRole("button", { name: "Requeue job" }).waitFor();
});

test("list of jobs shows what another program enqueues, as it happens", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
  await page.getByText(/no jobs/i).first().waitFor();
  const job = await node.cli("job", "enqueue", "noop", "--payload", '{"from":"outside"}');
  await page.getByRole("link", { name: new RegExp(job.id.slice(-6)) }).or(page.locator(`a[href$="${job.id}"]`)).first().waitFor();
  await page.getByRole("row").filter({ hasText: "noop" }).filter({ hasText: "Completed" }).first().waitFor();
});
