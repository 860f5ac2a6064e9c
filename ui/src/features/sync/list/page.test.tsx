import { screen, within } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import type { SyncSummary } from "~/sync/state";
import { participant } from "~/sync/test-world";
import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { SyncListPage } from "./page";

const ENTRY: SyncSummary = {
  session_id: "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90",
  sync_mode: "per_participant",
  status: "paused",
  version: 4,
  participant_count: 2,
  time_used_ms: 9_000,
  active_participant: participant({ participant_index: 1, is_active: true }),
  cycle_started_at: null,
  metadata: { title: "Final", names: ["White", "Black"] },
  created_by: "owner",
  created_at: "2027-01-15T08:00:00.000Z",
  updated_at: "2027-01-15T08:00:00.000Z",
  allowed_actions: ["resume"],
  computed: { now_ms: 0, active_remaining_ms: 61_000, active_elapsed_ms: 3_000 },
};

function open(items: SyncSummary[], filters = {}) {
  fakeNode({ "GET /v1/sessions": { body: { data: { items, next_cursor: null } } } });
  renderPart(<SyncListPage filters={filters} />);
}

afterEach(() => void vi.useRealTimers());

describe("the list of live sessions", () => {
  it("tells of each its mode, status, who is active and the clock", async () => {
    open([ENTRY]);
    const entry = (await screen.findByRole("link", { name: "Final" })).closest("li");
    if (entry === null) throw new Error("the link is in no entry");
    for (const words of [/Time for each · 2 participants/, "Black", "Paused"]) expect(within(entry).getByText(words)).toBeInTheDocument();
    expect(within(entry).getByRole("timer", { name: "Time left" })).toHaveTextContent("1:01.0");
  });

  it("lets a clock run on from what the node computed", async () => {
    const startedAt = new Date(Date.now() - 5_000).toISOString();
    open([{ ...ENTRY, status: "running", cycle_started_at: startedAt, computed: { now_ms: Date.now(), active_remaining_ms: 61_000, active_elapsed_ms: 3_000 } }]);
    const clock = await screen.findByRole("timer", { name: "Time left" });
    await expect.poll(() => clock.textContent, { timeout: 20_000 }).not.toBe("1:01.0");
  });

  it("shows the whole time of a stopwatch, whoever took part in it", async () => {
    const stopped: SyncSummary = { ...ENTRY, sync_mode: "count_up", time_used_ms: 3_723_400, computed: { ...ENTRY.computed, active_remaining_ms: null } };
    open([stopped, { ...stopped, session_id: "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d91", status: "completed", active_participant: null }]);
    const clocks = await screen.findAllByRole("timer", { name: "Time" });
    expect(clocks.map((clock) => clock.textContent)).toEqual(["1:02:03.4", "1:02:03.4"]);
  });

  it("says what to do when there is none, and when none matches", async () => {
    open([]);
    await screen.findByText("No live sessions yet");
    expect(screen.getByRole("link", { name: "New live session" })).toBeInTheDocument();
  });

  it("is asked for again and again by guests only, who are told of no events", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    const askedIn = async (permissions: string[]) => {
      vi.spyOn(session, "state").mockReturnValue({ name: "signed_in", me: { subject: "m_1", role: "viewer", session_id: "ses_1", permissions } });
      const node = fakeNode({ "GET /v1/sessions": { body: { data: { items: [ENTRY], next_cursor: null } } } });
      const { unmount } = renderPart(<SyncListPage filters={{}} />);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(screen.getByRole("link", { name: "Final" })).toBeInTheDocument();
      unmount();
      return node.bodies("GET /v1/sessions").length;
    };
    expect(await askedIn(["sessions_read", "read"])).toBe(1);
    expect(await askedIn(["sessions_read"])).toBeGreaterThan(1);
  });

  it("names the status that nothing matches", async () => {
    open([], { status: "expired" });
    await screen.findByText(/No session is here with the status “Time ran out”/);
  });
});
