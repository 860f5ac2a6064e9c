import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { QueuesPage } from "./page";

const MAIL = {
  name: "mail",
  paused: false,
  paused_at: null,
  paused_by: null,
  scheduled: 4,
  queued: 1_204,
  leased: 2,
  oldest_queued_age_ms: null,
  claim_delay_p50_ms: 120,
  claim_delay_p95_ms: 1_900,
  enqueued_per_s: 0,
  finished_per_s: 0,
  failed_per_s: 0,
  measured_with_others: false,
  allowed_actions: ["pause"],
};

const PAUSED = {
  ...MAIL,
  paused: true,
  paused_at: "2026-01-01T00:00:00.000Z",
  paused_by: "ada",
  allowed_actions: ["resume"],
};

const DRAIN = { on: false, stopping: false, since: null, by: null, reason: null, running: 0, allowed_actions: [] };

function open(items: unknown[]) {
  const node = fakeNode({
    "GET /v1/queues": { body: { items } },
    "GET /drain": { body: DRAIN },
    "POST /v1/queues/mail/pause": { body: PAUSED },
    "POST /v1/queues/mail/resume": { body: MAIL },
  });
  renderPart(<QueuesPage />);
  return node;
}

describe("the page of the queues", () => {
  it("pauses a queue, and then says who did and offers the way back", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([MAIL]);
    const row = await screen.findByRole("row", { name: /^mail/ });
    expect(row).toHaveTextContent((1_204).toLocaleString());
    node.answer("GET /v1/queues", { items: [PAUSED] });
    await user.click(within(row).getByRole("button", { name: "Pause queue mail" }));
    await within(row).findByText(/by ada/);
    expect(node.bodies("POST /v1/queues/mail/pause")).toHaveLength(1);
    node.answer("GET /v1/queues", { items: [MAIL] });
    await user.click(within(row).getByRole("button", { name: "Resume queue mail" }));
    await within(row).findByRole("button", { name: "Pause queue mail" });
    expect(within(row).queryByText("Paused")).not.toBeInTheDocument();
  });

  it("says in the row why a queue was not paused", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open([MAIL]);
    node.answer("POST /v1/queues/mail/pause", refusal("STORAGE_FULL", "the disk is full", { hint: "make room" }), 507);
    await user.click(await screen.findByRole("button", { name: "Pause queue mail" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(/the disk is full.*make room/);
  });

  it("leads to the first job where there is no queue yet", async () => {
    open([]);
    await screen.findByText("No queues yet");
    expect(screen.getByRole("link", { name: "Enqueue the first job" })).toBeInTheDocument();
  });
});
