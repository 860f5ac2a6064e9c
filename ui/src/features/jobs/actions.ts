import { useMutation, useQueryClient } from "@tanstack/react-query";

import { cancelJob, enqueueJob, requeueJob } from "~/api/calls";
import { NodeUnreachable } from "~/api/error";
import type { EnqueueRequest, Job, JobAction } from "~/api/types";

import { jobQueries } from "./queries";

interface Enqueue {
  request: EnqueueRequest;
  /** The same for every try at the same job, so that the node takes it once. */
  idempotencyKey: string;
}

/** Enqueues a job. A node that gives no answer is asked again, which the key makes safe. */
export function useEnqueue() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ request, idempotencyKey }: Enqueue) => enqueueJob(request, idempotencyKey),
    retry: (failures, error) => error instanceof NodeUnreachable && failures < 2,
    retryDelay: (failures) => 1_000 * 2 ** failures,
    onSuccess: (job) => {
      queries.setQueryData(jobQueries.one(job.id).queryKey, job);
      return queries.invalidateQueries({ queryKey: jobQueries.lists, refetchType: "none" });
    },
  });
}

/** Does to a job what the node says may be done to it. */
export function useJobAction(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (action: JobAction): Promise<Job> => {
      switch (action) {
        case "cancel":
          return cancelJob(id);
        case "requeue":
          return requeueJob(id);
      }
    },
    onSuccess: (job) => {
      queries.setQueryData(jobQueries.one(id).queryKey, job);
      return queries.invalidateQueries({ queryKey: jobQueries.attempts(id).queryKey });
    },
    // Its state may be another one by now, which is why it was refused.
    onError: () => queries.invalidateQueries({ queryKey: jobQueries.one(id).queryKey }),
  });
}
