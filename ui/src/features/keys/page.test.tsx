import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { KeysPage } from "./page";

const IN_A_WEEK = new Date(Date.now() + 7 * 24 * 3_600_000 + 60_000).toISOString();
const KEYS = {
  items: [
    { set: "user", kid: "k2", created_at: "2026-01-02T00:00:00.000Z", retired_at: null, ends_at: IN_A_WEEK },
    { set: "user", kid: "k1", created_at: "2026-01-01T00:00:00.000Z", retired_at: "2026-01-02T00:00:00.000Z", ends_at: IN_A_WEEK },
    { set: "engine", kid: "e1", created_at: "2026-01-01T00:00:00.000Z", retired_at: null, ends_at: IN_A_WEEK },
  ],
  rotates_after_days: 30,
};

function open() {
  const node = fakeNode({
    "GET /v1/keys": { body: KEYS },
    "POST /v1/keys/rotate": { body: KEYS },
    "GET /v1/status": {
      body: { vault: "file", notices: [{ code: "VAULT_KEY_BESIDE", message: "the vault protects copies only", hint: "use a passphrase" }] },
    },
    "GET /v1/members/owner": {
      body: { subject: "owner", name: "Owner", keys: [{ address: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", name: "Node", kind: "wallet" }] },
    },
  });
  renderPart(<KeysPage />);
  return node;
}

describe("the page of the keys", () => {
  it("tells which key signs, which only verifies, and when that ends", async () => {
    open();
    const people = await screen.findByRole("region", { name: "People" });
    const rows = within(people).getAllByRole("row").slice(1);
    expect(rows[0]).toHaveTextContent(/k2.*Signs.*Is replaced in 7 d/);
    expect(rows[1]).toHaveTextContent(/k1.*Verifies.*Goes in 7 d/);
    expect(await screen.findByRole("region", { name: "Admin tokens" })).toHaveTextContent("None was needed so far");
  });

  it("rotates one set after asking, and ends what the old key signed only when that is chosen", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Rotate the keys of people" }));
    const ask = screen.getByRole("alertdialog", { name: "Rotate the keys of people?" });
    expect(node.bodies("POST /v1/keys/rotate")).toHaveLength(0);
    await user.click(within(ask).getByRole("button", { name: "Rotate now" }));
    expect(node.bodies("POST /v1/keys/rotate")).toEqual([{ set: "user", end_old: false }]);
    await user.click(await screen.findByRole("button", { name: "Rotate all" }));
    await user.click(screen.getByRole("radio", { name: /End the tokens of the old key at once/ }));
    await user.click(screen.getByRole("button", { name: "Rotate now" }));
    expect(node.bodies("POST /v1/keys/rotate")[1]).toEqual({ end_old: true });
  });

  it("tells where secrets are kept and how to do better, and the owner's address", async () => {
    open();
    const vault = await screen.findByRole("region", { name: "Vault" });
    await within(vault).findByText(/a file encrypted with a random key/);
    expect(vault).toHaveTextContent(/the vault protects copies only.*use a passphrase/);
    expect(await within(await screen.findByRole("region", { name: "Owner" })).findByText("0x5aae…eaed")).toBeInTheDocument();
  });

  it("says why a rotation failed, and stays", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    node.answer("POST /v1/keys/rotate", refusal("VAULT_LOCKED", "the vault is locked", { hint: "unlock the keychain" }), 503);
    await user.click(await screen.findByRole("button", { name: "Rotate all" }));
    await user.click(screen.getByRole("button", { name: "Rotate now" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(/vault is locked.*unlock the keychain/i);
  });
});
