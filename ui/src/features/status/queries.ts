import { queryOptions } from "@tanstack/react-query";

import { getStatus } from "~/api/calls";

export const statusQueries = {
  status: queryOptions({
    queryKey: ["status"] as const,
    queryFn: ({ signal }) => getStatus(signal),
  }),
};
