import { browserPlatform } from "./browser";
import type { Platform } from "./platform";

export type { DeviceKey, DeviceKeySlot, NewDeviceKey, Platform, SecretSlot } from "./platform";

/** The home this page runs in. The desktop window shows the same build and is a browser as far as the GUI can see. */
export const platform: Platform = browserPlatform();
