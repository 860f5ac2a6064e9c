import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import { Plus, SearchX, Timer } from "lucide-react";
import type { ReactNode } from "react";

import { Loaded } from "~/features/app/loaded";
import { useMay } from "~/features/app/rights";
import { paths, type SyncFilters } from "~/paths";
import { SESSION_STATUSES, type SessionStatus } from "~/sync/state";
import { buttonClass } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";
import { Page } from "~/ui/page";

import { useClockReading } from "../followed";
import { syncQueries } from "../queries";
import { statusLook } from "../words";
import { Entry } from "./entry";
import { LookUp } from "./look-up";

/** All sessions that can be seen, newest first, each with its clock. */
export function SyncListPage({ filters }: { filters: SyncFilters }) {
  const query = useQuery(syncQueries.list(filters, useMay("read")));
  useClockReading();
  const isNarrowed = filters.status !== undefined || filters.cursor !== undefined;
  const make = useMay("sessions_write") && (
    <Link to={paths.newSync} className={buttonClass("primary")}>
      <Plus aria-hidden className="size-4" />
      New live session
    </Link>
  );
  return (
    <Page
      title="Live sessions"
      detail="Clocks that many people share: chess clocks, quizzes, meetings, auctions, stopwatches. Everybody who looks sees the same time."
      actions={query.data !== undefined && (query.data.items.length > 0 || isNarrowed) && make}
    >
      <div className="space-y-4">
        <nav aria-label="Filter by status" className="scroll-thin -mx-1 overflow-x-auto px-1 py-1">
          <ul className="flex gap-1">
            <li>
              <StatusLink status={undefined} title="All" />
            </li>
            {SESSION_STATUSES.map((status) => (
              <li key={status}>
                <StatusLink status={status} title={statusLook(status).title} />
              </li>
            ))}
          </ul>
        </nav>
        <section
          aria-label="Session list"
          aria-busy={query.isPlaceholderData}
          className={clsx("overflow-hidden rounded-xl border border-line bg-panel", query.isPlaceholderData && "opacity-60")}
        >
          <Loaded query={query} what="live sessions">
            {({ items, next_cursor: next }) => (
              <>
                {items.length === 0 ? (
                  <Nothing filters={filters} make={make} />
                ) : (
                  <ul>
                    {items.map((session) => (
                      <Entry key={session.session_id} session={session} />
                    ))}
                  </ul>
                )}
                <Pages filters={filters} next={next ?? undefined} />
              </>
            )}
          </Loaded>
        </section>
        <LookUp />
      </div>
    </Page>
  );
}

function StatusLink({ status, title }: { status: SessionStatus | undefined; title: string }) {
  return (
    <Link
      to={paths.sync}
      search={{ status }}
      // Without these the router takes every one of them for the current page.
      activeOptions={{ exact: true, includeSearch: true }}
      className="inline-flex min-h-8 items-center rounded-full border border-transparent px-3 text-[13px] whitespace-nowrap text-ink-soft hover:bg-hover hover:text-ink aria-[current=page]:border-line-strong aria-[current=page]:bg-panel aria-[current=page]:font-medium aria-[current=page]:text-ink pointer-coarse:min-h-11"
    >
      {title}
    </Link>
  );
}

function Nothing({ filters, make }: { filters: SyncFilters; make: ReactNode }) {
  if (filters.status !== undefined || filters.cursor !== undefined) {
    return (
      <EmptyState
        icon={SearchX}
        title={filters.cursor === undefined ? `No session is here with the status “${statusLook(filters.status ?? "pending").title}”` : "No older sessions"}
        actions={
          <Link to={paths.sync} className={buttonClass("plain")}>
            Show all sessions
          </Link>
        }
      >
        A session appears here by itself as soon as one matches.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={Timer} title="No live sessions yet" actions={make}>
      Make one, start it, and send its link to those who shall see the clock. A session is removed some time after it has
      ended; its history stays.
    </EmptyState>
  );
}

function Pages({ filters, next }: { filters: SyncFilters; next: string | undefined }) {
  if (next === undefined && filters.cursor === undefined) return null;
  return (
    <nav aria-label="Pages of the list" className="flex justify-between gap-2 border-t border-line px-3 py-2">
      {filters.cursor === undefined ? (
        <span />
      ) : (
        <Link to={paths.sync} search={{ ...filters, cursor: undefined }} className={buttonClass("quiet")}>
          ← Newest
        </Link>
      )}
      {next !== undefined && (
        <Link to={paths.sync} search={{ ...filters, cursor: next }} className={buttonClass("quiet")}>
          Older →
        </Link>
      )}
    </nav>
  );
}
