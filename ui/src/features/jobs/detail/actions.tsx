import { RotateCcw, Square } from "lucide-react";

import type { Job } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";

import { useJobAction } from "../actions";

/** What the node says may be done with this job now. */
export function Actions({ job }: { job: Job }) {
  const act = useJobAction(job.id);
  const problem = act.isError ? complaint(act.error) : undefined;
  return (
    <>
      {job.allowed_actions.includes("cancel") && (
        <Button tone="danger" busy={act.isPending || job.cancel_requested} onClick={() => act.mutate("cancel")}>
          <Square aria-hidden className="size-3.5" />
          Cancel job
        </Button>
      )}
      {job.allowed_actions.includes("requeue") && (
        <Button busy={act.isPending} onClick={() => act.mutate("requeue")}>
          <RotateCcw aria-hidden className="size-3.5" />
          Requeue job
        </Button>
      )}
      {problem !== undefined && (
        <p role="alert" className="w-full text-[13px] text-bad">
          {problem.title} {problem.hint}
        </p>
      )}
    </>
  );
}
