import { queryOptions } from "@tanstack/react-query";

import { body, node } from "~/api/client";

export const statusQueries = {
  status: queryOptions({
    queryKey: ["status"] as const,
    queryFn: ({ signal }) => body(node.GET("/v1/status", { signal })),
  }),
};
