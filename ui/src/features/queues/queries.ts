import { queryOptions } from "@tanstack/react-query";

import { listQueues } from "~/api/calls";

export const queueQueries = {
  list: queryOptions({
    queryKey: ["queues"] as const,
    queryFn: ({ signal }) => listQueues(signal),
  }),
};
