import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { DevicesPage } from "./page";

const MINE = {
  session_id: "ses_1",
  subject: "owner",
  device_name: "Firefox on Linux",
  address: null,
  created_at: "2026-01-01T00:00:00.000Z",
  last_used_at: "2026-01-02T00:00:00.000Z",
  current: true,
};
const ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const THEIRS = { ...MINE, session_id: "ses_2", subject: "m_1", device_name: "Safari on iPhone", address: ADDRESS, current: false };

function open(permissions: string[]) {
  const me = { subject: "owner", role: "owner", session_id: "ses_1", permissions } as const;
  vi.spyOn(session, "state").mockReturnValue(signedIn(me));
  const node = fakeNode({
    "GET /v1/auth/sessions": { body: { items: [MINE] } },
    "GET /v1/members": { body: { items: [{ subject: "m_1", name: "Ada" }], version: 1 } },
    "DELETE /v1/auth/sessions/ses_1": { status: 204, body: undefined },
    "DELETE /v1/auth/sessions/ses_2": { status: 204, body: undefined },
    [`DELETE /v1/members/m_1/keys/${ADDRESS}`]: { status: 204, body: undefined },
    "POST /v1/auth/sign-out-everywhere": { body: { ended_sessions: 1 } },
  });
  return node;
}

// One object for all renders, as the session itself keeps it.
function signedIn(me: { subject: string; role: "owner"; session_id: string; permissions: string[] }) {
  return { name: "signed_in", me } as const;
}

describe("the page of the devices", () => {
  it("names each session, and which one this is", async () => {
    open(["signed_in"]);
    renderPart(<DevicesPage />);
    const mine = await screen.findByRole("listitem", { name: "Firefox on Linux" });
    expect(mine).toHaveTextContent("This one");
    expect(screen.queryByRole("region", { name: "Sessions of other members" })).not.toBeInTheDocument();
  });

  it("ends one after asking", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open(["signed_in"]);
    renderPart(<DevicesPage />);
    await user.click(await screen.findByRole("button", { name: "End the session of Firefox on Linux" }));
    await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "End session" }));
    expect(node.bodies("DELETE /v1/auth/sessions/ses_1")).toHaveLength(1);
  });

  it("shows the owner everybody's, by name, and takes a lost device's key away with its session", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open(["signed_in", "members_write"]);
    node.answer("GET /v1/auth/sessions", { items: [MINE, THEIRS] });
    renderPart(<DevicesPage />);
    const others = await screen.findByRole("region", { name: "Sessions of other members" });
    expect(await within(others).findByRole("listitem")).toHaveTextContent(/Safari on iPhone.*Ada/);
    await user.click(within(others).getByRole("button", { name: "End the session of Safari on iPhone" }));
    const ask = screen.getByRole("alertdialog");
    await user.click(within(ask).getByRole("checkbox", { name: /Remove its key 0x5aAe…eAed too/ }));
    await user.click(within(ask).getByRole("button", { name: "End session and remove key" }));
    expect(node.bodies(`DELETE /v1/members/m_1/keys/${ADDRESS}`)).toHaveLength(1);
    expect(node.bodies("DELETE /v1/auth/sessions/ses_2")).toHaveLength(0);
  });

  it("signs out everywhere after asking", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open(["signed_in"]);
    renderPart(<DevicesPage />);
    await user.click(await screen.findByRole("button", { name: "Sign out everywhere" }));
    const ask = screen.getByRole("alertdialog", { name: "Sign out everywhere?" });
    expect(node.bodies("POST /v1/auth/sign-out-everywhere")).toHaveLength(0);
    await user.click(within(ask).getByRole("button", { name: "Sign out everywhere" }));
    expect(node.bodies("POST /v1/auth/sign-out-everywhere")).toEqual([{}]);
  });
});
