import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { LimitsPage } from "./page";

const LIMIT = {
  target: "kind:llm.chat",
  concurrency: 4,
  rate: { count: 60, per_ms: 60_000 },
  running: 3,
  set_at: "2026-01-01T00:00:00.000Z",
  allowed_actions: ["set", "remove"],
};

function open(items: unknown[], allowed: string[] = ["set"]) {
  const node = fakeNode({
    "GET /v1/limits": { body: { items, allowed_actions: allowed } },
    "GET /v1/kinds": { body: { items: [], broken_modules: [] } },
    "GET /v1/queues": { body: { items: [] } },
    "PUT /v1/limits/kind:llm.chat": { body: LIMIT },
    "DELETE /v1/limits/kind:llm.chat": { status: 204, body: undefined },
  });
  renderPart(<LimitsPage />);
  return node;
}

describe("the page of the limits", () => {
  it("teaches what a limit is for, and sets the first one", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([]);
    await screen.findByText("No limits yet");
    await user.click(screen.getByRole("button", { name: "Add limit" }));
    const dialog = screen.getByRole("dialog", { name: "Add a limit" });
    await user.type(within(dialog).getByLabelText("Name"), "llm.chat");
    await user.type(within(dialog).getByLabelText("Starts"), "60");
    await user.click(within(dialog).getByRole("button", { name: "Set limit" }));
    await screen.findByRole("region", { name: "All limits" });
    expect(node.bodies("PUT /v1/limits/kind:llm.chat")).toEqual([{ rate: { count: 60, per_ms: 60_000 } }]);
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  });

  it("tells each limit in words, and changes it without touching its target", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([LIMIT]);
    await screen.findByText("at most 4 at once, at most 60 starts a minute");
    await user.click(screen.getByRole("button", { name: "Change the limit of kind:llm.chat" }));
    const dialog = screen.getByRole("dialog");
    expect(within(dialog).getByLabelText("Name")).toBeDisabled();
    await user.clear(within(dialog).getByLabelText("At once"));
    await user.type(within(dialog).getByLabelText("At once"), "2");
    await user.click(within(dialog).getByRole("button", { name: "Set limit" }));
    await screen.findByRole("button", { name: "Change the limit of kind:llm.chat" });
    expect(node.bodies("PUT /v1/limits/kind:llm.chat")).toEqual([{ concurrency: 2, rate: { count: 60, per_ms: 60_000 } }]);
  });

  it("says what is wrong at the field, also when only the node knows", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([LIMIT]);
    await user.click(await screen.findByRole("button", { name: "Change the limit of kind:llm.chat" }));
    const dialog = screen.getByRole("dialog");
    const details = [{ field: "/concurrency", message: "9 is not between 0 and 8" }];
    node.answer("PUT /v1/limits/kind:llm.chat", refusal("VALIDATION_ERROR", "not valid", { details }), 400);
    await user.click(within(dialog).getByRole("button", { name: "Set limit" }));
    await within(dialog).findByRole("alert");
    expect(within(dialog).getByLabelText("At once")).toHaveAccessibleDescription(/9 is not between 0 and 8/);
  });

  it("asks before it removes one, and shows why that did not work", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([LIMIT]);
    node.answer("DELETE /v1/limits/kind:llm.chat", refusal("STORAGE_FULL", "the disk is full", { hint: "make room" }), 507);
    await user.click(await screen.findByRole("button", { name: "Remove the limit of kind:llm.chat" }));
    const dialog = screen.getByRole("alertdialog", { name: "Remove this limit?" });
    expect(node.bodies("DELETE /v1/limits/kind:llm.chat")).toHaveLength(0);
    await user.click(within(dialog).getByRole("button", { name: "Remove limit" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(/the disk is full.*make room/);
    node.answer("DELETE /v1/limits/kind:llm.chat", undefined, 204);
    node.answer("GET /v1/limits", { items: [], allowed_actions: ["set"] });
    await user.click(within(dialog).getByRole("button", { name: "Remove limit" }));
    await screen.findByText("No limits yet");
  });

  it("offers nothing to those who may only look", async () => {
    open([{ ...LIMIT, allowed_actions: [] }], []);
    await screen.findByText("llm.chat");
    expect(screen.queryByRole("button")).not.toBeInTheDocument();
  });
});
