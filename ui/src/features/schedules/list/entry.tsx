import { Link } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import { useState } from "react";

import type { Schedule, ScheduleAction } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { paths } from "~/paths";
import { Button, buttonClass } from "~/ui/button";
import { Confirm } from "~/ui/dialog";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { useDeleteSchedule, useRunSchedule, useUpdateSchedule } from "../actions";
import { skippedWords, timesWords } from "../words";

const LINK = "underline decoration-line-strong underline-offset-2 hover:text-accent";

/** One schedule of the list: when next, what came of it last, what can be done. */
export function Entry({ schedule }: { schedule: Schedule }) {
  return (
    <li aria-label={schedule.name} className="border-b border-line px-4 py-3 last:border-0">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2">
        <div className="min-w-0 flex-1 basis-72 space-y-0.5 text-[13px]">
          <h3 className="flex flex-wrap items-center gap-x-2 gap-y-1 font-medium [overflow-wrap:anywhere]">
            {schedule.name}
            {!schedule.enabled && (
              <Pill tone="warn" icon={Pause}>
                Paused
              </Pill>
            )}
          </h3>
          <p className="text-ink-soft [overflow-wrap:anywhere]">
            <code className="font-mono">{schedule.job.kind}</code> · <span className="numeric">{timesWords(schedule)}</span>
          </p>
          <Next schedule={schedule} />
          <Last schedule={schedule} />
        </div>
        <Actions schedule={schedule} />
      </div>
    </li>
  );
}

function Next({ schedule }: { schedule: Schedule }) {
  const [next] = schedule.next_runs;
  if (!schedule.enabled) return <p className="text-xs text-ink-faint">It does not run until it is resumed.</p>;
  if (next === undefined) return <p className="text-xs text-warn">No further run comes.</p>;
  return (
    <p className="numeric text-xs text-ink-faint" title={schedule.next_runs.map(({ local }) => local).join("\n")}>
      Next <Ago at={next.at} />: {next.local}
    </p>
  );
}

function Last({ schedule }: { schedule: Schedule }) {
  const { last_fired_at: at, last_job_id: job, last_error: error, last_skipped: skipped } = schedule;
  return (
    <>
      {at && (
        <p className="text-xs text-ink-faint">
          Last run <Ago at={at} />
          {job && (
            <>
              {": "}
              <Link to={paths.job} params={{ jobId: job }} aria-label={`its job, of ${schedule.name}`} className={LINK}>
                its job
              </Link>
            </>
          )}
        </p>
      )}
      {error && (
        <p className="text-xs text-bad [overflow-wrap:anywhere]">
          The run due <Ago at={error.due_at} /> was refused: {error.message} {error.retrying && "It is tried again."}
        </p>
      )}
      {skipped && (
        <p className="text-xs text-warn">
          {skippedWords(skipped)}, the last one due <Ago at={skipped.due_at} />
        </p>
      )}
    </>
  );
}

function Actions({ schedule }: { schedule: Schedule }) {
  const update = useUpdateSchedule(schedule.id);
  const run = useRunSchedule(schedule.id);
  const [removing, setRemoving] = useState(false);
  const failed = update.error ?? run.error;
  const problem = failed === null ? undefined : complaint(failed);

  function control(action: ScheduleAction) {
    switch (action) {
      case "run":
        return (
          <Button aria-label={`Run now: ${schedule.name}`} busy={run.isPending} onClick={() => run.mutate()}>
            <Play aria-hidden className="size-3.5" />
            Run now
          </Button>
        );
      case "pause":
        return (
          <Button
            aria-label={`Pause: ${schedule.name}`}
            busy={update.isPending}
            onClick={() => update.mutate({ enabled: false })}
          >
            Pause
          </Button>
        );
      case "resume":
        return (
          <Button
            aria-label={`Resume: ${schedule.name}`}
            busy={update.isPending}
            onClick={() => update.mutate({ enabled: true })}
          >
            Resume
          </Button>
        );
      case "update":
        return (
          <Link
            to={paths.schedule}
            params={{ scheduleId: schedule.id }}
            aria-label={`Change: ${schedule.name}`}
            className={buttonClass("plain")}
          >
            Change
          </Link>
        );
      case "delete":
        return (
          <Button tone="danger" aria-label={`Delete: ${schedule.name}`} onClick={() => setRemoving(true)}>
            Delete
          </Button>
        );
    }
  }

  return (
    <div className="flex flex-wrap gap-2">
      {ORDER.filter((action) => schedule.allowed_actions.includes(action)).map((action) => (
        <span key={action}>{control(action)}</span>
      ))}
      {problem !== undefined && (
        <p role="alert" className="w-full text-xs text-bad">
          {problem.title} {problem.hint}
        </p>
      )}
      {run.data !== undefined && (
        <p role="status" className="w-full text-xs text-ink-soft">
          Enqueued{" "}
          <Link
            to={paths.job}
            params={{ jobId: run.data.id }}
            aria-label={`a job now, of ${schedule.name}`}
            className={LINK}
          >
            a job now
          </Link>
        </p>
      )}
      <Remove schedule={schedule} open={removing} onOpenChange={setRemoving} />
    </div>
  );
}

const ORDER: readonly ScheduleAction[] = ["run", "pause", "resume", "update", "delete"];

interface RemoveProps {
  schedule: Schedule;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

function Remove({ schedule, open, onOpenChange }: RemoveProps) {
  const remove = useDeleteSchedule(schedule.id);
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete ${schedule.name}?`}
      detail="It enqueues nothing any more. Jobs that it enqueued stay, and those that wait still run."
      confirm="Delete schedule"
      tone="danger"
      busy={remove.isPending}
      problem={remove.isError ? complaint(remove.error) : undefined}
      onConfirm={() => remove.mutate(undefined, { onSuccess: () => onOpenChange(false) })}
    />
  );
}
