import type { Participant, SyncState, SyncSummary } from "./state";

/**
 * What a session shows at an instant, computed from its last state. All of it is pure: the node sends nothing while
 * time runs, and whoever has the same state and the same instant gets the same figures.
 */
export interface Reckoning {
  /** What is left of what counts down; `null` if nobody is active or nothing counts down. */
  remainingMs: number | null;
  /** How long the open cycle has lasted, without pauses; `null` if nobody is active. */
  cycleMs: number | null;
  /** How long time has run in the whole session. */
  totalMs: number;
}

/** Computes the clock of a session at an instant of the node's clock. */
export function reckon(state: SyncState, nowMs: number): Reckoning {
  const active = activeOf(state);
  const usedMs = sumUsed(state);
  const runMs = chargeable(state, usedMs, runningMs(state.cycle_started_at, nowMs));
  const leftMs = active === undefined ? null : leftAtChange(state, active, usedMs);
  return {
    remainingMs: leftMs === null ? null : Math.max(0, leftMs - runMs),
    cycleMs: active === undefined ? null : state.cycle_elapsed_ms + runMs,
    totalMs: usedMs + runMs,
  };
}

/** What one participant has left and has used at an instant. */
export interface Balance {
  /** `null` in modes without a balance of one's own. */
  leftMs: number | null;
  usedMs: number;
}

/** Computes the balance of one participant at an instant of the node's clock. */
export function balanceOf(state: SyncState, participant: Participant, nowMs: number): Balance {
  const active = activeOf(state);
  const runMs = chargeable(state, sumUsed(state), runningMs(state.cycle_started_at, nowMs));
  const isActive = active !== undefined && active.participant_id === participant.participant_id;
  const usedMs = participant.time_used_ms + (isActive ? runMs : 0);
  const less = (isCharged: boolean) => Math.max(0, participant.total_time_ms - (isCharged ? runMs : 0));
  switch (state.sync_mode) {
    case "per_participant":
    case "per_cycle":
      return { leftMs: less(isActive), usedMs };
    case "per_group": {
      const shares = active !== undefined && active.group_id !== null && active.group_id === participant.group_id;
      return { leftMs: less(isActive || shares), usedMs };
    }
    case "global":
    case "count_up":
      return { leftMs: null, usedMs };
  }
}

/** The clock of an entry of a list, which has less to compute from. */
export function reckonSummary(summary: SyncSummary, nowMs: number): { remainingMs: number | null; cycleMs: number | null } {
  const { computed, cycle_started_at: startedAt, sync_mode: mode } = summary;
  let sinceMs = startedAt === null ? 0 : Math.max(0, nowMs - computed.now_ms);
  const leftMs = computed.active_remaining_ms;
  // A stopwatch stands still at its end; other clocks go on to count how long a cycle lasts.
  if (mode === "count_up" && leftMs !== null) sinceMs = Math.min(sinceMs, leftMs);
  return {
    remainingMs: leftMs === null ? null : Math.max(0, leftMs - sinceMs),
    cycleMs: computed.active_elapsed_ms === null ? null : computed.active_elapsed_ms + sinceMs,
  };
}

/** How long time has run in the whole session, from its entry in a list. */
export function totalOfSummary(summary: SyncSummary, nowMs: number): number {
  const { computed, cycle_started_at: startedAt, sync_mode: mode, time_used_ms: usedMs } = summary;
  const totalMs = usedMs + runningMs(startedAt, nowMs);
  const leftMs = computed.active_remaining_ms;
  if (mode !== "count_up" || leftMs === null) return totalMs;
  // A stopwatch at its end was charged for all it will ever be; before that, what was left then is where it stops.
  return leftMs === 0 ? usedMs : Math.min(totalMs, usedMs + runningMs(startedAt, computed.now_ms) + leftMs);
}

/** Whose time runs, or would if it were not paused. */
export function activeOf(state: SyncState): Participant | undefined {
  if (state.active_participant_id === null) return undefined;
  return state.participants.find(({ participant_id: id }) => id === state.active_participant_id);
}

/** What is not charged yet. A node's instant that lies ahead of `nowMs` counts as now: time never runs backwards. */
function runningMs(startedAt: string | null, nowMs: number): number {
  return startedAt === null ? 0 : Math.max(0, nowMs - Date.parse(startedAt));
}

/** A stopwatch charges nothing past its end. */
function chargeable(state: SyncState, usedMs: number, runMs: number): number {
  if (state.sync_mode !== "count_up" || state.max_time_ms === null) return runMs;
  return Math.min(runMs, Math.max(0, state.max_time_ms - usedMs));
}

function leftAtChange(state: SyncState, active: Participant, usedMs: number): number | null {
  switch (state.sync_mode) {
    case "per_participant":
    case "per_group":
      return active.total_time_ms;
    case "per_cycle":
      return state.time_per_cycle_ms === null ? null : Math.max(0, state.time_per_cycle_ms - state.cycle_elapsed_ms);
    case "global":
      return Math.max(0, state.total_time_ms - usedMs);
    case "count_up":
      return state.max_time_ms === null ? null : Math.max(0, state.max_time_ms - usedMs);
  }
}

function sumUsed(state: SyncState): number {
  return state.participants.reduce((sum, { time_used_ms: usedMs }) => sum + usedMs, 0);
}
