import { useMutation, useQueryClient } from "@tanstack/react-query";

import { setDrain } from "~/api/calls";
import type { DrainRequest } from "~/api/types";
import { engineQueries } from "~/features/engines/queries";
import { statusQueries } from "~/features/status/queries";

import { drainQueries } from "./queries";

/** Starts or ends the drain of this node. */
export function useSetDrain() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: DrainRequest) => setDrain(request),
    onSuccess: (drain) => queries.setQueryData(drainQueries.state.queryKey, drain),
    // Engines and the status say it too; it may also be another state by now, which is why it was refused.
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: drainQueries.state.queryKey }),
        queries.invalidateQueries({ queryKey: statusQueries.status.queryKey }),
        queries.invalidateQueries({ queryKey: engineQueries.list.queryKey }),
      ]),
  });
}
