import { Link } from "@tanstack/react-router";

import type { Queue } from "~/api/types";
import { paths } from "~/paths";
import { formatDuration } from "~/ui/duration";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";

import { AllLink } from "./all-link";

/** Queues that fit; the page of the queues has the others. */
const SHOWN = 6;

/** The deepest queues. */
export function QueuesSection({ queues }: { queues: readonly Queue[] | undefined }) {
  const deepest = queues?.toSorted((left, right) => right.queued - left.queued || left.name.localeCompare(right.name));
  return (
    <Section title="Queues" flush aside={<AllLink to={paths.queues} title="All queues" />}>
      <ul>
        {deepest?.slice(0, SHOWN).map((queue) => (
          <li
            key={queue.name}
            className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1 border-b border-line px-4 py-2.5 text-[13px] last:border-0"
          >
            <span className="flex min-w-0 items-center gap-2">
              <Link
                to={paths.jobs}
                search={{ queue: queue.name }}
                className="font-medium [overflow-wrap:anywhere] hover:text-accent"
              >
                {queue.name}
              </Link>
              {queue.paused && <Pill tone="warn">Paused</Pill>}
            </span>
            <span className="numeric text-ink-soft">{depthWords(queue)}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function depthWords({ queued, leased, oldest_queued_age_ms: age }: Queue): string {
  const oldest = typeof age === "number" ? `, oldest ${formatDuration(age)}` : "";
  return `${queued.toLocaleString()} ready${oldest} · ${leased.toLocaleString()} running`;
}
