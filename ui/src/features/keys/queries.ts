import { queryOptions } from "@tanstack/react-query";

import { listKeys } from "~/api/access";

export const keyQueries = {
  list: queryOptions({
    queryKey: ["keys"] as const,
    queryFn: ({ signal }) => listKeys(signal),
    // No event tells of a change, so what is there is fetched whenever a page shows it.
    staleTime: 0,
  }),
};
