import { Link } from "@tanstack/react-router";
import clsx from "clsx";

import type { JobSummary } from "~/api/types";
import { paths } from "~/paths";
import { Checkbox } from "~/ui/checkbox";
import { Ago, Elapsed } from "~/ui/time";

import { mayRequeue } from "../requeue";
import { StateBadge } from "../state-badge";

const HEAD = "px-4 py-2 text-left font-medium whitespace-nowrap";

/** Which rows are chosen, and how to choose; without it the rows are only shown. */
export interface Selection {
  ids: ReadonlySet<string>;
  choose: (ids: readonly string[], chosen: boolean) => void;
}

/** Jobs as rows; on a phone only what tells them apart. */
export function JobTable({ jobs, selection }: { jobs: readonly JobSummary[]; selection?: Selection | undefined }) {
  return (
    <table className="w-full table-fixed border-collapse text-[13px]">
      <caption className="sr-only">Jobs, newest first</caption>
      <thead>
        <tr className="border-b border-line text-xs text-ink-faint">
          {selection !== undefined && (
            <th scope="col" className="w-11 pl-4 text-left">
              <ChooseAll jobs={jobs} selection={selection} />
            </th>
          )}
          <th scope="col" className={`${HEAD} w-32`}>
            State
          </th>
          <th scope="col" className={HEAD}>
            Kind
          </th>
          <th scope="col" className={`${HEAD} hidden w-28 md:table-cell`}>
            Queue
          </th>
          <th scope="col" className={`${HEAD} hidden w-20 lg:table-cell`}>
            Attempt
          </th>
          <th scope="col" className={`${HEAD} hidden w-24 sm:table-cell`}>
            Took
          </th>
          <th scope="col" className={`${HEAD} w-28`}>
            Enqueued
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} selection={selection} />
        ))}
      </tbody>
    </table>
  );
}

function ChooseAll({ jobs, selection }: { jobs: readonly JobSummary[]; selection: Selection }) {
  const ids = jobs.filter(mayRequeue).map(({ id }) => id);
  const chosen = ids.filter((id) => selection.ids.has(id)).length;
  return (
    <Checkbox
      label="Select all jobs of this page"
      checked={ids.length > 0 && chosen === ids.length}
      mixed={chosen > 0 && chosen < ids.length}
      disabled={ids.length === 0}
      onChange={(checked) => selection.choose(ids, checked)}
    />
  );
}

function JobRow({ job, selection }: { job: JobSummary; selection: Selection | undefined }) {
  return (
    <tr className="relative border-b border-line last:border-0 hover:bg-hover/60">
      {selection !== undefined && (
        <td className="py-2.5 pl-4 align-top">
          {mayRequeue(job) && (
            <Checkbox
              label={`Select ${job.kind}, job ${job.id}`}
              checked={selection.ids.has(job.id)}
              onChange={(checked) => selection.choose([job.id], checked)}
            />
          )}
        </td>
      )}
      <td className="px-4 py-2.5 align-top">
        <StateBadge state={job.state} cancelRequested={job.cancel_requested} />
      </td>
      <td className="px-4 py-2.5 align-top">
        <Link
          to={paths.job}
          params={{ jobId: job.id }}
          aria-label={`${job.kind}, job ${job.id}`}
          className="font-medium after:absolute after:inset-0"
        >
          <span className="[overflow-wrap:anywhere]">{job.kind}</span>
        </Link>
        <Note job={job} />
      </td>
      <td className="hidden truncate px-4 py-2.5 align-top text-ink-soft md:table-cell">{job.queue}</td>
      <td className="numeric hidden px-4 py-2.5 align-top text-ink-soft lg:table-cell">
        {job.attempt} of {job.attempts_max}
      </td>
      <td className="hidden px-4 py-2.5 align-top text-ink-soft sm:table-cell">
        <Took job={job} />
      </td>
      <td className="px-4 py-2.5 align-top text-ink-soft">
        <Ago at={job.created_at} />
      </td>
    </tr>
  );
}

/** One line of what is going on: how far, why not, or how to find it again. */
function Note({ job }: { job: JobSummary }) {
  const { progress, error, tags } = job;
  if (job.state === "leased" && progress) {
    const percent = typeof progress.fraction === "number" ? Math.round(progress.fraction * 100) : undefined;
    return (
      <div className="mt-1 flex items-center gap-2 text-xs text-ink-faint">
        {percent !== undefined && (
          <span aria-hidden className="h-1 w-16 shrink-0 overflow-hidden rounded-full bg-hover">
            <span className="block h-full bg-run transition-[width]" style={{ width: `${percent}%` }} />
          </span>
        )}
        <span className="numeric truncate">
          {[percent === undefined ? undefined : `${percent} %`, progress.message ?? undefined].filter(Boolean).join(" · ")}
        </span>
      </div>
    );
  }
  if (error && job.state !== "completed") {
    return (
      <p className={clsx("mt-0.5 truncate text-xs", job.state === "failed" ? "text-bad" : "text-ink-faint")} title={error.message}>
        {error.message}
      </p>
    );
  }
  if (tags.length === 0) return null;
  return (
    <p className="mt-1 flex flex-wrap gap-1">
      {tags.map((tag) => (
        <span key={tag} className="rounded bg-hover px-1.5 text-[11px] text-ink-faint">
          {tag}
        </span>
      ))}
    </p>
  );
}

function Took({ job }: { job: JobSummary }) {
  if (job.claimed_at === null || job.claimed_at === undefined) return <span className="text-ink-faint">–</span>;
  if (job.state === "leased") return <Elapsed from={job.claimed_at} to={undefined} />;
  if (job.finished_at === null || job.finished_at === undefined) return <span className="text-ink-faint">–</span>;
  return <Elapsed from={job.claimed_at} to={job.finished_at} />;
}
