// A screen that nobody sees, with a window manager, so that a window can be closed as a person closes it.
import { once } from "node:events";

import { eventually, run, start, within } from "../harness/process.mjs";

/** The width of a title bar and a border, generously. */
const FRAME_PIXELS = 40;

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
  const windows = async () => {
    const lines = (await run(t, "wmctrl", ["-l", "-p"], { env })).split("\n").filter(Boolean);
    return lines.map((line) => {
      const [id, , pid, , ...title] = line.split(/\s+/);
      return { id: Number(id), pid: Number(pid), title: title.join(" ") };
    });
  };
  const inFront = async () => {
    const said = await run(t, "xprop", ["-root", "_NET_ACTIVE_WINDOW"], { env });
    const id = Number(/0x[0-9a-f]+/.exec(said)?.[0]);
    return (await windows()).find((window) => window.id === id)?.title;
  };
  const whereIs = async (title) => {
    const said = await run(t, "xdotool", ["search", "--name", `^${title}$`, "getwindowgeometry", "--shell"], { env });
    const value = (name) => Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(said)[1]);
    return { x: value("X"), y: value("Y"), width: value("WIDTH"), height: value("HEIGHT") };
  };
  return {
    env,
    windows,
    /** The titles of the windows that are open. */
    titles: async () => (await windows()).map((window) => window.title),
    /** Waits until a window of this title is open. */
    opens: (title) =>
      eventually(`a window called ${title}`, async () => (await windows()).some((window) => window.title === title)),
    /** Waits until no window of this title is open. */
    closes: (title) =>
      eventually(`no window called ${title}`, async () => !(await windows()).some((window) => window.title === title)),
    /** Closes the window of this title by its close button. */
    close: (title) => run(t, "wmctrl", ["-F", "-c", title], { env }),
    /** Waits until the window of this title is the one in front. */
    untilInFront: (title) => eventually(`${title} in front`, async () => (await inFront()) === title),
    /** Hides the window of this title, as its button for that does. */
    minimize: (title) => run(t, "xdotool", ["search", "--name", `^${title}$`, "windowminimize", "--sync"], { env }),
    /** Says whether the window of this title is hidden. */
    isMinimized: async (title) => {
      const found = (await windows()).find((window) => window.title === title);
      const state = await run(t, "xprop", ["-id", String(found.id), "_NET_WM_STATE"], { env });
      return state.includes("_NET_WM_STATE_HIDDEN");
    },
    /** Puts the window of this title somewhere, as a person who drags it does. */
    place: (title, { x, y, width, height }) =>
      run(t, "wmctrl", ["-F", "-r", title, "-e", `0,${x},${y},${width},${height}`], { env }),
    whereIs,
    /** Waits until the window of this title is about there. A window manager may move it by its frame. */
    untilPlaced: (title, wanted) =>
      eventually(`${title} at ${JSON.stringify(wanted)}`, async () => {
        const place = await whereIs(title);
        const near = Object.keys(wanted).every((key) => Math.abs(place[key] - wanted[key]) <= FRAME_PIXELS);
        if (!near) {
          throw new Error(`it is at ${JSON.stringify(place)}`);
        }
        return true;
      }),
    /** Clicks somewhere on the screen. */
    click: ({ x, y }, { button = 1 } = {}) =>
      run(t, "xdotool", ["mousemove", x, y, "click", button].map(String), { env }),
    /** Presses a key. */
    key: (name) => run(t, "xdotool", ["key", name], { env }),
    /** Ends the screen, and with it every window on it. */
    end: async () => {
      server.child.kill("SIGKILL");
      await server.ended;
    },
    /** What was copied. */
    clipboard: () => run(t, "xclip", ["-out", "-selection", "clipboard"], { env }),
    /** Takes a picture of the screen, or of an area of it in the words of ImageMagick. */
    picture: (file, area) =>
      run(t, "import", ["-window", "root", ...(area ? ["-crop", area, "+repage"] : []), file], { env }),
  };
}
