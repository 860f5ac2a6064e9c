import { queryOptions } from "@tanstack/react-query";

import { listSignIns } from "~/api/access";

const ALL = ["sign-ins"] as const;

export const deviceQueries = {
  all: ALL,

  /** The sessions of whoever asks, or of everybody. */
  list: (ofAll: boolean) =>
    queryOptions({
      queryKey: [...ALL, ofAll] as const,
      queryFn: ({ signal }) => listSignIns(ofAll, signal),
      // No event tells of a change, so what is there is fetched whenever a page shows it.
      staleTime: 0,
    }),
};
