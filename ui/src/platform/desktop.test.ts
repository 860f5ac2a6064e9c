import { describe, expect, it, vi } from "vitest";

import { desktopPlatform, findDesktop } from "./desktop";

describe("the window of the desktop app", () => {
  it("is told by what the app says about itself, and by nothing else", () => {
    expect(findDesktop({ __FLOWORK_DESKTOP__: Object.freeze({ version: "1.2.3", os: "Linux" }) })).toEqual({ version: "1.2.3", os: "Linux" });
    for (const home of [{}, { __FLOWORK_DESKTOP__: true }, { __FLOWORK_DESKTOP__: { version: 1 } }]) expect(findDesktop(home)).toBeUndefined();
  });

  it("names itself, and asks the app by addresses that lead nowhere", () => {
    const go = vi.fn();
    const platform = desktopPlatform({ version: "1.2.3", os: "Linux" }, go);
    const { desktop } = platform;
    expect(platform.deviceName()).toBe("Desktop app on Linux");
    desktop?.signIn();
    desktop?.openSettings();
    expect(go.mock.calls).toEqual([["https://action.flowork.invalid/sign-in"], ["https://action.flowork.invalid/settings"]]);
  });

  it("keeps no key: the app has one", async () => {
    const { deviceKey } = desktopPlatform({ version: "1.2.3", os: "Linux" }, vi.fn());
    expect(await deviceKey.read()).toBeUndefined();
    await expect(deviceKey.make()).rejects.toThrow();
  });
});
