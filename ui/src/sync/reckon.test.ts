import { describe, expect, it } from "vitest";

import { balanceOf, reckon, reckonSummary, totalOfSummary } from "./reckon";
import { SYNC_MODES, type SyncMode, type SyncState, type SyncSummary } from "./state";
import { participant, syncState } from "./test-world";

const START_MS = Date.parse("2027-01-15T08:00:00.000Z");
const at = (ms: number) => new Date(START_MS + ms).toISOString();

/** Two of one group and one of another, the first active since `START_MS`. */
function running(mode: SyncMode, change: Partial<SyncState> = {}): SyncState {
  return syncState({
    sync_mode: mode,
    status: "running",
    participants: [
      participant({ participant_id: "a", is_active: true, group_id: "g", total_time_ms: 50_000, time_used_ms: 10_000 }),
      participant({ participant_id: "b", group_id: "g", total_time_ms: 50_000, time_used_ms: 5_000 }),
      participant({ participant_id: "c", group_id: "h", total_time_ms: 60_000 }),
    ],
    active_participant_id: "a",
    total_time_ms: 120_000,
    time_per_cycle_ms: mode === "per_cycle" ? 30_000 : null,
    max_time_ms: mode === "count_up" ? 90_000 : null,
    cycle_started_at: at(0),
    cycle_elapsed_ms: 4_000,
    ...change,
  });
}

/** The same whatever machine runs it; printed with each failure. */
function chance(seed: number) {
  let value = seed;
  return (below: number) => {
    value = (value * 48_271) % 2_147_483_647;
    return value % below;
  };
}

function anything(seed: number): SyncState {
  const upTo = chance(seed);
  const mode = SYNC_MODES[upTo(SYNC_MODES.length)] ?? "global";
  const count = 1 + upTo(6);
  const active = upTo(count);
  const participants = Array.from({ length: count }, (_, index) =>
    participant({
      participant_id: `p${index}`,
      participant_index: index,
      is_active: index === active,
      group_id: `g${index % 2}`,
      total_time_ms: mode === "per_group" ? 40_000 + (index % 2) * 1_000 : upTo(90_000),
      time_used_ms: upTo(90_000),
    }),
  );
  return syncState({
    sync_mode: mode,
    status: "running",
    participants,
    active_participant_id: `p${active}`,
    total_time_ms: 1_000 + upTo(300_000),
    time_per_cycle_ms: mode === "per_cycle" ? 1_000 + upTo(60_000) : null,
    max_time_ms: mode === "count_up" && upTo(2) === 0 ? 1_000 + upTo(300_000) : null,
    cycle_started_at: at(0),
    cycle_elapsed_ms: upTo(20_000),
  });
}

