import { isRecord, text } from "~/json";

import { browserPlatform } from "./browser";
import type { DesktopApp, DeviceKeySlot, Platform } from "./platform";

/** What the app puts into its window before the page begins. */
const MARK = "__FLOWORK_DESKTOP__";
/** Going there does something instead: the app catches it, and the page stays. No such host can exist. */
const ACTIONS = "https://action.flowork.invalid/";

/** What the app says about itself. */
interface Mark {
  version: string;
  os: string;
}

/** Finds the app whose window the page is in; `undefined` in a browser. */
export function findDesktop(home: object): Mark | undefined {
  const mark: unknown = Reflect.get(home, MARK);
  if (!isRecord(mark)) return undefined;
  const [version, os] = [text(mark["version"]), text(mark["os"])];
  return version === undefined || os === undefined ? undefined : { version, os };
}

/**
 * The home that the window of the desktop app is: a browser whose app can do more. The page calls nothing of the app; it
 * goes to addresses that the app knows.
 */
export function desktopPlatform({ version, os }: Mark, go: (url: string) => void): Platform {
  const desktop: DesktopApp = {
    version,
    signIn: () => go(`${ACTIONS}sign-in`),
    openSettings: () => go(`${ACTIONS}settings`),
  };
  return { ...browserPlatform(), deviceName: () => `Desktop app on ${os}`, deviceKey: noDeviceKey(), desktop };
}

/** The app signs its window in with the key in the vault; another one beside it would only be one more to lose. */
function noDeviceKey(): DeviceKeySlot {
  return {
    read: () => Promise.resolve(undefined),
    make: () => Promise.reject(new Error("The desktop app has a key of its own.")),
    forget: () => Promise.resolve(),
  };
}
