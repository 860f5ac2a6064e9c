import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { MemberPage } from "./member-page";

const KEY = {
  address: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
  kind: "wallet",
  name: "Ledger",
  created_at: "2026-01-01T00:00:00.000Z",
  last_used_at: null,
};
const ADA = {
  subject: "m_1",
  name: "Ada",
  role: "member",
  created_at: "2026-01-01T00:00:00.000Z",
  disabled_at: null,
  keys: [KEY],
  sessions: 2,
  allowed_actions: ["update", "disable", "delete", "add_key", "remove_key", "link"],
};

function open(member: Record<string, unknown> = {}) {
  const node = fakeNode({
    "GET /v1/members/m_1": { body: { ...ADA, ...member } },
    "PATCH /v1/members/m_1": { body: ADA },
    "DELETE /v1/members/m_1": { status: 204, body: undefined },
    [`DELETE /v1/members/m_1/keys/${KEY.address}`]: { status: 204, body: undefined },
    "POST /v1/members/m_1/keys": { status: 201, body: ADA },
  });
  renderPart(<MemberPage subject="m_1" />);
  return node;
}

describe("the page of a member", () => {
  it("changes the role", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Change role" }));
    const ask = screen.getByRole("alertdialog");
    await user.click(within(ask).getByRole("radio", { name: "Viewer" }));
    await user.click(within(ask).getByRole("button", { name: "Change role" }));
    expect(node.bodies("PATCH /v1/members/m_1")).toEqual([{ role: "viewer" }]);
  });

  it("asks before somebody is kept out, and says what that does", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Disable" }));
    const ask = screen.getByRole("alertdialog", { name: "Keep Ada out?" });
    expect(ask).toHaveTextContent(/sessions end at once/);
    expect(node.bodies("PATCH /v1/members/m_1")).toHaveLength(0);
    await user.click(within(ask).getByRole("button", { name: "Disable member" }));
    expect(node.bodies("PATCH /v1/members/m_1")).toEqual([{ disabled: true }]);
  });

  it("lets somebody in again at once", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open({ disabled_at: "2026-01-02T00:00:00.000Z", allowed_actions: ["enable"] });
    await screen.findByText("This member is kept out");
    await user.click(screen.getByRole("button", { name: "Enable" }));
    expect(node.bodies("PATCH /v1/members/m_1")).toEqual([{ disabled: false }]);
  });

  it("takes a key away", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Remove the key Ledger 0x5aae…eaed" }));
    await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Remove key" }));
    expect(node.bodies(`DELETE /v1/members/m_1/keys/${KEY.address}`)).toHaveLength(1);
  });

  it("offers only what the node allows, as with the owner", async () => {
    open({ role: "owner", name: "Owner", allowed_actions: ["update", "add_key", "link"] });
    await screen.findByRole("heading", { level: 1, name: "Owner" });
    for (const name of ["Disable", "Remove member", "Change role"]) {
      expect(screen.queryByRole("button", { name }), name).not.toBeInTheDocument();
    }
    expect(screen.getByRole("button", { name: "Make link" })).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: /Remove the key/ })).not.toBeInTheDocument();
  });

  it("goes away with its member", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Remove member" }));
    await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Remove member" }));
    await screen.findByRole("heading", { name: "Another page" });
    expect(node.bodies("DELETE /v1/members/m_1")).toHaveLength(1);
  });
});
