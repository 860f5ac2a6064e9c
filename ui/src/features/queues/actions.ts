import { useMutation, useQueryClient } from "@tanstack/react-query";

import { pauseQueue, resumeQueue } from "~/api/calls";
import type { QueueAction } from "~/api/types";

import { queueQueries } from "./queries";

/** Does to a queue what the node says may be done to it. */
export function useQueueAction(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (action: QueueAction) => {
      switch (action) {
        case "pause":
          return pauseQueue(name);
        case "resume":
          return resumeQueue(name);
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: queueQueries.list.queryKey }),
  });
}
