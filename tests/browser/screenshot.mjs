// Takes the picture of the dashboard for the README: `node screenshot.mjs FILE`, from a real node with real jobs.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { startNode } from "../harness/node.mjs";
import { openBrowser, signIn } from "./gui.mjs";

const [file] = process.argv.slice(2);
if (file === undefined) {
  throw new Error("usage: node screenshot.mjs FILE");
}

const cleanUp = [];
const t = { after: (step) => cleanUp.unshift(step) };
try {
  // The node asks itself for its health in one of the jobs, which its guard would refuse.
  const node = await startNode(t, { env: { FLOWORK_EGRESS_ALLOW_HOSTS: "127.0.0.1" } });
  await fill(node);
  const page = await openBrowser(t, { viewport: { width: 1280, height: 960 } });
  await signIn(page, node.link);
  await page.getByRole("row").filter({ hasText: "Completed" }).nth(3).waitFor();
  await page.getByRole("row").filter({ hasText: "Running" }).filter({ hasText: /[3-6]\d %/ }).first().waitFor();
  await page.screenshot({ path: file });
} finally {
  for (const step of cleanUp) {
    await step();
  }
}

/** Enqueues jobs of several kinds that end in several ways, and waits for those that end. */
async function fill(node) {
  const sales = join(node.home, "sales.csv");
  const rows = Array.from({ length: 50_000 }, (_, index) => `${index},${["north", "south", "west"][index % 3]},${(index * 37) % 1000}`);
  await writeFile(sales, ["order,region,amount", ...rows, ""].join("\n"));
  const jobs = [
    ["module.csv-profile", { path: sales }, "reports"],
    ["http.request", { method: "GET", url: `${node.url}/health` }, "checks"],
    ["noop", { hello: "world" }, "default"],
    ["module.csv-profile", { path: join(node.home, "missing.csv") }, "reports"],
    ["sleep", { duration_ms: 1500 }, "default"],
    ["module.csv-profile", { path: sales }, "reports"],
  ];
  for (const [kind, payload, queue] of jobs) {
    const job = await node.cli("job", "enqueue", kind, "--payload", JSON.stringify(payload), "--queue", queue);
    await node.cli("job", "wait", job.id).catch(() => {});
  }
  for (const duration_ms of [12_000, 20_000]) {
    await node.cli("job", "enqueue", "sleep", "--payload", JSON.stringify({ duration_ms }));
  }
}
