import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import { Inbox, SearchX } from "lucide-react";
import { useState } from "react";

import { Loaded } from "~/features/app/loaded";
import { type JobFilters, paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";
import { Page } from "~/ui/page";

import { jobQueries } from "../queries";
import { mayRequeue } from "../requeue";
import { Filters, hasFilters } from "./filters";
import { FirstJob } from "./first-job";
import { JobTable } from "./job-table";
import { RequeueMany } from "./requeue-many";
import { Totals } from "./totals";

/** All jobs, newest first, as they change. */
export function JobsPage({ filters }: { filters: JobFilters }) {
  const list = useQuery(jobQueries.list(filters));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());

  function choose(ids: readonly string[], isChosen: boolean) {
    const rest = [...chosen].filter((id) => !ids.includes(id));
    setChosen(new Set(isChosen ? [...rest, ...ids] : rest));
  }

  return (
    <Page title="Jobs">
      <div className="space-y-4">
        <Totals />
        <Filters filters={filters} />
        <section
          aria-label="Job list"
          aria-busy={list.isPlaceholderData}
          className={clsx("overflow-hidden rounded-xl border border-line bg-panel", list.isPlaceholderData && "opacity-60")}
        >
          <Loaded query={list} what="jobs">
            {({ items, next_cursor }) => (
              <>
                {filters.state !== undefined && (
                  <RequeueMany
                    key={filters.state}
                    filters={filters}
                    jobs={items}
                    isWhole={filters.cursor === undefined && !next_cursor}
                    chosen={chosen}
                    onDone={() => setChosen(new Set())}
                  />
                )}
                {items.length > 0 ? (
                  <JobTable
                    jobs={items}
                    selection={filters.state !== undefined && items.some(mayRequeue) ? { ids: chosen, choose } : undefined}
                  />
                ) : (
                  <Nothing filters={filters} />
                )}
                <Pages filters={filters} next={next_cursor ?? undefined} />
              </>
            )}
          </Loaded>
        </section>
      </div>
    </Page>
  );
}

function Nothing({ filters }: { filters: JobFilters }) {
  if (filters.cursor !== undefined) {
    return (
      <EmptyState icon={Inbox} title="No older jobs">
        The list ends here.
      </EmptyState>
    );
  }
  if (hasFilters(filters)) {
    return (
      <EmptyState
        icon={SearchX}
        title="No job matches these filters"
        actions={
          <Link to={paths.jobs} className={buttonClass("plain")}>
            Show all jobs
          </Link>
        }
      >
        A job appears here by itself as soon as one matches.
      </EmptyState>
    );
  }
  return <FirstJob />;
}

function Pages({ filters, next }: { filters: JobFilters; next: string | undefined }) {
  if (next === undefined && filters.cursor === undefined) return null;
  return (
    <nav aria-label="Pages of the list" className="flex justify-between gap-2 border-t border-line px-3 py-2">
      {filters.cursor === undefined ? (
        <span />
      ) : (
        <Link to={paths.jobs} search={{ ...filters, cursor: undefined }} className={buttonClass("quiet")}>
          ← Newest
        </Link>
      )}
      {next !== undefined && (
        <Link to={paths.jobs} search={{ ...filters, cursor: next }} className={buttonClass("quiet")}>
          Older →
        </Link>
      )}
    </nav>
  );
}
