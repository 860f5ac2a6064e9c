import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { eventApplier } from "~/features/live/apply-event";
import { SESSIONS_PAUSE_MS } from "~/features/live/refresher";
import type { SyncSummary } from "~/sync/state";
import { participant } from "~/sync/test-world";
import { fakeNode } from "~/test-node";

import { syncQueries } from "../queries";

const LIST = "GET /v1/sessions";
const HOUR_MS = 3_600_000;

const RUNNING: SyncSummary = {
  session_id: "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90",
  sync_mode: "per_participant",
  status: "running",
  version: 4,
  participant_count: 2,
  time_used_ms: 9_000,
  active_participant: participant({ participant_index: 1, is_active: true }),
  cycle_started_at: "2027-01-15T08:00:00.000Z",
  metadata: null,
  created_by: "owner",
  created_at: "2027-01-15T08:00:00.000Z",
  updated_at: "2027-01-15T08:00:00.000Z",
  allowed_actions: ["switch", "pause"],
  computed: { now_ms: 0, active_remaining_ms: 61_000, active_elapsed_ms: 3_000 },
};

/** Looks at the list, as the page does, for as long as the test goes on. */
async function look(isTold: boolean) {
  const node = fakeNode({ [LIST]: { body: { data: { items: [RUNNING], next_cursor: null } } } });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const observer = new QueryObserver(queries, syncQueries.list({}, isTold));
  stop = observer.subscribe(() => undefined);
  await vi.advanceTimersByTimeAsync(1);
  expect(observer.getCurrentResult().data?.items).toEqual([RUNNING]);
  return { apply: eventApplier(queries), asked: () => node.bodies(LIST).length };
}

let stop: (() => void) | undefined;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  stop?.();
  vi.useRealTimers();
});

describe("a list of live sessions that is looked at", () => {
  it("asks for nothing while the node tells of nothing, also when a session runs", async () => {
    const { asked } = await look(true);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(asked()).toBe(1);
  });

  it("is fetched anew when the node tells of sessions, and not once for each time it does", async () => {
    const { apply, asked } = await look(true);
    for (let count = 0; count < 100; count += 1) apply({ type: "sessions.changed" });
    await vi.advanceTimersByTimeAsync(1);
    expect(asked(), "at once").toBe(2);
    await vi.advanceTimersByTimeAsync(SESSIONS_PAUSE_MS);
    expect(asked(), "and for all that came meanwhile").toBe(3);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(asked(), "then it is quiet").toBe(3);
  });

  it("is asked for now and then by those who are told of nothing", async () => {
    const { asked } = await look(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(5);
  });
});
