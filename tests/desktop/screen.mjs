// A screen that nobody sees, with a window manager, so that a window can be closed as a person closes it.
import { once } from "node:events";

import { eventually, run, start, within } from "../harness/process.mjs";

/** Starts an X server on a display number of its own choice, and a window manager on it. */
export async function startScreen(t, environment) {
  // Without -noreset the server starts over when its last client leaves, which the first look for the window manager
  // can be.
  const server = start(t, "Xvfb", ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: environment,
  });
  const [number] = await within(once(server.child.stdio[3].setEncoding("utf8"), "data"), "starting the X server");
  const env = { ...environment, DISPLAY: `:${number.trim()}` };
  start(t, "openbox", [], { env });
  await eventually("the window manager", async () => (await run(t, "wmctrl", ["-m"], { env })).includes("Openbox"));
  return {
    env,
    /** The titles of the windows that are open. */
    titles: async () => {
      const lines = (await run(t, "wmctrl", ["-l"], { env })).split("\n").filter(Boolean);
      // window, desktop, host, title
      return lines.map((line) => line.split(/\s+/).slice(3).join(" "));
    },
    /** Closes the window of this title by its close button. */
    close: (title) => run(t, "wmctrl", ["-F", "-c", title], { env }),
  };
}
