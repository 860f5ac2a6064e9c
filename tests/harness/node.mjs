// A real node of its own: own data directory, own port, own vault.
import { createInterface } from "node:readline";
import { join } from "node:path";

import { cleanEnvironment, run, start, temporaryFolder, within } from "./process.mjs";

/** The `flowork` under test. */
export const FLOWORK = process.env.FLOWORK_BIN ?? "target/debug/flowork";

/** Starts a node and waits until it serves. */
export async function startNode(t, { args = [], env = {}, listen: address = "127.0.0.1:0" } = {}) {
  const home = await temporaryFolder(t, "node");
  const dataDir = join(home, "flowork");
  const environment = cleanEnvironment(home, {
    FLOWORK_DATA_DIR: dataDir,
    FLOWORK_VAULT: "file",
    FLOWORK_VAULT_KEY_DIR: join(home, "keys"),
    ...env,
  });
  const listen = ["--listen", address];
  const { child, said, ended } = start(t, FLOWORK, ["serve", "--json", ...listen, ...args], { env: environment });
  const lines = createInterface({ input: child.stdout });
  const first = new Promise((resolve, reject) => {
    lines.once("line", resolve);
    ended.then(({ code, signal }) => reject(new Error(`the node ended with ${code ?? signal}: ${said.err}`)), reject);
  });
  const ready = JSON.parse(await within(first, "starting the node"));
  if (ready.event !== "ready") {
    throw new Error(`the first line of the node is not its ready line: ${JSON.stringify(ready)}`);
  }
  return {
    url: ready.url.replace(/\/$/, ""),
    link: ready.link,
    dataDir,
    home,
    env: environment,
    child,
    said,
    ended,
    /** Runs `flowork` on this node's data and returns what it printed, read as JSON. */
    cli: async (...words) => JSON.parse(await run(t, FLOWORK, [...words, "--json"], { env: environment })),
    /** Makes another one-time link. */
    newLink: async () => JSON.parse(await run(t, FLOWORK, ["link", "--json"], { env: environment })).url,
  };
}
