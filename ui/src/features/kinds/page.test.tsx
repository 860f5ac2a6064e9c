import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { KindsPage } from "./page";

const KIND = {
  name: "command.run",
  title: "Run a command",
  description: "Runs a program.",
  payload_schema: { type: "object" },
  timeout_ms: 60_000,
  engine_ids: ["eng_1"],
  roles: ["owner", "operator"],
  roles_decided: false,
  reaches_machine: true,
  allowed_actions: ["enqueue", "set_roles"],
};

function open(kind: Record<string, unknown> = {}) {
  const node = fakeNode({
    "GET /v1/kinds": { body: { items: [{ ...KIND, ...kind }], broken_modules: [] } },
    "PUT /v1/kinds/command.run/roles": { body: { kind: "command.run", roles: ["owner"], decided: true } },
  });
  renderPart(<KindsPage />);
  return node;
}

describe("the page of kinds", () => {
  it("explains itself to a guest to whom jobs are not open", async () => {
    const node = fakeNode({});
    node.answer("GET /v1/kinds", refusal("FORBIDDEN", "the role guest may not do this"), 403);
    renderPart(<KindsPage />);
    expect(await screen.findByRole("alert")).toHaveTextContent(/the role guest may not do this.*Ask the owner/i);
    expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
  });
});

describe("the rights of a kind", () => {
  it("are told, with why they are narrow", async () => {
    open();
    expect(await screen.findByText(/For owner, operator · reaches files or programs of the machine/)).toBeInTheDocument();
  });

  it("are changed by the owner, with a warning where members would reach the machine", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    await user.click(await screen.findByRole("button", { name: "Change who may use command.run" }));
    const dialog = screen.getByRole("dialog");
    expect(within(dialog).getByRole("checkbox", { name: "Operators" })).toBeChecked();
    expect(dialog).not.toHaveTextContent(/can reach what that user can/);
    await user.click(within(dialog).getByRole("checkbox", { name: "Members" }));
    expect(dialog).toHaveTextContent(/can reach what that user can/);
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    expect(node.bodies("PUT /v1/kinds/command.run/roles")).toEqual([{ roles: ["operator", "member"] }]);
  });

  it("go back to what the kind asks for", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open({ roles_decided: true });
    await user.click(await screen.findByRole("button", { name: "Change who may use command.run" }));
    await user.click(screen.getByRole("button", { name: "As the kind asks for" }));
    expect(node.bodies("PUT /v1/kinds/command.run/roles")).toEqual([{ roles: null }]);
  });

  it("decide what is offered", async () => {
    open({ allowed_actions: [] });
    await screen.findByText("command.run");
    expect(screen.queryByRole("link", { name: /Use command.run/ })).not.toBeInTheDocument();
    expect(screen.queryByRole("button", { name: /Change who may/ })).not.toBeInTheDocument();
  });
});
