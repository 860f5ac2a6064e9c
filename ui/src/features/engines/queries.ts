import { queryOptions } from "@tanstack/react-query";

import { listEngines } from "~/api/calls";

export const engineQueries = {
  list: queryOptions({
    queryKey: ["engines"] as const,
    queryFn: ({ signal }) => listEngines(signal),
  }),
};
