import { queryOptions } from "@tanstack/react-query";

import { body, node } from "~/api/client";

export const engineQueries = {
  list: queryOptions({
    queryKey: ["engines"] as const,
    queryFn: ({ signal }) => body(node.GET("/v1/engines", { signal })),
  }),
};
