import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { JobPage } from "./page";

const JOB = {
  id: "job_1",
  allowed_actions: ["cancel"],
  attempt: 0,
  attempts_max: 3,
  cancel_requested: false,
  created_at: "2026-01-01T00:00:00.000Z",
  created_by: "owner",
  engine_id: "eng_1",
  idempotency_key: "key",
  kind: "llm.chat",
  payload: { model: "small" },
  priority: 100,
  queue: "slow",
  run_at: "2026-01-01T00:00:00.000Z",
  state: "queued",
  tags: [],
  timeout_ms: 1,
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  unique_key: "invoice-7",
  concurrency_key: "tenant-7",
  concurrency_max: 2,
  batch_id: "bat_1",
  redriven_from: {
    state: "failed",
    queue: "default",
    attempts: 3,
    error: { code: "TIMEOUT", message: "took too long" },
    at: "2026-01-01T00:00:00.000Z",
    by: "ada",
    times: 2,
  },
};

describe("the page of a job", () => {
  it("shows its keys, its batch, and what it had come to before it was requeued", async () => {
    fakeNode({
      "GET /v1/jobs/job_1": { body: JOB },
      "GET /v1/jobs/job_1/attempts": { body: { items: [], next_cursor: null } },
      "GET /v1/jobs/job_1/logs": { body: { items: [], next_cursor: null } },
    });
    renderPart(<JobPage id="job_1" />);
    const details = await screen.findByRole("region", { name: "Details" });
    expect(within(details).getByText("invoice-7")).toBeInTheDocument();
    expect(within(details).getByText("tenant-7")).toBeInTheDocument();
    expect(within(details).getByRole("link", { name: "bat_1" })).toHaveAttribute("href", "/batches/bat_1");
    expect(screen.getByText(/Requeued 2 times, last by ada/)).toBeInTheDocument();
    expect(screen.getByText(/had failed after 3 attempts in the queue default: took too long/)).toBeInTheDocument();
  });
});
