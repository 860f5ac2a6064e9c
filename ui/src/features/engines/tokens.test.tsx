import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { EnginesPage } from "./page";

const ENGINE = {
  id: "eng_2",
  name: "attic",
  location: "external",
  state: "up",
  workers: 1,
  busy: 0,
  shards: 1,
  shard_problems: [],
  token: { usable: true, changed_at: "2026-01-01T00:00:00.000Z", old_ends_at: null },
  allowed_actions: ["rotate_token", "revoke_token"],
  queued: 0,
  scheduled: 0,
  leased: 0,
};

function open() {
  const node = fakeNode({
    "GET /v1/engines": { body: { items: [{ ...ENGINE, id: "eng_1", name: "local", location: "local", token: null, allowed_actions: [] }, ENGINE] } },
    "GET /drain": { body: { on: false, stopping: false, running: 0, allowed_actions: [] } },
    "POST /v1/engines": { status: 201, body: { engine: { ...ENGINE, name: "barn" }, token: "fle_first" } },
    "POST /v1/engines/eng_2/token/rotate": { body: { engine_id: "eng_2", token: "fle_second", old_token_ends_at: "2026-01-02T00:00:00.000Z" } },
    "POST /v1/engines/eng_2/token/revoke": { status: 204, body: undefined },
  });
  renderPart(<EnginesPage />);
  return node;
}

describe("the token of an engine", () => {
  it("is shown once when the engine is added, until it is saved", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Add engine" }));
    const form = screen.getByRole("form", { name: "New engine" });
    await user.type(within(form).getByLabelText("Name"), "barn");
    await user.click(within(form).getByRole("button", { name: "Add engine" }));
    const shown = await screen.findByRole("alertdialog", { name: "The token of barn" });
    expect(node.bodies("POST /v1/engines")).toEqual([{ name: "barn" }]);
    expect(within(shown).getByRole("status", { name: "Token" })).toHaveTextContent("fle_first");
    await user.keyboard("{Escape}");
    expect(shown).toBeInTheDocument();
    // The dialog takes the pointer a moment after it is there.
    await waitFor(() => user.click(within(shown).getByRole("button", { name: "I have saved it" })));
    expect(screen.queryByText("fle_first")).not.toBeInTheDocument();
  });

  it("is rotated with the grace that is chosen", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Rotate token of attic" }));
    await user.click(screen.getByRole("radio", { name: "An hour" }));
    await user.click(screen.getByRole("button", { name: "Rotate token" }));
    expect(node.bodies("POST /v1/engines/eng_2/token/rotate")).toEqual([{ grace_seconds: 3600 }]);
    expect(await screen.findByRole("alertdialog", { name: "The token of attic" })).toHaveTextContent(/fle_second.*The token before works until/);
  });

  it("is revoked after asking", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Revoke token of attic" }));
    expect(node.bodies("POST /v1/engines/eng_2/token/revoke")).toHaveLength(0);
    await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Revoke token" }));
    expect(node.bodies("POST /v1/engines/eng_2/token/revoke")).toHaveLength(1);
  });

  it("of the local engine is the node's own affair", async () => {
    open();
    await screen.findByRole("region", { name: "attic" });
    expect(screen.queryByRole("button", { name: "Rotate token of local" })).not.toBeInTheDocument();
  });

  it("is not made where the name is taken, and the field says so", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    node.answer("POST /v1/engines", refusal("VALIDATION_ERROR", "not valid", { details: [{ field: "/name", message: "too long" }] }), 400);
    await user.click(await screen.findByRole("button", { name: "Add engine" }));
    const form = screen.getByRole("form", { name: "New engine" });
    await user.type(within(form).getByLabelText("Name"), "barn");
    await user.click(within(form).getByRole("button", { name: "Add engine" }));
    await screen.findByText("too long");
    expect(within(form).getByLabelText("Name")).toHaveAccessibleDescription("too long");
  });
});
