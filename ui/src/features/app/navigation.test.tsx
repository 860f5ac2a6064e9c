import { cleanup, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { Me } from "~/api/types";
import { platform } from "~/platform";
import { renderPart } from "~/test-render";

import { Navigation } from "./navigation";

async function places(me: Partial<Me>): Promise<(string | null)[]> {
  const someone: Me = { subject: "m_1", role: "member", session_id: "ses_1", permissions: [], ...me };
  renderPart(<Navigation me={someone} />);
  await screen.findByRole("navigation", { name: "Main" });
  return screen.getAllByRole("link").map((link) => link.textContent);
}

afterEach(() => {
  platform.desktop = undefined;
});

describe("the navigation", () => {
  it("leads to the settings of the app in the window of the app, and in no browser", async () => {
    await places({ permissions: ["status"] });
    expect(screen.queryByRole("button", { name: "App settings" })).not.toBeInTheDocument();
    cleanup();
    const openSettings = vi.fn();
    platform.desktop = { version: "1", signIn: vi.fn(), openSettings };
    await places({ permissions: ["status"] });
    await userEvent.click(screen.getByRole("button", { name: "App settings" }));
    expect(openSettings).toHaveBeenCalledOnce();
  });

  it("offers the owner every place", async () => {
    const permissions = ["signed_in", "status", "read", "sessions_read", "members_write", "keys_rotate", "audit_read", "owner_only"];
    const offered = await places({ role: "owner", permissions });
    expect(offered).toEqual(expect.arrayContaining(["Overview", "Jobs", "Live sessions", "Members", "Devices", "Keys", "Admin tokens", "Audit", "Status"]));
  });

  it("offers a viewer nothing that only the owner may do", async () => {
    const offered = await places({ role: "viewer", permissions: ["signed_in", "status", "read"] });
    expect(offered).toEqual(expect.arrayContaining(["Overview", "Jobs", "Devices", "Status"]));
    for (const hidden of ["Members", "Keys", "Admin tokens", "Audit"]) expect(offered).not.toContain(hidden);
  });

  it("offers a guest what is open, and no devices, which a guest has none of", async () => {
    const offered = await places({ role: "guest", session_id: null, permissions: ["signed_in", "status"] });
    expect(offered).toEqual(["Overview", "Status", "API reference"]);
  });

  it("offers kinds to a guest for whom jobs are open", async () => {
    const offered = await places({ role: "guest", session_id: null, permissions: ["signed_in", "status", "read"] });
    expect(offered).toContain("Kinds & modules");
  });

  it("offers live sessions to a guest for whom they are open", async () => {
    const offered = await places({ role: "guest", session_id: null, permissions: ["signed_in", "status", "sessions_read"] });
    expect(offered).toContain("Live sessions");
  });
});
