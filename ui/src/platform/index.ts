import { browserPlatform } from "./browser";
import { desktopPlatform, findDesktop } from "./desktop";
import type { Platform } from "./platform";

export type { DesktopApp, DeviceKey, DeviceKeySlot, NewDeviceKey, Platform, SecretSlot } from "./platform";

/** The home this page runs in: the window of the desktop app shows the same build as a browser. */
export const platform: Platform = homeOf(findDesktop(window));

function homeOf(desktop: ReturnType<typeof findDesktop>): Platform {
  return desktop === undefined ? browserPlatform() : desktopPlatform(desktop, (url) => location.assign(url));
}
