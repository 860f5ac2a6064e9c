import { queryOptions } from "@tanstack/react-query";

import { getDrain } from "~/api/calls";

export const drainQueries = {
  state: queryOptions({
    queryKey: ["drain"] as const,
    queryFn: ({ signal }) => getDrain(signal),
  }),
};
