import { queryOptions } from "@tanstack/react-query";

import { listKinds } from "~/api/calls";

export const kindQueries = {
  list: queryOptions({
    queryKey: ["kinds"] as const,
    queryFn: ({ signal }) => listKinds(signal),
  }),
};
