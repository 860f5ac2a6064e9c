import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import type { Autoscaler, AutoscaleDecision, AutoscaleWindow, FixedWorkers } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { perSecond } from "~/features/queues/figures";
import { type Column, DataTable } from "~/ui/data-table";
import { formatDuration } from "~/ui/duration";
import { Facts } from "~/ui/facts";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { Ago, TimeOfDay } from "~/ui/time";

import { engineQueries } from "./queries";

/** How many workers the local engine has, and why. */
export function AutoscalerSection() {
  const query = useQuery(engineQueries.autoscaler);
  return (
    <Section
      title="Autoscaler"
      aside={query.data !== undefined && <Pill tone={query.data.enabled ? "good" : "plain"}>{query.data.enabled ? "On" : "Fixed number"}</Pill>}
    >
      <Loaded query={query} what="the autoscaler">
        {(autoscaler) => <Shown autoscaler={autoscaler} />}
      </Loaded>
    </Section>
  );
}

function Shown({ autoscaler }: { autoscaler: Autoscaler }) {
  return (
    <div className="space-y-4">
      <p className="text-[13px] text-ink-soft first-letter:uppercase">{autoscaler.explanation}</p>
      <Facts items={facts(autoscaler)} />
      {autoscaler.enabled && <Decisions decisions={autoscaler.decisions} />}
      {autoscaler.windows.length > 0 && (
        <details className="text-[13px]">
          <summary className="w-fit rounded text-ink-faint hover:text-ink">The last windows of ten seconds</summary>
          <div className="mt-2 overflow-hidden rounded-lg border border-line">
            <DataTable
              caption="Windows"
              columns={COLUMNS}
              rows={autoscaler.windows.toReversed()}
              rowKey={({ started_at }) => started_at}
            />
          </div>
        </details>
      )}
    </div>
  );
}

function facts({ workers, workers_min: min, workers_max: max, fixed, ...aims }: Autoscaler): (readonly [string, ReactNode])[] {
  const { target_latency_ms: target, headroom_factor: headroom } = aims;
  return [
    ["Workers", fixed || min === max ? String(workers) : `${workers}, between ${min} and ${max}`],
    ...(fixed ? [["Fixed", <FixedWords fixed={fixed} />] as const] : []),
    ...(typeof target === "number" ? [["Aims at", `a claim delay of ${formatDuration(target)}`] as const] : []),
    ...(typeof headroom === "number" ? [["Headroom", `${headroom} × the last hour's peak`] as const] : []),
  ];
}

function FixedWords({ fixed: { workers, since, by } }: { fixed: FixedWorkers }) {
  return (
    <>
      At {workers}
      {by ? ` by ${by}` : ""}, <Ago at={since} />
    </>
  );
}

function Decisions({ decisions }: { decisions: readonly AutoscaleDecision[] }) {
  if (decisions.length === 0) {
    return (
      <p className="text-[13px] text-ink-faint">
        The number of workers has not changed since the node started. Each change appears here with its reason.
      </p>
    );
  }
  return (
    <ol aria-label="Changes" className="scroll-thin max-h-80 space-y-2.5 overflow-y-auto text-[13px]">
      {decisions.map((decision) => (
        <li key={`${decision.at} ${decision.to}`}>
          <p className="flex flex-wrap justify-between gap-x-3">
            <span className="numeric font-medium">
              {decision.from} → {decision.to} {decision.to === 1 ? "worker" : "workers"}
            </span>
            <span className="text-ink-faint">
              <Ago at={decision.at} />
            </span>
          </p>
          <p className="text-ink-soft first-letter:uppercase">{decision.explanation}</p>
        </li>
      ))}
    </ol>
  );
}

const WINDOW_S = 10;

const COLUMNS: readonly Column<AutoscaleWindow>[] = [
  { title: "Began", cell: ({ started_at }) => <TimeOfDay at={started_at} /> },
  { title: "Workers", numeric: true, cell: ({ workers }) => workers },
  { title: "Started /s", numeric: true, cell: ({ claimed }) => perSecond(claimed / WINDOW_S) },
  { title: "Ended /s", numeric: true, cell: ({ finished }) => perSecond(finished / WINDOW_S) },
  {
    title: "Claim delay p95",
    numeric: true,
    cell: ({ claim_delay_p95_ms: p95, stalled }) => (typeof p95 === "number" ? formatDuration(p95) : stalled ? "all busy" : "–"),
  },
  { title: "Busy", numeric: true, cell: ({ utilization }) => `${Math.round(utilization * 100)} %` },
];
