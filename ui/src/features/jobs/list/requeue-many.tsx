import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useId, useState } from "react";

import type { JobSummary } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { queueQueries } from "~/features/queues/queries";
import type { JobFilters } from "~/paths";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Modal } from "~/ui/dialog";
import { describedBy, Field, Input, Select } from "~/ui/field";

import { type Meant, mayRequeue, outcomeWords, requeueRequest, useRequeueMany } from "../requeue";
import { stateLook } from "../state-badge";

interface RequeueManyProps {
  filters: JobFilters;
  /** What the list shows; where it goes on, there are more. */
  jobs: readonly JobSummary[];
  isWhole: boolean;
  chosen: ReadonlySet<string>;
  onDone: () => void;
}

/** Above a list of jobs of one state, where the node lets them be requeued: gives many of them another go. */
export function RequeueMany({ filters, jobs, isWhole, chosen, onDone }: RequeueManyProps) {
  const [meant, setMeant] = useState<Meant>();
  const [open, setOpen] = useState(false);
  const requeue = useRequeueMany();
  const ids = jobs.filter((job) => mayRequeue(job) && chosen.has(job.id)).map(({ id }) => id);

  function ask(next: Meant) {
    requeue.reset();
    setMeant(next);
    setOpen(true);
  }

  // What came of it stays to be read when nothing is left to requeue.
  if (!jobs.some(mayRequeue) && requeue.isIdle) return null;
  return (
    <div role="group" aria-label="Requeue" className="space-y-2 border-b border-line bg-sunken px-4 py-2">
      <div className="flex flex-wrap items-center gap-2">
        <p className="mr-auto text-[13px] text-ink-soft" aria-live="polite">
          {ids.length === 0 ? "Select jobs to give them another go." : `${ids.length} selected`}
        </p>
        <Button disabled={ids.length === 0} onClick={() => ask({ what: "chosen", ids })}>
          <RotateCcw aria-hidden className="size-3.5" />
          Requeue selected
        </Button>
        <Button disabled={jobs.length === 0} onClick={() => ask({ what: "matching", filters })}>
          Requeue all matching…
        </Button>
      </div>
      {requeue.data !== undefined && (
        <p role="status" aria-label="Result of the requeue" className="text-[13px]">
          {outcomeWords(requeue.data)}
        </p>
      )}
      {meant !== undefined && (
        <Modal open={open} onOpenChange={setOpen} title={question(meant, jobs, isWhole)} detail={explanation(meant)}>
          <Options
            meant={meant}
            jobs={jobs}
            busy={requeue.isPending}
            error={requeue.error}
            onSend={(options) =>
              requeue.mutate(requeueRequest(meant, options), {
                onSuccess: () => {
                  setOpen(false);
                  onDone();
                },
              })
            }
          />
        </Modal>
      )}
    </div>
  );
}

interface OptionsProps {
  meant: Meant;
  jobs: readonly JobSummary[];
  busy: boolean;
  error: unknown;
  onSend: (options: { toQueue: string; errorCode: string }) => void;
}

function Options({ meant, jobs, busy, error, onSend }: OptionsProps) {
  const id = useId();
  const queues = useQuery(queueQueries.list);
  const [toQueue, setToQueue] = useState("");
  const [errorCode, setErrorCode] = useState("");
  const codes = [...new Set(jobs.flatMap((job) => (job.error ? [job.error.code] : [])))].sort();
  return (
    <form
      aria-label="Requeue jobs"
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        onSend({ toQueue, errorCode });
      }}
    >
      {meant.what === "matching" && codes.length > 0 && (
        <Field id={`${id}-code`} label="Only with this error">
          <Select id={`${id}-code`} value={errorCode} onChange={(event) => setErrorCode(event.target.value)}>
            <option value="">Any error</option>
            {codes.map((code) => (
              <option key={code}>{code}</option>
            ))}
          </Select>
        </Field>
      )}
      <Field id={`${id}-queue`} label="Into queue" hint="Without one each goes back to the queue it was in.">
        <Input
          id={`${id}-queue`}
          list={`${id}-queues`}
          value={toQueue}
          placeholder="the queue it was in"
          onChange={(event) => setToQueue(event.target.value)}
          aria-describedby={describedBy(`${id}-queue`, { hint: true, errors: false })}
        />
        <datalist id={`${id}-queues`}>
          {queues.data?.items.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </Field>
      {error !== null && error !== undefined && <ErrorCallout problem={complaint(error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={busy}>
          Requeue jobs
        </Button>
      </div>
    </form>
  );
}

/** How many it is about, as far as this page knows. */
function question(meant: Meant, jobs: readonly JobSummary[], isWhole: boolean): string {
  if (meant.what === "chosen") return meant.ids.length === 1 ? "Requeue 1 job?" : `Requeue ${meant.ids.length} jobs?`;
  if (!isWhole) return `Requeue all matching jobs, ${jobs.length} and more?`;
  return jobs.length === 1 ? "Requeue the 1 matching job?" : `Requeue all ${jobs.length} matching jobs?`;
}

function explanation(meant: Meant): string {
  const again = "Each is queued again with all its attempts, and keeps its id and its history.";
  if (meant.what === "chosen") return again;
  const { state, kind, queue, tag } = meant.filters;
  const parts = [
    state === undefined ? undefined : `state ${stateLook(state).title}`,
    kind === undefined ? undefined : `kind ${kind}`,
    queue === undefined ? undefined : `queue ${queue}`,
    tag === undefined ? undefined : `tag ${tag}`,
  ].filter((part) => part !== undefined);
  return `All jobs with ${parts.join(", ")}, also those on other pages of the list. ${again}`;
}
