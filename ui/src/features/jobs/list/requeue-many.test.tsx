import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { JobsPage } from "./page";

function job(id: string, more: Record<string, unknown> = {}) {
  return {
    id,
    allowed_actions: ["requeue"],
    attempt: 3,
    attempts_max: 3,
    cancel_requested: false,
    created_at: "2026-01-01T00:00:00.000Z",
    created_by: "owner",
    engine_id: "eng_1",
    error: { code: "TIMEOUT", message: "took too long" },
    kind: "llm.chat",
    priority: 100,
    queue: "default",
    run_at: "2026-01-01T00:00:00.000Z",
    state: "failed",
    tags: [],
    timeout_ms: 1,
    ...more,
  };
}

function open(items: unknown[], next: string | null = null) {
  const node = fakeNode({
    "GET /v1/jobs": { body: { items, next_cursor: next } },
    "GET /v1/engines": { body: { items: [] } },
    "GET /v1/kinds": { body: { items: [], broken_modules: [] } },
    "GET /v1/queues": { body: { items: [] } },
    "POST /v1/jobs/requeue": { body: { requeued: 1, skipped: 0, more: false } },
  });
  renderPart(<JobsPage filters={{ state: "failed", kind: "llm.chat" }} />);
  return node;
}

describe("requeuing from the list of failed jobs", () => {
  it("sends the jobs that were chosen, and only those the node allows can be", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([job("job_1"), job("job_2", { allowed_actions: [] }), job("job_3")]);
    const selected = await screen.findByRole("button", { name: "Requeue selected" });
    expect(selected).toBeDisabled();
    expect(screen.queryByRole("checkbox", { name: /job_2/ })).not.toBeInTheDocument();
    await user.click(screen.getByRole("checkbox", { name: "Select all jobs of this page" }));
    await user.click(screen.getByRole("checkbox", { name: /job_1/ }));
    await user.click(selected);
    await user.click(within(screen.getByRole("dialog", { name: "Requeue 1 job?" })).getByRole("button", { name: "Requeue jobs" }));
    expect(await screen.findByRole("status", { name: "Result of the requeue" })).toHaveTextContent("1 job was requeued.");
    expect(node.bodies("POST /v1/jobs/requeue")).toEqual([{ ids: ["job_3"] }]);
    expect(screen.getByRole("checkbox", { name: /job_3/ }), "what was done is no longer chosen").not.toBeChecked();
  });

  it("sends the filters for all that match, with another queue and one error only", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([job("job_1"), job("job_2", { error: { code: "PROVIDER_DOWN", message: "down" } })], "next");
    await user.click(await screen.findByRole("button", { name: "Requeue all matching…" }));
    const dialog = screen.getByRole("dialog", { name: "Requeue all matching jobs, 2 and more?" });
    await user.selectOptions(within(dialog).getByLabelText("Only with this error"), "PROVIDER_DOWN");
    await user.type(within(dialog).getByLabelText("Into queue"), "slow");
    await user.click(within(dialog).getByRole("button", { name: "Requeue jobs" }));
    await screen.findByRole("status", { name: "Result of the requeue" });
    expect(node.bodies("POST /v1/jobs/requeue")).toEqual([
      { state: "failed", kind: "llm.chat", error_code: "PROVIDER_DOWN", to_queue: "slow" },
    ]);
  });

  it("stays open and says why when the node refuses", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([job("job_1")]);
    node.answer("POST /v1/jobs/requeue", refusal("DRAINING", "the node is draining", { hint: "end the drain" }), 503);
    await user.click(await screen.findByRole("button", { name: "Requeue all matching…" }));
    const dialog = screen.getByRole("dialog", { name: "Requeue the 1 matching job?" });
    await user.click(within(dialog).getByRole("button", { name: "Requeue jobs" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(/the node is draining.*end the drain/);
  });
});
