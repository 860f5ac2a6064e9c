// Child processes of a test: started with an environment of their own, and gone when the test is over.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** How long anything on this machine may take before the test fails. */
export const PATIENCE_MS = 60_000;

/** Makes a folder that is removed when the test is over. */
export async function temporaryFolder(t, name) {
  const folder = await mkdtemp(join(tmpdir(), `flowork-${name}-`));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** The environment of this process without the settings of any node, with `home` as the home. */
export function cleanEnvironment(home, further = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("FLOWORK_") && !name.startsWith("XDG_"));
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_RUNTIME_DIR: home,
    // No session bus: the test must not write into the keychain of whoever runs it.
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
    // Nor may a proxy stand between the test and the loopback.
    NO_PROXY: "127.0.0.1,localhost",
    ...further,
  };
}

/** Starts a program; what it says is kept and shown if the test fails. It is killed when the test is over. */
export function start(t, program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const said = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text) => (said.out += text));
  child.stderr?.setEncoding("utf8").on("data", (text) => (said.err += text));
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  ended.catch(() => {});
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });
  return { child, said, ended };
}

/** Runs a program to its end and returns what it wrote to stdout. */
export async function run(t, program, args, options = {}) {
  const { said, ended } = start(t, program, args, options);
  const { code, signal } = await within(ended, `${program} ${args.join(" ")}`);
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}: ${said.err || said.out}`);
  }
  return said.out;
}

/** Waits for a promise, but not for ever. */
export async function within(promise, what, milliseconds = PATIENCE_MS) {
  const late = new AbortController();
  const alarm = pause(milliseconds, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} took more than ${milliseconds} ms`);
  });
  alarm.catch(() => {});
  try {
    return await Promise.race([promise, alarm]);
  } finally {
    late.abort();
  }
}

/**
 * Asks until the answer is something other than `undefined`, `null`, `false` and the empty text, and returns it. For
 * what tells nobody when it changes: the screen of an X server, the list of processes.
 */
export async function eventually(what, ask, milliseconds = PATIENCE_MS) {
  const deadline = Date.now() + milliseconds;
  let last = "nothing";
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false && answer !== "") {
        return answer;
      }
      last = String(answer);
    } catch (error) {
      last = error.message;
    }
    await pause(50);
  }
  throw new Error(`${what}: not within ${milliseconds} ms; last: ${last}`);
}
