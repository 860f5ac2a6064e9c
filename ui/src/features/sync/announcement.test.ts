import { describe, expect, it } from "vitest";

import { participant, syncState } from "~/sync/test-world";

import { announcementOf } from "./announcement";

const START_MS = Date.parse("2027-01-15T08:00:00.000Z");

describe("what a screen reader is told of a session", () => {
  const running = syncState({
    status: "running",
    participants: [participant({ total_time_ms: 120_000, is_active: true }), participant({ participant_id: "p1", participant_index: 1 })],
    active_participant_id: "p0",
    cycle_started_at: "2027-01-15T08:00:00.000Z",
    metadata: { names: ["White", "Black"] },
  });

  it("changes with who is active and at two marks, and not with every tick", () => {
    const said = new Set<string>();
    for (let ms = 0; ms <= 130_000; ms += 100) said.add(announcementOf(running, START_MS + ms));
    expect([...said]).toEqual([
      "Running. White is active.",
      "Running. White is active. Less than a minute left.",
      "Running. White is active. Less than 10 seconds left.",
      "Running. White is active. No time left.",
    ]);
  });

  it("says that nothing runs", () => {
    expect(announcementOf(syncState(), START_MS)).toBe("Not started.");
    expect(announcementOf({ ...running, status: "paused", cycle_started_at: null }, START_MS)).toBe("Paused. White is active.");
  });
});
