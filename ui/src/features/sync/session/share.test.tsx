import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { platform } from "~/platform";
import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";
import { syncState } from "~/sync/test-world";

import { isOfOneMachine } from "./reach";
import { Share } from "./share";

const STATE = syncState();
const PATH = `/spectate/${STATE.session_id}`;

async function open({ at, publicUrl }: { at: string; publicUrl?: string }) {
  const permissions = ["signed_in", "status", "sessions_read"];
  vi.spyOn(session, "state").mockReturnValue({ name: "signed_in", me: { subject: "m_1", role: "member", session_id: "ses_1", permissions } });
  vi.spyOn(platform, "nodeUrl").mockReturnValue(at);
  // The client of the node was made for the page's own address, whatever is told about it here.
  fakeNode({ "GET /v1/status": { body: { version: "1", public_url: publicUrl ?? null } } });
  renderPart(<Share state={STATE} />);
  return (await screen.findByRole("status", { name: "Spectator link" })).textContent;
}

afterEach(() => {
  platform.desktop = undefined;
});

describe("the link that is shared", () => {
  it("begins with the address where others reach the node", async () => {
    expect(await open({ at: "http://127.0.0.1:7717", publicUrl: "https://node.example.com" })).toBe(`https://node.example.com${PATH}`);
    expect(screen.queryByText("This link works on this machine only")).not.toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Show as a code" }));
    expect(await screen.findByRole("img", { name: "The spectator link as a QR code" })).toBeInTheDocument();
  });

  it("is said to be of no use to others where it leads every device to itself, and has no code", async () => {
    expect(await open({ at: "http://127.0.0.1:7717" })).toBe(`http://127.0.0.1:7717${PATH}`);
    expect(screen.getByText("This link works on this machine only")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: /code/ })).not.toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "How to reach this node from elsewhere" }));
    expect(await screen.findByText(/public_hosts = /)).toBeInTheDocument();
  });

  it("is the address of the page where that is no machine's own", async () => {
    expect(await open({ at: "http://flowork.lan:7717" })).toBe(`http://flowork.lan:7717${PATH}`);
    expect(screen.getByRole("button", { name: "Show as a code" })).toBeInTheDocument();
  });

  it("opens in a tab of its own in a browser", async () => {
    await open({ at: "http://127.0.0.1:7717" });
    expect(screen.getByRole("link", { name: "Open spectator page" })).toHaveAttribute("target", "_blank");
  });

  it("opens in place in the app, which has no tabs", async () => {
    platform.desktop = { version: "1", signIn: vi.fn(), openSettings: vi.fn() };
    await open({ at: "http://127.0.0.1:7717" });
    expect(screen.getByRole("link", { name: "Open spectator page" })).not.toHaveAttribute("target");
  });
});

it("addresses of one machine are told from others", () => {
  for (const url of ["http://127.0.0.1:1", "http://127.9.9.9", "http://localhost:7717", "http://a.localhost", "http://[::1]:7717"]) {
    expect(isOfOneMachine(url), url).toBe(true);
  }
  for (const url of ["https://node.example.com", "http://192.168.1.5:7717", "http://127.example.com", "http://localhost.example.com", "http://[fd00::1]"]) {
    expect(isOfOneMachine(url), url).toBe(false);
  }
});
