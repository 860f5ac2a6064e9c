import { screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { BatchPage } from "./page";

const BATCH = {
  id: "bat_1",
  created_by: "owner",
  created_at: "2026-01-01T00:00:00.000Z",
  jobs: 10,
  open: 4,
  completed: 3,
  failed: 2,
  cancelled: 1,
  expired: 0,
  finished_at: null,
  callback_job_id: null,
  callback_error: null,
};

function open(batch: Record<string, unknown>) {
  fakeNode({ "GET /v1/batches/bat_1": { body: { ...BATCH, ...batch } } });
  renderPart(<BatchPage id="bat_1" />);
}

describe("the page of a batch", () => {
  it("tells how many of its jobs have ended while some have not", async () => {
    open({});
    const progress = await screen.findByRole("progressbar", { name: "Jobs that have ended" });
    expect(progress).toHaveAttribute("aria-valuenow", "60");
    expect(screen.getByText("60 % · 6 of 10 have ended")).toBeInTheDocument();
  });

  it("leads to the job that came after the last one", async () => {
    open({ open: 0, completed: 7, finished_at: "2026-01-01T00:01:00.000Z", callback_job_id: "job_9" });
    expect(await screen.findByRole("link", { name: "job_9" })).toHaveAttribute("href", "/jobs/job_9");
    expect(screen.queryByRole("progressbar")).not.toBeInTheDocument();
  });

  it("says why that job could not be enqueued", async () => {
    open({ open: 0, finished_at: "2026-01-01T00:01:00.000Z", callback_error: "queue default is full" });
    await screen.findByText("queue default is full");
  });

  it("says so when there is no such batch", async () => {
    fakeNode({});
    renderPart(<BatchPage id="bat_2" />);
    await screen.findByRole("heading", { name: "There is no such batch" });
  });
});
