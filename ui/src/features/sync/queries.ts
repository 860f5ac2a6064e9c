import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { ListSessions } from "~/api/sync-calls";
import { syncCalls } from "~/sync/window";

/** Guests to whom sessions alone are open are told of no events, so their list is asked for this often while they look. */
const UNTOLD_EVERY_MS = 15_000;

/** What was known of one session is old as soon as its page is closed: it may be gone when it is opened again. */
const UNFOLLOWED_MS = 0;

function firstPage(): string | undefined {
  return undefined;
}

const all = ["sync"] as const;
const lists = [...all, "list"] as const;

export const syncQueries = {
  all,
  lists,
  /** A page of the list; whoever is told of events fetches it anew with each that is about it, and at no other time. */
  list: (filters: ListSessions, isTold: boolean) =>
    queryOptions({
      queryKey: [...lists, filters] as const,
      queryFn: ({ signal }) => syncCalls.list(filters, signal),
      placeholderData: keepPreviousData,
      refetchInterval: isTold ? false : UNTOLD_EVERY_MS,
    }),
  one: (id: string) =>
    queryOptions({
      queryKey: [...all, "one", id] as const,
      queryFn: ({ signal }) => syncCalls.get(id, signal),
      staleTime: UNFOLLOWED_MS,
    }),
  events: (id: string) =>
    infiniteQueryOptions({
      queryKey: [...all, "events", id] as const,
      queryFn: ({ pageParam, signal }) => syncCalls.events(id, pageParam, signal),
      initialPageParam: firstPage(),
      getNextPageParam: ({ next_cursor: next }) => next ?? undefined,
      staleTime: UNFOLLOWED_MS,
    }),
};
