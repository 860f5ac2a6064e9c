import { queryOptions } from "@tanstack/react-query";

import { getBatch } from "~/api/calls";

export const batchQueries = {
  all: ["batches"] as const,

  one: (id: string) =>
    queryOptions({
      queryKey: ["batches", id] as const,
      queryFn: ({ signal }) => getBatch(id, signal),
    }),
};
