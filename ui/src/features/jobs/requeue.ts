import { useMutation, useQueryClient } from "@tanstack/react-query";

import { requeueJobs } from "~/api/calls";
import type { JobSummary, RequeueAnswer, RequeueRequest } from "~/api/types";
import { queueQueries } from "~/features/queues/queries";
import type { JobFilters } from "~/paths";

import { jobQueries } from "./queries";

/** Whether the node says that this job may be requeued. */
export function mayRequeue(job: JobSummary): boolean {
  return job.allowed_actions.includes("requeue");
}

/** Requeues many jobs with one call. */
export function useRequeueMany() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: RequeueRequest) => requeueJobs(request),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: jobQueries.lists }),
        queries.invalidateQueries({ queryKey: queueQueries.list.queryKey }),
      ]),
  });
}

/** Which jobs a person means: those that were chosen, or all that the filters of the list match. */
export type Meant = { what: "chosen"; ids: readonly string[] } | { what: "matching"; filters: JobFilters };

/** Puts together what to ask the node. */
export function requeueRequest(meant: Meant, options: { toQueue: string; errorCode: string }): RequeueRequest {
  const toQueue = options.toQueue.trim();
  const target = toQueue === "" ? {} : { to_queue: toQueue };
  if (meant.what === "chosen") return { ids: [...meant.ids], ...target };
  const { state, kind, queue, tag } = meant.filters;
  return {
    ...(state === undefined ? {} : { state }),
    ...(kind === undefined ? {} : { kind }),
    ...(queue === undefined ? {} : { queue }),
    ...(tag === undefined ? {} : { tag }),
    ...(options.errorCode === "" ? {} : { error_code: options.errorCode }),
    ...target,
  };
}

/** Says what came of it. */
export function outcomeWords({ requeued, skipped, more }: RequeueAnswer): string {
  const parts = [requeued === 1 ? "1 job was requeued" : `${requeued.toLocaleString()} jobs were requeued`];
  if (skipped > 0) {
    parts.push(`${skipped.toLocaleString()} stay as they are: their unique key or their place in the queue is taken, or somebody was faster`);
  }
  if (more) parts.push("there are more that match; ask again for them");
  return `${parts.join("; ")}.`;
}
