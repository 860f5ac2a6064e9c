import { useInfiniteQuery } from "@tanstack/react-query";

import { Loaded } from "~/features/app/loaded";
import type { SyncEvent, SyncState } from "~/sync/state";
import { Button } from "~/ui/button";
import { Section } from "~/ui/page";
import { TimeOfDay } from "~/ui/time";

import { nameOf } from "../names";
import { syncQueries } from "../queries";
import { eventWords } from "../words";

/** Events are written off the hot path and asked for seldom: ten switches a second are not ten requests a second. */
const BEHIND_EVERY_MS = 3_000;

/** What happened to a session, from its audit. */
export function History({ state, isLive }: { state: SyncState; isLive: boolean }) {
  const query = useInfiniteQuery({
    ...syncQueries.events(state.session_id),
    refetchInterval: ({ state: { data } }) => {
      const last = data?.pages.at(-1);
      const isBehind = last !== undefined && last.next_cursor === null && (last.items.at(-1)?.version ?? 0) < state.version;
      return isLive && isBehind ? BEHIND_EVERY_MS : false;
    },
  });
  return (
    <Section title="History" flush>
      <Loaded query={query} what="the history">
        {({ pages }) => (
          <>
            <ol className="scroll-thin max-h-96 overflow-y-auto">
              {pages.flatMap(({ items }) => items).map((event) => (
                <Entry key={event.sequence} event={event} state={state} />
              ))}
            </ol>
            {query.hasNextPage && (
              <div className="border-t border-line p-3">
                <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  Show later events
                </Button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}

function Entry({ event, state }: { event: SyncEvent; state: SyncState }) {
  const participant = state.participants.find(({ participant_id: id }) => id === event.participant_id);
  const who = participant === undefined ? undefined : nameOf(state.metadata, participant);
  return (
    <li className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-0.5 border-b border-line px-4 py-2 text-[13px] last:border-0">
      <span className="min-w-0 [overflow-wrap:anywhere]">
        {eventWords(event.event, who)}
        {event.cycles > 1 && ` (${event.cycles.toLocaleString()} turns at once)`}
      </span>
      <span className="numeric text-xs text-ink-faint">
        by {event.actor ?? "the node"} · version {event.version.toLocaleString()} · <TimeOfDay at={event.at} />
      </span>
    </li>
  );
}
