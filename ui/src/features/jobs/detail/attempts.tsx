import { useQuery } from "@tanstack/react-query";

import type { Attempt, Job } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { Section } from "~/ui/page";
import { Ago, Elapsed } from "~/ui/time";

import { jobQueries } from "../queries";

/** Every run of the job and how it ended. */
export function Attempts({ job }: { job: Job }) {
  const query = useQuery(jobQueries.attempts(job.id));
  return (
    <Section title="Attempts">
      <Loaded query={query} what="attempts">
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-[13px] text-ink-faint">No worker has claimed it yet.</p>
          ) : (
            <ol className="space-y-3">
              {items.map((attempt) => (
                <Entry key={attempt.epoch} attempt={attempt} />
              ))}
            </ol>
          )
        }
      </Loaded>
    </Section>
  );
}

function Entry({ attempt }: { attempt: Attempt }) {
  return (
    <li className="text-[13px]">
      <p className="flex flex-wrap justify-between gap-x-3">
        <span>
          <span className="numeric text-ink-faint">{attempt.attempt}.</span> {outcome(attempt)}
        </span>
        <span className="text-ink-faint">
          <Elapsed from={attempt.started_at} to={attempt.finished_at} /> · <Ago at={attempt.started_at} />
        </span>
      </p>
      {attempt.error && <p className="mt-0.5 text-xs text-bad [overflow-wrap:anywhere]">{attempt.error.message}</p>}
    </li>
  );
}

function outcome({ outcome: name }: Attempt): string {
  switch (name) {
    case undefined:
    case null:
      return "Running";
    case "completed":
      return "Completed";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
    case "lease_expired":
      return "Worker lost";
    case "released":
      return "Given back";
  }
}
