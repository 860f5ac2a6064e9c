import type { ReactNode } from "react";

import type { SyncState } from "~/sync/state";
import type { ClockReading } from "~/sync/node-clock";
import { CopyButton } from "~/ui/copy-button";
import { Facts } from "~/ui/facts";
import { formatDuration } from "~/ui/duration";
import { At } from "~/ui/time";

import { useClockReading } from "../followed";
import { TIMEOUTS } from "../words";

/** What the node calls as far apart as clients may be without anybody noticing. */
const DRIFT_TOLERANCE_MS = 50;

/** What a session was made with, and how far this machine's clock is from the node's. */
export function Details({ state }: { state: SyncState }) {
  const reading = useClockReading();
  const items: (readonly [string, ReactNode] | undefined)[] = [
    [
      "Id",
      <span key="id" className="inline-flex items-center gap-1">
        <code className="font-mono text-xs [overflow-wrap:anywhere]">{state.session_id}</code>
        <CopyButton value={state.session_id} what="the session's id" />
      </span>,
    ],
    ["Version", <span key="version" className="numeric">{state.version.toLocaleString()}</span>],
    ["When time is out", TIMEOUTS[state.action_on_timeout].title],
    state.increment_ms === null ? undefined : ["After each turn", `${formatDuration(state.increment_ms)} more`],
    state.time_per_cycle_ms === null ? undefined : ["Each turn", formatDuration(state.time_per_cycle_ms)],
    state.max_time_ms === null ? undefined : ["Stops at", formatDuration(state.max_time_ms)],
    ["Made by", state.created_by],
    ["Made", <At key="made" at={state.created_at} />],
    state.session_started_at === null ? undefined : ["Started", <At key="started" at={state.session_started_at} />],
    state.session_completed_at === null ? undefined : ["Ended", <At key="ended" at={state.session_completed_at} />],
    ["This clock", <span key="clock">{clockSentence(reading)}</span>],
  ];
  return <Facts items={items.filter((item) => item !== undefined)} />;
}

/** How this machine's clock stands to the node's, in words. */
export function clockSentence(reading: ClockReading | undefined): string {
  if (reading === undefined) return "Not compared with the node's yet";
  const offsetMs = Math.round(reading.offsetMs);
  const apart =
    offsetMs === 0
      ? "Equal to the node's"
      : `${formatDuration(Math.abs(offsetMs))} ${offsetMs > 0 ? "behind" : "ahead of"} the node's, and corrected`;
  const exact = `to ±${Math.max(1, Math.ceil(reading.roundTripMs / 2))} ms`;
  const drift = reading.driftMs === null ? "" : `; drifted ${Math.round(reading.driftMs)} ms since the last comparison`;
  const warning = reading.roundTripMs / 2 > DRIFT_TOLERANCE_MS ? ". The way to the node is slow: others may see another tenth" : "";
  return `${apart}, ${exact}${drift}${warning}`;
}
