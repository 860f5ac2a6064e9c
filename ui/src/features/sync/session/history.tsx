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

interface HistoryProps {
  id: string;
  /** The session itself; `undefined` once the node has removed it. Its history stays longer. */
  state: SyncState | undefined;
  isLive: boolean;
}

/** What happened to a session, from its audit. */
export function History({ id, state, isLive }: HistoryProps) {
  const query = useInfiniteQuery({
    ...syncQueries.events(id),
    refetchInterval: ({ state: { data } }) => {
      const last = data?.pages.at(-1);
      const isBehind = last !== undefined && last.next_cursor === null && (last.items.at(-1)?.version ?? 0) < (state?.version ?? 0);
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
                <Entry key={event.sequence} event={event} who={whoOf(event, state, pages[0]?.items[0])} />
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

/** Whom an event is about. Names went with the session; who had which number stands in the event that it was made with. */
function whoOf({ participant_id: id }: SyncEvent, state: SyncState | undefined, first: SyncEvent | undefined): string | undefined {
  if (id === null) return undefined;
  const participant = state?.participants.find((one) => one.participant_id === id);
  if (state !== undefined && participant !== undefined) return nameOf(state.metadata, participant);
  const made = first?.event === "session_created" ? first.balances : [];
  const index = made.findIndex((one) => one.participant_id === id);
  return index < 0 ? `participant ${id.slice(0, 8)}` : nameOf(null, { participant_index: index });
}

function Entry({ event, who }: { event: SyncEvent; who: string | undefined }) {
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
