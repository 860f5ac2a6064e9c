import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it, vi } from "vitest";

import { readEvent } from "~/api/events/envelope";
import { drainQueries } from "~/features/drain/queries";
import { nodeClock } from "~/sync/window";

import { eventApplier } from "./apply-event";

const JOB_CHANGED = { type: "job.changed", job_id: "job_1", kind: "noop", queue: "default", state: "queued", attempt: 0 };

/** The areas of the cache that an event makes old. */
function refreshedBy(sent: unknown, prepare: (queries: QueryClient) => void = () => undefined): string[] {
  const queries = new QueryClient();
  prepare(queries);
  const invalidate = vi.spyOn(queries, "invalidateQueries").mockResolvedValue();
  const event = readEvent(sent);
  if (event !== undefined) eventApplier(queries)(event);
  return [...new Set(invalidate.mock.calls.map(([filters]) => String(filters?.queryKey?.[0])))].sort();
}

describe("an event of the node", () => {
  it("makes old what it names and nothing else", () => {
    expect(refreshedBy({ type: "queues.changed" })).toEqual(["limits", "queues"]);
    expect(refreshedBy({ type: "schedules.changed" })).toEqual(["schedules"]);
    expect(refreshedBy({ type: "sessions.changed" })).toEqual(["sync"]);
    expect(refreshedBy({ type: "notices.changed" })).toEqual(["status"]);
    expect(refreshedBy({ type: "batch.finished", batch_id: "bat_1" })).toEqual(["batches"]);
    expect(refreshedBy({ type: "autoscaled", from: 1, to: 2 })).toEqual(["autoscaler", "engines"]);
    expect(refreshedBy({ type: "engines.changed" })).toEqual(["autoscaler", "drain", "engines", "status"]);
    expect(refreshedBy(JOB_CHANGED)).toEqual(["batches", "engines", "jobs", "limits", "queues"]);
    expect(refreshedBy({ type: "planets.aligned" }), "of a newer node").toEqual([]);
  });

  it("about a job belongs to the drain only while the node drains", () => {
    const draining = { on: true, stopping: false, running: 1, allowed_actions: [] };
    expect(refreshedBy(JOB_CHANGED, (queries) => queries.setQueryData(drainQueries.state.queryKey, draining))).toContain("drain");
  });

  it("that says to look anew, as after a sleep, has the clock of live sessions read again too", () => {
    const resync = vi.spyOn(nodeClock, "resync");
    refreshedBy({ type: "resync" });
    expect(resync).toHaveBeenCalledOnce();
  });
});
