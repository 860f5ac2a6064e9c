import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import type { ReactNode } from "react";

import type { Queue, QueueAction } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { useNow } from "~/ui/clock";
import { formatDuration } from "~/ui/duration";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { useQueueAction } from "./actions";
import { perMinute } from "./figures";
import { queueQueries } from "./queries";

const HEAD = "px-3 py-2 font-medium whitespace-nowrap";
const CELL = "px-3 py-2.5 align-top";

/** Queues as rows. On a phone the slower figures move below the name. */
export function QueueTable({ queues }: { queues: readonly Queue[] }) {
  return (
    <table className="w-full border-collapse text-[13px]">
      <caption className="sr-only">Queues</caption>
      <thead>
        <tr className="border-b border-line text-right text-xs text-ink-faint">
          <th scope="col" className={`${HEAD} pl-4 text-left`}>
            Queue
          </th>
          <th scope="col" className={HEAD}>
            Ready
          </th>
          <th scope="col" className={`${HEAD} hidden sm:table-cell`}>
            Running
          </th>
          <th scope="col" className={`${HEAD} hidden md:table-cell`}>
            Scheduled
          </th>
          <th scope="col" className={`${HEAD} hidden sm:table-cell`}>
            Oldest waits
          </th>
          <th scope="col" className={`${HEAD} hidden lg:table-cell`} title="From ready to claimed, in the last minute">
            Claim delay p50 · p95
          </th>
          <th scope="col" className={`${HEAD} hidden lg:table-cell`} title="Jobs that came in, attempts that ended well and that failed, in the last minute">
            In · done · failed a minute
          </th>
          <th scope="col" className={`${HEAD} pr-4`}>
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {queues.map((queue) => (
          <QueueRow key={queue.name} queue={queue} />
        ))}
      </tbody>
    </table>
  );
}

function QueueRow({ queue }: { queue: Queue }) {
  const act = useQueueAction(queue.name);
  const problem = act.isError ? complaint(act.error) : undefined;
  return (
    <tr className="border-b border-line last:border-0">
      <th scope="row" className={`${CELL} min-w-0 pl-4 text-left font-normal`}>
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <Link
            to={paths.jobs}
            search={{ queue: queue.name }}
            className="font-medium [overflow-wrap:anywhere] hover:text-accent"
          >
            {queue.name}
          </Link>
          {queue.paused && (
            <Pill tone="warn" icon={Pause}>
              Paused
            </Pill>
          )}
        </span>
        {queue.paused && (
          <p className="mt-0.5 text-xs text-ink-faint">
            {queue.paused_by ? `by ${queue.paused_by} ` : "since "}
            {queue.paused_at && <Ago at={queue.paused_at} />}
          </p>
        )}
        <p className="numeric mt-0.5 text-xs text-ink-faint lg:hidden">
          {narrowWords(queue)}
        </p>
        {problem !== undefined && (
          <p role="alert" className="mt-1 text-xs text-bad">
            {problem.title} {problem.hint}
          </p>
        )}
      </th>
      <Figure>{queue.queued.toLocaleString()}</Figure>
      <Figure className="hidden sm:table-cell">{queue.leased.toLocaleString()}</Figure>
      <Figure className="hidden md:table-cell">{queue.scheduled.toLocaleString()}</Figure>
      <Figure className="hidden sm:table-cell">
        <Age queue={queue} />
      </Figure>
      <Figure className="hidden lg:table-cell">{delays(queue)}</Figure>
      <Figure className="hidden lg:table-cell">{rates(queue)}</Figure>
      <td className={`${CELL} pr-4 text-right`}>
        {queue.allowed_actions.map((action) => (
          <ActionButton key={action} action={action} queue={queue.name} busy={act.isPending} onClick={() => act.mutate(action)} />
        ))}
      </td>
    </tr>
  );
}

/** Tells the age as it was fetched and counts on from there. */
function Age({ queue }: { queue: Queue }) {
  const { dataUpdatedAt } = useQuery({ ...queueQueries.list, enabled: false });
  const now = useNow();
  const age = queue.oldest_queued_age_ms;
  if (typeof age !== "number") return <span className="text-ink-faint">–</span>;
  return formatDuration(age + Math.max(0, now - dataUpdatedAt));
}

function Figure({ children, className = "" }: { children: ReactNode; className?: string }) {
  return <td className={`numeric text-right whitespace-nowrap ${CELL} ${className}`}>{children}</td>;
}

interface ActionButtonProps {
  action: QueueAction;
  queue: string;
  busy: boolean;
  onClick: () => void;
}

function ActionButton({ action, queue, busy, onClick }: ActionButtonProps) {
  switch (action) {
    case "pause":
      return (
        <Button aria-label={`Pause queue ${queue}`} busy={busy} onClick={onClick}>
          <Pause aria-hidden className="size-3.5" />
          Pause
        </Button>
      );
    case "resume":
      return (
        <Button aria-label={`Resume queue ${queue}`} busy={busy} onClick={onClick}>
          <Play aria-hidden className="size-3.5" />
          Resume
        </Button>
      );
  }
}

function delays({ claim_delay_p50_ms: p50, claim_delay_p95_ms: p95 }: Queue): string {
  if (typeof p50 !== "number" || typeof p95 !== "number") return "–";
  return `${formatDuration(p50)} · ${formatDuration(p95)}`;
}

function rates({ enqueued_per_s, finished_per_s, failed_per_s }: Queue): string {
  return `${perMinute(enqueued_per_s)} · ${perMinute(finished_per_s)} · ${perMinute(failed_per_s)}`;
}

/** What has no column of its own where the page is narrow. */
function narrowWords({ leased, claim_delay_p95_ms: p95, enqueued_per_s, finished_per_s }: Queue): string {
  const delay = typeof p95 === "number" ? [`waits ${formatDuration(p95)} (p95)`] : [];
  const rate = `${perMinute(enqueued_per_s)} in, ${perMinute(finished_per_s)} done a minute`;
  return [`${leased.toLocaleString()} running`, ...delay, rate].join(" · ");
}
