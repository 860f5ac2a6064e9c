import { useQuery } from "@tanstack/react-query";

import { Loaded } from "~/features/app/loaded";
import { useMay } from "~/features/app/rights";
import { engineQueries } from "~/features/engines/queries";
import { FirstJob } from "~/features/jobs/list/first-job";
import { JobTable } from "~/features/jobs/list/job-table";
import { Totals } from "~/features/jobs/list/totals";
import { jobQueries } from "~/features/jobs/queries";
import { kindQueries } from "~/features/kinds/queries";
import { useQueues } from "~/features/queues/rates";
import { scheduleQueries } from "~/features/schedules/queries";
import { statusQueries } from "~/features/status/queries";
import { paths } from "~/paths";
import { Page, Section } from "~/ui/page";

import { AllLink } from "./all-link";
import { concerns, FAILED, type Known } from "./attention";
import { AttentionSection } from "./attention-section";
import { EnginesSection } from "./engines-section";
import { GuestOverview } from "./guest";
import { QueuesSection } from "./queues-section";
import { Throughput } from "./throughput";

/** Jobs that fit beside everything else; the list of jobs has the others. */
const RECENT_JOBS = 8;

/** How the node is, at a glance, and what needs a person. */
export function OverviewPage() {
  return useMay("read") ? <Overview /> : <GuestOverview />;
}

function Overview() {
  const recent = useQuery(jobQueries.list({}));
  const queues = useQueues();
  const known = useKnown(queues.data?.items);
  return (
    <Page title="Overview">
      <Loaded query={recent} what="the overview">
        {({ items }) =>
          items.length === 0 ? (
            <div className="space-y-4">
              <section aria-label="First job" className="rounded-xl border border-line bg-panel">
                <FirstJob />
              </section>
              <AttentionSection concerns={concerns(known)} />
              <EnginesSection engines={known.engines} />
            </div>
          ) : (
            <div className="space-y-4">
              <AttentionSection concerns={concerns(known)} />
              <Totals />
              <Throughput queues={queues.data?.items} />
              <Section title="Recent jobs" flush aside={<AllLink to={paths.jobs} title="All jobs" />}>
                <JobTable jobs={items.slice(0, RECENT_JOBS)} />
              </Section>
              <div className="grid items-start gap-4 lg:grid-cols-2">
                <QueuesSection queues={queues.data?.items} />
                <EnginesSection engines={known.engines} />
              </div>
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}

/** Everything that can need a person. What is not there yet, or cannot be had, is left out. */
function useKnown(queues: Known["queues"]): Known {
  const status = useQuery(statusQueries.status);
  const engines = useQuery(engineQueries.list);
  const failed = useQuery(jobQueries.list(FAILED));
  const schedules = useQuery(scheduleQueries.list(undefined));
  const kinds = useQuery(kindQueries.list);
  return {
    status: status.data,
    engines: engines.data?.items,
    queues,
    // Until its own answer is there, a list shows the one before it, which may be another.
    failed: failed.isPlaceholderData ? undefined : failed.data,
    schedules: schedules.data?.items,
    brokenModules: kinds.data?.broken_modules,
  };
}
