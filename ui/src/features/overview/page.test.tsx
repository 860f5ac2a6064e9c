import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { OverviewPage } from "./page";

const JOB = {
  id: "job_1",
  allowed_actions: [],
  attempt: 1,
  attempts_max: 3,
  cancel_requested: false,
  created_at: "2026-01-01T00:00:00.000Z",
  created_by: "owner",
  engine_id: "eng_1",
  kind: "sleep",
  priority: 100,
  queue: "mail",
  run_at: "2026-01-01T00:00:00.000Z",
  state: "queued",
  tags: [],
  timeout_ms: 1,
};

const QUEUE = {
  name: "mail",
  paused: true,
  scheduled: 0,
  queued: 1,
  leased: 0,
  oldest_queued_age_ms: 60_000,
  claim_delay_p95_ms: 900,
  enqueued_per_s: 2,
  finished_per_s: 1,
  failed_per_s: 0,
  measured_with_others: false,
  allowed_actions: [],
};

const ENGINE = {
  id: "eng_1",
  name: "local",
  location: "local",
  state: "draining",
  workers: 2,
  busy: 1,
  shards: 1,
  shard_problems: [],
  allowed_actions: [],
  queued: 1,
  scheduled: 0,
  leased: 1,
};

function open(jobs: unknown[]) {
  fakeNode({
    "GET /v1/jobs": { body: { items: jobs, next_cursor: null } },
    "GET /v1/queues": { body: { items: jobs.length === 0 ? [] : [QUEUE] } },
    "GET /v1/engines": { body: { items: [ENGINE] } },
    "GET /v1/kinds": { body: { items: [], broken_modules: [] } },
    "GET /v1/schedules": { body: { items: [], next_cursor: null } },
    "GET /v1/status": { body: { notices: [{ code: "VAULT_FILE", message: "the vault is a file", hint: "back it up" }] } },
  });
  renderPart(<OverviewPage />);
}

describe("the overview", () => {
  it("offers a first job to a person who has none", async () => {
    open([]);
    await screen.findByRole("region", { name: "First job" });
    expect(screen.getByRole("link", { name: "Watch a job sleep" })).toBeInTheDocument();
  });

  it("shows engines, queues, what goes through them and the last jobs, and what needs a person", async () => {
    open([JOB]);
    const attention = await screen.findByRole("region", { name: "Needs attention" });
    await within(attention).findByText("Queue mail is paused with 1 job waiting");
    await within(attention).findByText("the vault is a file");
    await within(screen.getByRole("region", { name: "Engines" })).findByText("Draining");
    expect(screen.getByRole("region", { name: "Engines" })).toHaveTextContent("1 of 2 workers busy");
    expect(screen.getByRole("region", { name: "Queues" })).toHaveTextContent("1 ready, oldest 1 min · 0 running");
    expect(screen.getByText("900 ms")).toBeInTheDocument();
    const recent = screen.getByRole("region", { name: "Recent jobs" });
    expect(within(recent).getByRole("link", { name: "sleep, job job_1" })).toBeInTheDocument();
  });
});
