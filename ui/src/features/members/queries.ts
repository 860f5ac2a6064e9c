import { queryOptions } from "@tanstack/react-query";

import { getGuests, getMember, listMembers } from "~/api/access";

/** What the keys of everything about members begin with. */
const ALL = ["members"] as const;

export const memberQueries = {
  all: ALL,

  list: queryOptions({
    queryKey: [...ALL, "list"] as const,
    queryFn: ({ signal }) => listMembers(signal),
    // No event tells of a change, so what is there is fetched whenever a page shows it.
    staleTime: 0,
  }),

  one: (subject: string) =>
    queryOptions({
      queryKey: [...ALL, "one", subject] as const,
      queryFn: ({ signal }) => getMember(subject, signal),
      staleTime: 0,
    }),

  guests: queryOptions({
    queryKey: ["guests"] as const,
    queryFn: ({ signal }) => getGuests(signal),
    staleTime: 0,
  }),
};
