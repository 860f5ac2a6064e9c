import { queryOptions } from "@tanstack/react-query";

import { body, node } from "~/api/client";

export const kindQueries = {
  list: queryOptions({
    queryKey: ["kinds"] as const,
    queryFn: ({ signal }) => body(node.GET("/v1/kinds", { signal })),
  }),
};
