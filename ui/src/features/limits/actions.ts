import { useMutation, useQueryClient } from "@tanstack/react-query";

import { removeLimit, setLimit } from "~/api/calls";
import type { SetLimitRequest } from "~/api/types";

import { limitQueries } from "./queries";

/** Sets the limit of a target, whether it has one already or not. */
export function useSetLimit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ target, request }: { target: string; request: SetLimitRequest }) => setLimit(target, request),
    onSettled: () => queries.invalidateQueries({ queryKey: limitQueries.list.queryKey }),
  });
}

/** Takes the limit of a target away. */
export function useRemoveLimit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (target: string) => removeLimit(target),
    onSettled: () => queries.invalidateQueries({ queryKey: limitQueries.list.queryKey }),
  });
}
