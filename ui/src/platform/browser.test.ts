import { describe, expect, it } from "vitest";

import { browserPlatform } from "./browser";

describe("a pairing link", () => {
  it("loses its code to the page at once and keeps the rest of the address", () => {
    history.replaceState(null, "", "/jobs?state=failed#pair=abc%20def");
    expect(browserPlatform().takePairingCode()).toBe("abc def");
    expect(location.pathname + location.search + location.hash).toBe("/jobs?state=failed");
    expect(browserPlatform().takePairingCode(), "it is there once").toBeUndefined();
  });

  it("is no other fragment", () => {
    history.replaceState(null, "", "/api-docs#group-jobs");
    expect(browserPlatform().takePairingCode()).toBeUndefined();
    expect(location.hash).toBe("#group-jobs");
  });
});
