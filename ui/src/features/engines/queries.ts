import { queryOptions } from "@tanstack/react-query";

import { getAutoscaler, listEngines } from "~/api/calls";

export const engineQueries = {
  list: queryOptions({
    queryKey: ["engines"] as const,
    queryFn: ({ signal }) => listEngines(signal),
  }),

  autoscaler: queryOptions({
    queryKey: ["autoscaler"] as const,
    queryFn: ({ signal }) => getAutoscaler(signal),
  }),
};
