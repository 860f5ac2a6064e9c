import { ApiError } from "~/api/error";
import { complaint } from "~/features/app/complaint";
import { activeOf, balanceOf } from "~/sync/reckon";
import type { SyncState } from "~/sync/state";
import { Button } from "~/ui/button";
import { Callout, ErrorCallout } from "~/ui/callout";

import { Announcement } from "../announcement";
import { BigClock } from "../big-clock";
import { useClockReading, useFollowed } from "../followed";
import { LinkState } from "../link-state";
import { nameOf, titleOf } from "../names";
import { StatusPill } from "../status-pill";
import { Ticking } from "../ticking";
import { Door } from "./door";
import { WayBack } from "./way-back";

/** More than these do not fit beside a clock; the session's own page shows all. */
const SHOWN_MAX = 12;

/** The clock on the whole screen. */
export function Screen({ id }: { id: string }) {
  const { state, link, query, retryNow } = useFollowed(id);
  useClockReading();
  if (link.name === "ended" && link.ending.name === "deleted") {
    return (
      <Door title="This session is over">
        <p className="text-ink-soft">It was deleted. There is nothing more to see here.</p>
      </Door>
    );
  }
  if (state === undefined) return <Nothing error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <main id="main" tabIndex={-1} className="flex min-h-dvh flex-col px-4 py-4 sm:px-8 sm:py-6">
      <title>{`${titleOf(state)} · Flowork`}</title>
      <header className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <WayBack id={id} />
          <h1 className="text-xl font-semibold [overflow-wrap:anywhere]">{titleOf(state)}</h1>
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <LinkState link={link} onRetry={retryNow} />
          <StatusPill status={state.status} />
        </div>
      </header>
      <section aria-label="Clock" className="flex flex-1 items-center justify-center py-6">
        <BigClock state={state} className="text-[min(20vw,42vh)]" />
      </section>
      <Announcement state={state} />
      <Others state={state} />
    </main>
  );
}

function Nothing({ error, onRetry }: { error: Error | null; onRetry: () => void }) {
  if (error === null) {
    return (
      <Door title="Opening the session…">
        <p className="animate-breathe text-ink-faint">The clock is on its way.</p>
      </Door>
    );
  }
  if (error instanceof ApiError && (error.status === 404 || error.status === 400)) {
    return (
      <Door title="There is no such session">
        <Callout tone="note" title="It may be over and removed, or it is not yours to see">
          <p>Members see the sessions that they made. Ask whoever sent you the link.</p>
        </Callout>
      </Door>
    );
  }
  const isClosed = error instanceof ApiError && error.status === 403;
  return (
    <Door title="You can't see this session">
      <ErrorCallout problem={isClosed ? { ...complaint(error), title: "Sync sessions are not open to you here" } : complaint(error)}>
        <Button onClick={onRetry}>Try again</Button>
      </ErrorCallout>
    </Door>
  );
}

function Others({ state }: { state: SyncState }) {
  const active = activeOf(state);
  if (state.participants.length < 2) return null;
  const more = state.participants.length - SHOWN_MAX;
  return (
    <ol aria-label="Participants" className="flex flex-wrap justify-center gap-2">
      {state.participants.slice(0, SHOWN_MAX).map((participant) => {
        const name = nameOf(state.metadata, participant);
        const hasBalance = balanceOf(state, participant, 0).leftMs !== null;
        const shares = state.sync_mode === "per_group" && active !== undefined && active.group_id === participant.group_id;
        const runs = state.cycle_started_at !== null && (participant.is_active || (hasBalance && shares));
        return (
          <li
            key={participant.participant_id}
            aria-current={participant.is_active || undefined}
            className="flex items-baseline gap-2 rounded-lg border border-line bg-panel px-3 py-2 text-[13px] aria-[current=true]:border-accent aria-[current=true]:bg-accent-soft"
          >
            <span className="max-w-40 truncate font-medium">{name}</span>
            <Ticking
              label={hasBalance ? `Left for ${name}` : `Used by ${name}`}
              direction={hasBalance ? "down" : "up"}
              runs={runs}
              read={(nowMs) => {
                const { leftMs, usedMs } = balanceOf(state, participant, nowMs);
                return leftMs ?? usedMs;
              }}
              className="numeric"
            />
            {participant.has_expired && <span className="text-bad">time is out</span>}
          </li>
        );
      })}
      {more > 0 && <li className="px-3 py-2 text-[13px] text-ink-faint">and {more.toLocaleString()} more</li>}
    </ol>
  );
}
