import type { Participant, SyncState } from "./state";

/** A clock that only runs when it is told to, and the timers that go by it. */
export function createWorld(startMs = 1_800_000_000_000) {
  let nowMs = startMs;
  let tasks: { atMs: number; task: () => void }[] = [];
  const settled = async () => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return {
    now: () => nowMs,
    after: (ms: number, task: () => void) => {
      const entry = { atMs: nowMs + ms, task };
      tasks.push(entry);
      return () => {
        tasks = tasks.filter((other) => other !== entry);
      };
    },
    waiting: () => tasks.length,
    settled,
    /** Lets time run, and everything that is due in it happen in its order. */
    async advance(ms: number) {
      const untilMs = nowMs + ms;
      await settled();
      for (;;) {
        const due = tasks.filter(({ atMs }) => atMs <= untilMs).toSorted((one, other) => one.atMs - other.atMs)[0];
        if (due === undefined) break;
        tasks = tasks.filter((entry) => entry !== due);
        nowMs = Math.max(nowMs, due.atMs);
        due.task();
        await settled();
      }
      nowMs = untilMs;
    },
  };
}

export function participant(change: Partial<Participant> = {}): Participant {
  return {
    participant_id: "p0",
    participant_index: 0,
    total_time_ms: 60_000,
    time_remaining_ms: 60_000,
    time_used_ms: 0,
    cycle_count: 0,
    is_active: false,
    has_expired: false,
    group_id: null,
    ...change,
  };
}

export function syncState(change: Partial<SyncState> = {}): SyncState {
  return {
    session_id: "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90",
    sync_mode: "per_participant",
    status: "pending",
    version: 1,
    participants: [participant(), participant({ participant_id: "p1", participant_index: 1 })],
    active_participant_id: null,
    total_time_ms: 120_000,
    time_per_cycle_ms: null,
    cycle_started_at: null,
    cycle_elapsed_ms: 0,
    session_started_at: null,
    session_completed_at: null,
    increment_ms: null,
    max_time_ms: null,
    action_on_timeout: "none",
    metadata: null,
    created_by: "owner",
    created_at: "2027-01-15T08:00:00.000Z",
    updated_at: "2027-01-15T08:00:00.000Z",
    allowed_actions: ["start", "complete", "cancel"],
    ...change,
  };
}
