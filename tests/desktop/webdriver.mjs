// The little of WebDriver (https://www.w3.org/TR/webdriver2/) that the desktop tests need.
import { createServer } from "node:net";

import { PATIENCE_MS, eventually, start } from "../harness/process.mjs";

/** The key under which WebDriver returns the reference of an element. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/**
 * Connects WebKit's driver to an app that listens for it at `inspector`, and returns the app's windows to drive. The
 * test starts the app itself, so the app's exit code, its signals and its environment are the test's.
 */
export async function openDriver(t, { inspector, env }) {
  const port = await freePort();
  const driver = start(t, "WebKitWebDriver", ["--host=127.0.0.1", `--port=${port}`, `--target=${inspector}`], { env });
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { value } = await response.json();
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${value.error}: ${value.message}\n${driver.said.err}`);
    }
    return value;
  };
  await eventually("the driver", async () => (await call("GET", "/status")).ready);
  const { sessionId } = await eventually("a session with the app", () =>
    call("POST", "/session", { capabilities: { alwaysMatch: {} } }),
  );
  return windowsOf((method, path, body) => call(method, `/session/${sessionId}${path}`, body));
}

function windowsOf(call) {
  const find = async (xpath) => (await call("POST", "/element", { using: "xpath", value: xpath }))[ELEMENT];
  const element = {
    click: async (id) => call("POST", `/element/${id}/click`, {}),
    type: async (id, text) => call("POST", `/element/${id}/value`, { text }),
    text: async (id) => call("GET", `/element/${id}/text`),
  };
  const soon = (what, xpath, act) => eventually(`${what} ${xpath}`, async () => (await act(await find(xpath))) ?? true);
  const url = () => call("GET", "/url");
  const handles = () => call("GET", "/window/handles");
  return {
    url,
    /** How many windows there are. */
    count: async () => (await handles()).length,
    /** Waits for a window whose address satisfies a condition, and drives that one from now on. */
    switchTo: (what, holds) =>
      eventually(`the window ${what}`, async () => {
        for (const handle of await handles()) {
          await call("POST", "/window", { handle });
          if (holds(await url())) {
            return true;
          }
        }
        return false;
      }),
    goTo: (address) => call("POST", "/url", { url: address }),
    /** Waits until the address satisfies a condition, and returns it. */
    untilUrl: (what, holds) =>
      eventually(`the window is ${what}`, async () => {
        const address = await url();
        if (!holds(address)) {
          throw new Error(`it is at ${address}`);
        }
        return address;
      }),
    /** Runs the body of a function in the page. */
    evaluate: (script, ...args) => call("POST", "/execute/sync", { script, args }),
    /** Runs the body of a function that answers by calling its last argument. */
    evaluateAsync: (script, ...args) => call("POST", "/execute/async", { script, args }),
    click: (xpath) => soon("clicking", xpath, element.click),
    /** Clicks on what closes the window or ends the app: the answer may come after there is nobody to give it. */
    clickToClose: (xpath) =>
      soon("clicking", xpath, (id) =>
        element.click(id).catch((error) => {
          if (/not interactable|intercepted|stale/.test(error.message)) {
            throw error;
          }
        }),
      ),
    type: (xpath, text) => soon("typing into", xpath, (id) => element.type(id, text)),
    /** Says whether an element is there, and can be seen. */
    shows: async (xpath) => {
      const found = await find(xpath).catch(() => undefined);
      return found !== undefined && call("GET", `/element/${found}/displayed`);
    },
    /** Waits until an attribute or property of an element has a value. */
    untilProperty: (xpath, name, value) =>
      soon(`${name} is ${value} at`, xpath, async (id) => {
        const found = await call("GET", `/element/${id}/property/${name}`);
        if (found !== value) {
          throw new Error(`it is ${JSON.stringify(found)}`);
        }
      }),
    /** Waits until the text of an element satisfies a condition, and returns it. */
    text: (xpath, holds = (text) => text !== "") =>
      soon("reading", xpath, async (id) => {
        const text = await element.text(id);
        if (!holds(text)) {
          throw new Error(`it says ${JSON.stringify(text)}`);
        }
        return text;
      }),
    /** Takes a picture of the page, as PNG. */
    picture: async () => Buffer.from(await call("GET", "/screenshot"), "base64"),
  };
}

/** A port that is free now; neither the driver nor the app's inspector can pick one itself. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
