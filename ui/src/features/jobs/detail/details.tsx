import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { Job } from "~/api/types";
import { paths } from "~/paths";
import { formatDuration } from "~/ui/duration";
import { Facts } from "~/ui/facts";
import { Section } from "~/ui/page";
import { Ago, At, Elapsed } from "~/ui/time";

/** The figures of a job. */
export function Details({ job }: { job: Job }) {
  return (
    <Section title="Details">
      <Facts items={facts(job)} />
    </Section>
  );
}

function facts(job: Job): (readonly [string, ReactNode])[] {
  const link = "underline decoration-line-strong underline-offset-2 hover:text-accent";
  const items: (readonly [string, ReactNode] | undefined)[] = [
    ["Enqueued", <Ago at={job.created_at} />],
    ["By", job.created_by],
    job.state === "scheduled" ? ["Runs", <Ago at={job.run_at} />] : undefined,
    job.claimed_at
      ? ["Waited", <Elapsed from={laterOf(job.created_at, job.run_at)} to={job.claimed_at} />]
      : undefined,
    job.claimed_at && (job.state === "leased" || job.finished_at)
      ? ["Ran", <Elapsed from={job.claimed_at} to={job.finished_at} />]
      : undefined,
    job.finished_at ? ["Ended", <At at={job.finished_at} />] : undefined,
    ["Attempt", `${job.attempt} of ${job.attempts_max}`],
    ["Time limit", `${formatDuration(job.timeout_ms)} an attempt`],
    job.expires_at ? ["Expires", <At at={job.expires_at} />] : undefined,
    [
      "Queue",
      <Link to={paths.jobs} search={{ queue: job.queue }} className={link}>
        {job.queue}
      </Link>,
    ],
    ["Priority", String(job.priority)],
    job.unique_key ? ["Unique key", <Code>{job.unique_key}</Code>] : undefined,
    job.concurrency_key ? ["Concurrency key", <Code>{job.concurrency_key}</Code>] : undefined,
    job.concurrency_key ? ["At once with it", String(job.concurrency_max ?? 1)] : undefined,
    job.batch_id
      ? [
          "Batch",
          <Link to={paths.batch} params={{ batchId: job.batch_id }} className={link}>
            <Code>{job.batch_id}</Code>
          </Link>,
        ]
      : undefined,
    job.tags.length > 0
      ? [
          "Tags",
          <span className="flex flex-wrap gap-1.5">
            {job.tags.map((tag) => (
              <Link key={tag} to={paths.jobs} search={{ tag }} className="rounded bg-hover px-1.5 hover:text-accent">
                {tag}
              </Link>
            ))}
          </span>,
        ]
      : undefined,
    ["Engine", <Code>{job.engine_id}</Code>],
    ["Trace", <Code>{job.trace_id}</Code>],
  ];
  return items.filter((item) => item !== undefined);
}

function Code({ children }: { children: string }) {
  return <code className="font-mono text-xs text-ink-soft">{children}</code>;
}

function laterOf(one: string, other: string): string {
  return Date.parse(one) > Date.parse(other) ? one : other;
}