describe("a clock that is computed", () => {
  it("counts down what its mode says", () => {
    for (const [mode, remainingMs] of [
      ["per_participant", 50_000 - 7_000],
      ["per_cycle", 30_000 - 4_000 - 7_000],
      ["per_group", 50_000 - 7_000],
      ["global", 120_000 - 15_000 - 7_000],
      ["count_up", 90_000 - 15_000 - 7_000],
    ] as const) {
      expect(reckon(running(mode), START_MS + 7_000), mode).toEqual({ remainingMs, cycleMs: 11_000, totalMs: 22_000 });
    }
  });

  it("charges the balances that its mode says, and nobody else's", () => {
    for (const [mode, lefts] of [
      ["per_participant", [43_000, 50_000, 60_000]],
      ["per_cycle", [43_000, 50_000, 60_000]],
      ["per_group", [43_000, 43_000, 60_000]],
      ["global", [null, null, null]],
      ["count_up", [null, null, null]],
    ] as const) {
      const state = running(mode);
      const balances = state.participants.map((one) => balanceOf(state, one, START_MS + 7_000));
      expect(balances.map(({ leftMs }) => leftMs), mode).toEqual(lefts);
      expect(balances.map(({ usedMs }) => usedMs), mode).toEqual([17_000, 5_000, 0]);
    }
  });

  it("has nothing to count down in a stopwatch without an end", () => {
    const state = running("count_up", { max_time_ms: null });
    expect(reckon(state, START_MS + 500_000)).toEqual({ remainingMs: null, cycleMs: 504_000, totalMs: 515_000 });
  });

  it("stops a stopwatch at its end, and lets used time go on where only a balance ran out", () => {
    expect(reckon(running("count_up"), START_MS + 500_000)).toEqual({ remainingMs: 0, cycleMs: 79_000, totalMs: 90_000 });
    expect(reckon(running("per_participant"), START_MS + 500_000)).toEqual({ remainingMs: 0, cycleMs: 504_000, totalMs: 515_000 });
  });

  it("stands still while paused, and with nobody active there is none", () => {
    for (const mode of SYNC_MODES) {
      const paused = running(mode, { status: "paused", cycle_started_at: null });
      expect(reckon(paused, START_MS + 99_000), mode).toEqual(reckon(paused, START_MS));
      expect(reckon(paused, START_MS), mode).toEqual(reckon(running(mode), START_MS));
      const ended = running(mode, { status: "completed", cycle_started_at: null, active_participant_id: null, cycle_elapsed_ms: 0 });
      expect(reckon(ended, START_MS), mode).toEqual({ remainingMs: null, cycleMs: null, totalMs: 15_000 });
    }
  });

  it("is never negative, never runs backwards and loses no millisecond, in any session at any instant", () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const state = anything(seed);
      const upTo = chance(seed + 10_000);
      // Some instants lie before the last change: clients' clocks are not the node's.
      let ms = -5_000;
      let before = reckon(state, START_MS + ms);
      for (let step = 0; step < 20; step += 1) {
        ms += upTo(20_000);
        const now = reckon(state, START_MS + ms);
        const balances = state.participants.map((one) => balanceOf(state, one, START_MS + ms));
        const why = `seed ${seed} (${state.sync_mode}) at ${ms} ms`;
        expect(now.remainingMs ?? 0, why).toBeGreaterThanOrEqual(0);
        expect(now.remainingMs ?? 0, why).toBeLessThanOrEqual(before.remainingMs ?? 0);
        expect(now.totalMs, why).toBeGreaterThanOrEqual(before.totalMs);
        expect(balances.reduce((sum, { usedMs }) => sum + usedMs, 0), why).toBe(now.totalMs);
        for (const { leftMs } of balances) expect(leftMs ?? 0, why).toBeGreaterThanOrEqual(0);
        if (before.remainingMs !== null && now.remainingMs !== null && now.remainingMs > 0) {
          expect(before.remainingMs - now.remainingMs, why).toBe(now.totalMs - before.totalMs);
        }
        before = now;
      }
    }
  });

  it("agrees between a list's entry and the session itself", () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const state = anything(seed);
      const askedMs = START_MS + 3_000;
      const then = reckon(state, askedMs);
      const { participants, active_participant_id, total_time_ms, time_per_cycle_ms, max_time_ms, ...rest } = state;
      const summary: SyncSummary = {
        ...rest,
        participant_count: participants.length,
        time_used_ms: participants.reduce((sum, { time_used_ms: usedMs }) => sum + usedMs, 0),
        active_participant: participants.find(({ participant_id }) => participant_id === active_participant_id) ?? null,
        computed: { now_ms: askedMs, active_remaining_ms: then.remainingMs, active_elapsed_ms: then.cycleMs },
      };
      const why = `seed ${seed}: ${state.sync_mode} of ${total_time_ms}, ${time_per_cycle_ms}, ${max_time_ms}`;
      const { remainingMs, cycleMs, totalMs } = reckon(state, START_MS + 45_000);
      expect(reckonSummary(summary, START_MS + 45_000), why).toEqual({ remainingMs, cycleMs });
      // Whoever ran out between two charges is charged by the node at once, so such a state lasts for milliseconds.
      const isUncharged = state.sync_mode === "count_up" && then.remainingMs === 0;
      if (!isUncharged) expect(totalOfSummary(summary, START_MS + 45_000), why).toBe(totalMs);
    }
  });
});
