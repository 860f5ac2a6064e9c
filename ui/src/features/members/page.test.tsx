import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { MembersPage } from "./page";

const OWNER = {
  subject: "owner",
  name: "Owner",
  role: "owner",
  created_at: "2026-01-01T00:00:00.000Z",
  disabled_at: null,
  keys: [],
  sessions: 1,
  allowed_actions: ["update", "add_key", "remove_key", "link"],
};
const ADA = { ...OWNER, subject: "m_1", name: "Ada", role: "operator", sessions: 0, allowed_actions: ["update", "disable", "delete"] };
const ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

function open() {
  const node = fakeNode({
    "GET /v1/members": { body: { items: [OWNER], version: 1 } },
    "GET /v1/guests": { body: { enabled: true, open: [] } },
    "PUT /v1/guests": { body: { enabled: true, open: ["jobs"] } },
    "POST /v1/members": { status: 201, body: ADA },
    "POST /v1/members/m_1/keys": { status: 201, body: ADA },
    "DELETE /v1/members/m_1": { status: 204, body: undefined },
    "POST /v1/auth/links": { status: 201, body: { url: "http://node.test/#pair=abc", expires_at: "2100-01-01T00:00:00.000Z" } },
  });
  renderPart(<MembersPage />);
  return node;
}

async function fillIn(name: string, address?: string) {
  const user = userEvent.setup({ delay: null });
  await user.click(await screen.findByRole("button", { name: "Add member" }));
  const form = screen.getByRole("form", { name: "New member" });
  await user.type(within(form).getByLabelText("Name"), name);
  if (address !== undefined) await user.type(within(form).getByLabelText("Wallet address"), address);
  await user.click(within(form).getByRole("radio", { name: "Operator" }));
  await user.click(within(form).getByRole("button", { name: "Add member" }));
  return user;
}

describe("the page of the members", () => {
  it("adds a member with a wallet, who needs no link", async () => {
    const node = open();
    node.answer("POST /v1/members", ADA, 201);
    await fillIn("Ada", ADDRESS.toLowerCase());
    await screen.findByRole("listitem", { name: "Owner" });
    await waitFor(() => expect(screen.queryByRole("form", { name: "New member" })).not.toBeInTheDocument());
    expect(node.bodies("POST /v1/members")).toEqual([{ name: "Ada", role: "operator" }]);
    expect(node.bodies("POST /v1/members/m_1/keys")).toEqual([{ address: ADDRESS, kind: "wallet", name: "Wallet" }]);
    expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
  });

  it("offers a link for one without, shows it once, and keeps it until it is saved", async () => {
    const node = open();
    const user = await fillIn("Ada");
    const ask = await screen.findByRole("alertdialog", { name: "Make a link for Ada?" });
    expect(node.bodies("POST /v1/auth/links")).toHaveLength(0);
    await user.click(within(ask).getByRole("button", { name: "Make link" }));
    const shown = await screen.findByRole("alertdialog", { name: "A link for Ada" });
    expect(node.bodies("POST /v1/auth/links")).toEqual([{ subject: "m_1" }]);
    expect(within(shown).getByRole("status", { name: "Link" })).toHaveTextContent("http://node.test/#pair=abc");
    await within(shown).findByRole("img", { name: "The link for Ada as a QR code" });
    expect(shown).toHaveTextContent(/It works for another/);
    await user.keyboard("{Escape}");
    expect(shown).toBeInTheDocument();
    // The dialog takes the pointer a moment after it is there.
    await waitFor(() => user.click(within(shown).getByRole("button", { name: "I have saved it" })));
    expect(screen.queryByText(/pair=abc/)).not.toBeInTheDocument();
  });

  it("says at the field that an address is mistyped, before anything is sent", async () => {
    const node = open();
    await fillIn("Ada", ADDRESS.replace("5aAe", "5aae"));
    expect(screen.getByLabelText("Wallet address")).toHaveAccessibleDescription(/mistyped/);
    expect(node.bodies("POST /v1/members")).toHaveLength(0);
  });

  it("leaves no member behind whose wallet is somebody else's", async () => {
    const node = open();
    node.answer("POST /v1/members/m_1/keys", refusal("ADDRESS_TAKEN", "another member has this address"), 409);
    await fillIn("Ada", ADDRESS);
    expect(await screen.findByRole("alert")).toHaveTextContent("another member has this address");
    expect(node.bodies("DELETE /v1/members/m_1")).toHaveLength(1);
  });

  it("opens to guests what the owner chooses", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("checkbox", { name: "Open to guests: Jobs" }));
    expect(node.bodies("PUT /v1/guests")).toEqual([{ enabled: true, open: ["jobs"] }]);
  });

  it("explains itself to those who may not see it", async () => {
    const node = fakeNode({});
    node.answer("GET /v1/members", refusal("FORBIDDEN", "your role may not do this"), 403);
    node.answer("GET /v1/guests", refusal("FORBIDDEN", "your role may not do this"), 403);
    renderPart(<MembersPage />);
    const [alert] = await screen.findAllByRole("alert");
    expect(alert).toHaveTextContent(/your role may not do this.*Ask the owner/i);
    expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Add member" })).not.toBeInTheDocument();
  });
});
