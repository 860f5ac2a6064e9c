import clsx from "clsx";

import { activeOf, reckon } from "~/sync/reckon";
import type { SyncState } from "~/sync/state";

import { nameOf } from "./names";
import { Ticking } from "./ticking";

/** The session's clock, as large as there is room, and whose time it is. */
export function BigClock({ state, className }: { state: SyncState; className?: string }) {
  const active = activeOf(state);
  const { label, direction, read } = faceOf(state);
  const runs = state.cycle_started_at !== null;
  return (
    <div className="text-center">
      <p className="min-h-7 text-lg font-medium [overflow-wrap:anywhere]">{active === undefined ? "" : nameOf(state.metadata, active)}</p>
      <Ticking
        label={label}
        direction={direction}
        runs={runs}
        read={read}
        className={clsx("numeric block leading-none font-semibold tracking-tight", !runs && "text-ink-soft", className)}
      />
      <p className="mt-2 text-[13px] text-ink-faint">{active?.has_expired === true ? `${label} — time is out` : label}</p>
    </div>
  );
}

type Face = { label: string; direction: "down" | "up"; read: (nowMs: number) => number };

/** What the clock shows: what is left while something runs down, else what has passed. */
function faceOf(state: SyncState): Face {
  if (state.sync_mode !== "count_up" && activeOf(state) !== undefined) {
    return { label: "Time left", direction: "down", read: (nowMs) => reckon(state, nowMs).remainingMs ?? 0 };
  }
  if (state.status === "pending") return beforeStart(state);
  return { label: "Time", direction: "up", read: (nowMs) => reckon(state, nowMs).totalMs };
}

/** What the clock will begin with. */
function beforeStart(state: SyncState): Face {
  const first = state.participants[0]?.total_time_ms ?? 0;
  const label = "Time to begin with";
  switch (state.sync_mode) {
    case "per_participant":
    case "per_group":
      return { label, direction: "down", read: () => first };
    case "per_cycle":
      return { label, direction: "down", read: () => state.time_per_cycle_ms ?? 0 };
    case "global":
      return { label, direction: "down", read: () => state.total_time_ms };
    case "count_up":
      return { label: "Time", direction: "up", read: () => 0 };
  }
}
