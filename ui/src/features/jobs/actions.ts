import { useMutation, useQueryClient } from "@tanstack/react-query";

import { body, node } from "~/api/client";
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
    mutationFn: ({ request, idempotencyKey }: Enqueue) =>
      body(node.POST("/v1/jobs", { params: { header: { "Idempotency-Key": idempotencyKey } }, body: request })),
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
      const params = { path: { job_id: id } };
      switch (action) {
        case "cancel":
          return body(node.POST("/v1/jobs/{job_id}/cancel", { params }));
        case "requeue":
          return body(node.POST("/v1/jobs/{job_id}/requeue", { params }));
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
