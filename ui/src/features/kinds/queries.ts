import { queryOptions } from "@tanstack/react-query";

import { listKinds } from "~/api/calls";
import type { Kind } from "~/api/types";

export const kindQueries = {
  list: queryOptions({
    queryKey: ["kinds"] as const,
    queryFn: ({ signal }) => listKinds(signal),
  }),
};

/** Whether the node takes jobs of this kind from whoever asked. */
export function mayEnqueue({ allowed_actions: actions }: Kind): boolean {
  return actions.includes("enqueue");
}
