// The little of WebDriver (https://www.w3.org/TR/webdriver2/) that the desktop test needs.
import { createServer } from "node:net";

import { PATIENCE_MS, eventually, start } from "../harness/process.mjs";

/** The key under which WebDriver returns the reference of an element. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Starts WebKit's driver, lets it start `binary`, and returns the window to drive. */
export async function openWindow(t, binary, args, env) {
  const port = await freePort();
  const driver = start(t, "WebKitWebDriver", ["--host=127.0.0.1", `--port=${port}`], { env });
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { value } = await response.json();
    if (!response.ok) {
      // What the app wrote to its stderr comes out of the driver's.
      throw new Error(`${method} ${path}: ${value.error}: ${value.message}\n${driver.said.err}`);
    }
    return value;
  };
  await eventually("the driver", async () => (await call("GET", "/status")).ready);
  const { sessionId } = await call("POST", "/session", {
    capabilities: { alwaysMatch: { "webkitgtk:browserOptions": { binary, args } } },
  });
  return windowOf((method, path, body) => call(method, `/session/${sessionId}${path}`, body));
}

function windowOf(call) {
  const find = async (xpath) => (await call("POST", "/element", { using: "xpath", value: xpath }))[ELEMENT];
  const element = {
    click: async (id) => call("POST", `/element/${id}/click`, {}),
    type: async (id, text) => call("POST", `/element/${id}/value`, { text }),
    text: async (id) => call("GET", `/element/${id}/text`),
  };
  const soon = (what, xpath, act) => eventually(`${what} ${xpath}`, async () => (await act(await find(xpath))) ?? true);
  return {
    url: () => call("GET", "/url"),
    goTo: (url) => call("POST", "/url", { url }),
    /** Runs the body of a function in the page. */
    evaluate: (script, ...args) => call("POST", "/execute/sync", { script, args }),
    click: (xpath) => soon("clicking", xpath, element.click),
    type: (xpath, text) => soon("typing into", xpath, (id) => element.type(id, text)),
    /** Waits until the text of an element satisfies a condition, and returns it. */
    text: (xpath, holds = (text) => text !== "") =>
      soon("reading", xpath, async (id) => {
        const text = await element.text(id);
        if (!holds(text)) {
          throw new Error(`it says ${JSON.stringify(text)}`);
        }
        return text;
      }),
  };
}

/** A port that is free now; the driver cannot pick one itself. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
