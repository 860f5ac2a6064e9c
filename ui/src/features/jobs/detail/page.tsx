import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { ApiError } from "~/api/error";
import type { Job, JobState, Redrive } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { Callout, Hint } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { JsonView } from "~/ui/json-view";
import { Page, Section } from "~/ui/page";
import { ProgressBar } from "~/ui/progress-bar";
import { Ago } from "~/ui/time";

import { jobQueries } from "../queries";
import { StateBadge } from "../state-badge";
import { Actions } from "./actions";
import { Attempts } from "./attempts";
import { Details } from "./details";
import { LogSection } from "./log";
import { Output } from "./output";
import { ResultSection } from "./result";

/** One job: where it is, what it says, what came of it. */
export function JobPage({ id }: { id: string }) {
  const query = useQuery(jobQueries.one(id));
  if (query.data !== undefined) return <Shown job={query.data} />;
  if (query.error instanceof ApiError && query.error.status === 404) return <Unknown id={id} />;
  return (
    <Page title="Job">
      <Loaded query={query} what="the job">
        {() => null}
      </Loaded>
    </Page>
  );
}

function Unknown({ id }: { id: string }) {
  return (
    <Page title="There is no such job">
      <p className="text-ink-soft [overflow-wrap:anywhere]">
        This node does not know <code className="font-mono">{id}</code>, or it is not yours to see.{" "}
        <Link to={paths.jobs} className="text-accent underline underline-offset-2">
          All jobs
        </Link>
      </p>
    </Page>
  );
}

function Shown({ job }: { job: Job }) {
  const { progress } = job;
  return (
    <Page
      title={job.kind}
      detail={
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <div role="status" aria-label="Job state">
            <StateBadge state={job.state} cancelRequested={job.cancel_requested} />
          </div>
          <span className="flex items-center font-mono text-xs text-ink-faint [overflow-wrap:anywhere]">
            {job.id}
            <CopyButton value={job.id} what="the job's id" />
          </span>
        </div>
      }
      actions={<Actions job={job} />}
    >
      {job.state === "completed" && <ResultSection kind={job.kind} result={job.result} className="mb-4" />}
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="min-w-0 space-y-4">
          {job.state === "leased" && (
            <div className="rounded-xl border border-line bg-panel p-4">
              <ProgressBar label="Progress" fraction={progress?.fraction ?? null} message={progress?.message} />
            </div>
          )}
          <Failure job={job} />
          {job.redriven_from && <Redriven from={job.redriven_from} queue={job.queue} />}
          {job.state === "leased" && typeof progress?.output === "string" && <Output text={progress.output} />}
          <LogSection job={job} />
          <Section title="Payload">
            <JsonView value={job.payload} what="the payload" />
          </Section>
        </div>
        <div className="min-w-0 space-y-4">
          <Details job={job} />
          <Attempts job={job} />
        </div>
      </div>
    </Page>
  );
}

/** What it had come to when somebody asked for it again. */
function Redriven({ from, queue }: { from: Redrive; queue: string }) {
  const times = from.times === 1 ? "Requeued" : `Requeued ${from.times} times`;
  return (
    <Callout
      tone="note"
      title={
        <>
          {times}, last by {from.by} <Ago at={from.at} />
        </>
      }
    >
      <p className="text-[13px]">
        Before that it {endWords(from.state)} after {from.attempts} {from.attempts === 1 ? "attempt" : "attempts"}
        {from.queue !== queue && ` in the queue ${from.queue}`}
        {from.error ? `: ${from.error.message}` : "."}
      </p>
    </Callout>
  );
}

function endWords(state: JobState): string {
  switch (state) {
    case "failed":
      return "had failed";
    case "expired":
      return "had expired";
    case "completed":
      return "had completed";
    case "cancelled":
      return "was cancelled";
    case "scheduled":
    case "queued":
    case "leased":
      return "was open";
  }
}

/** Why it failed, or why its last attempt did while there are more to come. */
function Failure({ job }: { job: Job }) {
  const { error } = job;
  if (!error || job.state === "completed") return null;
  const { tone, title } = failureWords(job, error.message);
  return (
    <Callout tone={tone} title={title}>
      {error.hint && <Hint>{error.hint}</Hint>}
      <p className="text-xs">
        <code className="font-mono">{error.code}</code>
      </p>
      {error.details && Object.keys(error.details).length > 0 && (
        <JsonView value={error.details} what="the details of the error" />
      )}
    </Callout>
  );
}

function failureWords(job: Job, message: string): { tone: "bad" | "warn" | "note"; title: string } {
  switch (job.state) {
    case "failed":
      return { tone: "bad", title: message };
    case "cancelled":
    case "expired":
    case "completed":
      return { tone: "note", title: message };
    case "scheduled":
    case "queued":
    case "leased":
      return { tone: "warn", title: `The last attempt failed: ${message}` };
  }
}
