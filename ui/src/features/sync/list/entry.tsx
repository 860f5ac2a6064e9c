import { Link } from "@tanstack/react-router";

import { paths } from "~/paths";
import { reckonSummary, totalOfSummary } from "~/sync/reckon";
import type { SyncSummary } from "~/sync/state";
import { Ago } from "~/ui/time";

import { nameOf, titleOf } from "../names";
import { StatusPill } from "../status-pill";
import { Ticking } from "../ticking";
import { MODES } from "../words";

/** One session of the list; all of its line leads to it. */
export function Entry({ session }: { session: SyncSummary }) {
  const { active_participant: active, metadata, participant_count: count } = session;
  return (
    <li className="relative flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-0 hover:bg-hover/50">
      <div className="min-w-0 flex-1 basis-56 space-y-0.5">
        <h2 className="text-[13px] font-medium [overflow-wrap:anywhere]">
          <Link to={paths.syncSession} params={{ sessionId: session.session_id }} className="after:absolute after:inset-0">
            {titleOf(session)}
          </Link>
        </h2>
        <p className="text-xs text-ink-faint">
          {MODES[session.sync_mode].title} · {count} {count === 1 ? "participant" : "participants"} · made <Ago at={session.created_at} />
        </p>
      </div>
      {active !== null && (
        <p className="min-w-0 basis-36 text-[13px] [overflow-wrap:anywhere]">
          <span className="text-xs text-ink-faint">Active: </span>
          {nameOf(metadata, active)}
        </p>
      )}
      <div className="flex items-center gap-4">
        <EntryClock session={session} />
        <StatusPill status={session.status} />
      </div>
    </li>
  );
}

function EntryClock({ session }: { session: SyncSummary }) {
  const { computed, sync_mode: mode, active_participant: active } = session;
  const runs = session.cycle_started_at !== null;
  const className = "numeric text-base font-semibold";
  if (mode === "count_up") {
    const read = (nowMs: number) => totalOfSummary(session, nowMs);
    return <Ticking label="Time" direction="up" runs={runs} read={read} className={className} />;
  }
  if (active === null || computed.active_remaining_ms === null) return null;
  const read = (nowMs: number) => reckonSummary(session, nowMs).remainingMs ?? 0;
  return <Ticking label="Time left" direction="down" runs={runs} read={read} className={className} />;
}
