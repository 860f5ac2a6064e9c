import { queryOptions } from "@tanstack/react-query";

import { listLimits } from "~/api/calls";

export const limitQueries = {
  list: queryOptions({
    queryKey: ["limits"] as const,
    queryFn: ({ signal }) => listLimits(signal),
  }),
};
