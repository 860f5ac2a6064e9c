// The queues from the GUI: paused and resumed, limited, drained.
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn, waitForState } from "./gui.mjs";

test("job waits in a paused queue and runs once it is resumed", async (t) => {
  const node = await startNode(t);
  await node.cli("job", "enqueue", "noop", "--queue", "mail");
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Queues");
  const row = section(page, "All queues").getByRole("row", { name: /mail/ });
  await row.getByRole("button", { name: "Pause queue mail" }).click();
  await row.getByText("Paused").waitFor();

  const job = await node.cli("job", "enqueue", "noop", "--queue", "mail");
  // A job of another queue that was enqueued later has run: the first one was passed over.
  await node.cli("job", "wait", (await node.cli("job", "enqueue", "noop")).id);
  await page.goto(`${node.url}/jobs/${job.id}`);
  await waitForState(page, "Queued");

  await openPage(page, "Queues");
  await row.getByRole("button", { name: "Resume queue mail" }).click();
  await row.getByRole("button", { name: "Pause queue mail" }).waitFor();
  await page.goto(`${node.url}/jobs/${job.id}`);
  await waitForState(page, "Completed");
});

test("limit that is set in the GUI holds jobs back until it is removed", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Limits");
  await page.getByRole("button", { name: "Add limit" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a limit" });
  await dialog.getByLabel("What it counts").selectOption("Kind");
  await dialog.getByLabel("Name").fill("noop");
  await dialog.getByLabel("At once").fill("0");
  await dialog.getByRole("button", { name: "Set limit" }).click();
  const limits = section(page, "All limits");
  await limits.getByRole("listitem").filter({ hasText: "noop" }).getByText("None starts").waitFor();

  const job = await node.cli("job", "enqueue", "noop");
  // A job of another kind that was enqueued later has run: the first one was passed over.
  const other = await node.cli("job", "enqueue", "sleep", "--payload", '{"duration_ms":1}');
  await node.cli("job", "wait", other.id);
  await page.goto(`${node.url}/jobs/${job.id}`);
  await waitForState(page, "Queued");

  await openPage(page, "Limits");
  await limits.getByRole("button", { name: "Remove the limit of kind:noop" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove limit" }).click();
  await limits.getByText("No limits yet").waitFor();
  await page.goto(`${node.url}/jobs/${job.id}`);
  await waitForState(page, "Completed");
});

test("drain from the GUI lets running jobs finish and is seen on every page until it is ended", async (t) => {
  const node = await startNode(t);
  const running = await node.cli("job", "enqueue", "sleep", "--payload", '{"duration_ms":600000}');
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await page.goto(`${node.url}/jobs/${running.id}`);
  await waitForState(page, "Running");

  await openPage(page, "Queues");
  const drain = section(page, "Drain");
  await drain.getByRole("button", { name: "Drain this node" }).click();
  const dialog = page.getByRole("alertdialog", { name: "Drain this node?" });
  await dialog.getByLabel("Reason").fill("new disk");
  await dialog.getByRole("button", { name: "Drain now" }).click();
  await drain.getByRole("status", { name: "Jobs left" }).filter({ hasText: "1 job is left" }).waitFor();

  await openPage(page, "Kinds & modules");
  const banner = page.getByRole("alert").filter({ hasText: "The node is draining" });
  await banner.filter({ hasText: "new disk" }).waitFor();

  await node.cli("job", "cancel", running.id);
  await banner.filter({ hasText: "All running jobs have finished" }).waitFor();

  await openPage(page, "Queues");
  await drain.getByRole("button", { name: "End the drain" }).click();
  await banner.waitFor({ state: "detached" });
  const after = await node.cli("job", "enqueue", "noop");
  await page.goto(`${node.url}/jobs/${after.id}`);
  await waitForState(page, "Completed");
});
