// Jobs that failed for good get another go: some of them, or all that match.
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { openBrowser, openPage, section, signIn } from "./gui.mjs";

const REFUSED = JSON.stringify({ method: "GET", url: "http://127.0.0.1:1/" });

test("failed jobs are requeued by selection, and all that match into another queue", async (t) => {
  const node = await startNode(t);
  const ids = [];
  for (let count = 0; count < 3; count += 1) {
    const job = await node.cli("job", "enqueue", "http.request", "--payload", REFUSED);
    ids.push(job.id);
  }
  const page = await openBrowser(t);
  await signIn(page, node.link);
  // The node says first that they have failed, then what can be done about it.
  const concern = section(page, "Needs attention").getByRole("listitem").filter({ hasText: "3 jobs have failed" });
  await concern.getByRole("link", { name: "See failed jobs" }).click();
  const list = section(page, "Job list");
  const rows = list.getByRole("row").filter({ hasText: "http.request" });

  await list.getByRole("checkbox", { name: new RegExp(ids[1]) }).check();
  await list.getByRole("button", { name: "Requeue selected" }).click();
  await page.getByRole("dialog", { name: "Requeue 1 job?" }).getByRole("button", { name: "Requeue jobs" }).click();
  const result = list.getByRole("status", { name: "Result of the requeue" });
  await result.filter({ hasText: "1 job was requeued." }).waitFor();
  // It fails again, and is back in the list.
  await node.cli("job", "wait", ids[1]).catch(() => {});
  await rows.nth(2).waitFor();

  await list.getByRole("button", { name: "Requeue all matching" }).click();
  const dialog = page.getByRole("dialog", { name: "Requeue all 3 matching jobs?" });
  await dialog.getByLabel("Into queue").fill("second-try");
  await dialog.getByRole("button", { name: "Requeue jobs" }).click();
  await result.filter({ hasText: "3 jobs were requeued." }).waitFor();
  await rows.filter({ hasText: "second-try" }).nth(2).waitFor();

  await rows.first().getByRole("link", { name: /http\.request/ }).click();
  await page.getByText(/Requeued.*last by owner/).waitFor();
});
