import { useQuery } from "@tanstack/react-query";

import type { QueueList } from "~/api/types";
import { useStream } from "~/features/app/stream-context";
import { useStreamState } from "~/features/live/live";

import { queueQueries } from "./queries";

/** How often rates and delays are fetched anew while they change. */
export const RATES_EVERY_MS = 3_000;

/**
 * The queues with their rates. Depths come with events, but a rate also falls while nothing happens: it is asked for
 * again as long as there is one and somebody looks. A node at rest is left alone.
 */
export function useQueues() {
  const live = useStreamState(useStream()).name === "live";
  return useQuery({
    ...queueQueries.list,
    refetchInterval: ({ state }) => (live && state.data !== undefined && isMoving(state.data) ? RATES_EVERY_MS : false),
    refetchIntervalInBackground: false,
  });
}

/** Whether a rate is above zero, so that it can fall without an event. */
export function isMoving({ items }: QueueList): boolean {
  return items.some((queue) => queue.enqueued_per_s + queue.finished_per_s + queue.failed_per_s > 0);
}
