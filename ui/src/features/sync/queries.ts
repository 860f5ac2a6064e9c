import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { ListSessions } from "~/api/sync-calls";
import { syncCalls } from "~/sync/window";

/** No event tells of switches, so a list with something that runs is asked for this often while somebody looks. */
const RUNNING_EVERY_MS = 5_000;
/** Guests are told of no events at all. */
const RESTING_EVERY_MS = 15_000;

function firstPage(): string | undefined {
  return undefined;
}

const all = ["sync"] as const;
const lists = [...all, "list"] as const;

export const syncQueries = {
  all,
  lists,
  list: (filters: ListSessions) =>
    queryOptions({
      queryKey: [...lists, filters] as const,
      queryFn: ({ signal }) => syncCalls.list(filters, signal),
      placeholderData: keepPreviousData,
      refetchInterval: ({ state }) => (state.data?.items.some(({ status }) => status === "running") === true ? RUNNING_EVERY_MS : RESTING_EVERY_MS),
    }),
  one: (id: string) =>
    queryOptions({
      queryKey: [...all, "one", id] as const,
      queryFn: ({ signal }) => syncCalls.get(id, signal),
    }),
  events: (id: string) =>
    infiniteQueryOptions({
      queryKey: [...all, "events", id] as const,
      queryFn: ({ pageParam, signal }) => syncCalls.events(id, pageParam, signal),
      initialPageParam: firstPage(),
      getNextPageParam: ({ next_cursor: next }) => next ?? undefined,
    }),
};
