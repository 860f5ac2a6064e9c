import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { platform } from "~/platform";
import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { Banners } from "./banners";

const RECOVERY = { code: "RECOVERY_MODE", message: "this node was started to be looked at only", hint: "start it without `--recovery`" };

function open(notices: unknown[]) {
  fakeNode({
    "GET /v1/status": { body: { notices } },
    "GET /drain": { body: { on: true, stopping: false, running: 2, allowed_actions: [] } },
  });
  renderPart(<Banners />);
}

afterEach(() => {
  platform.desktop = undefined;
});

describe("the banner of a recovery", () => {
  it("says on every page what is off and what to do, beside that of a drain", async () => {
    open([{ code: "VAULT_FILE", message: "another notice" }, RECOVERY]);
    const banner = (await screen.findByText(RECOVERY.message)).closest<HTMLElement>("[role=alert]");
    if (banner === null) throw new Error("the banner is not read out");
    expect(within(banner).getByText("start it without", { exact: false })).toBeInTheDocument();
    expect(within(banner).queryByRole("button"), "a browser has no settings of an app").not.toBeInTheDocument();
    expect(await screen.findByText("The node is draining")).toBeInTheDocument();
    expect(screen.queryByText("another notice")).not.toBeInTheDocument();
  });

  it("leads to the settings in the window of the app", async () => {
    const openSettings = vi.fn();
    platform.desktop = { version: "1", signIn: vi.fn(), openSettings };
    open([RECOVERY]);
    await userEvent.click(await screen.findByRole("button", { name: "App settings" }));
    expect(openSettings).toHaveBeenCalledOnce();
  });

  it("is not there without one", async () => {
    open([]);
    await screen.findByText("The node is draining");
    expect(screen.getAllByRole("alert")).toHaveLength(1);
  });
});
