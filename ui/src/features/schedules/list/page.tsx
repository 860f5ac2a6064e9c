import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { CalendarClock, Plus } from "lucide-react";

import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";
import { Page, Section } from "~/ui/page";

import { scheduleQueries } from "../queries";
import { Entry } from "./entry";

const route = getRouteApi(paths.schedules);

/** What is enqueued by itself, and when next. */
export function SchedulesPage() {
  const { cursor } = route.useSearch();
  const query = useQuery(scheduleQueries.list(cursor));
  const first = cursor === undefined && query.data?.items.length === 0;
  return (
    <Page
      title="Schedules"
      detail="A schedule enqueues a job by itself: at times of the clock or every so often."
      actions={query.data !== undefined && !first && <NewScheduleLink />}
    >
      <Section title="All schedules" flush>
        <Loaded query={query} what="schedules">
          {({ items, next_cursor }) => (
            <>
              {first && (
                <EmptyState icon={CalendarClock} title="No schedules yet" actions={<NewScheduleLink />}>
                  Let a job run by itself: a report each morning, a check every five minutes. You see the next runs before you
                  create it.
                </EmptyState>
              )}
              <ul>
                {items.map((schedule) => (
                  <Entry key={schedule.id} schedule={schedule} />
                ))}
              </ul>
              <Pages cursor={cursor} next={next_cursor ?? undefined} />
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function NewScheduleLink() {
  return (
    <Link to={paths.newSchedule} className={buttonClass("primary")}>
      <Plus aria-hidden className="size-4" />
      New schedule
    </Link>
  );
}

function Pages({ cursor, next }: { cursor: string | undefined; next: string | undefined }) {
  if (cursor === undefined && next === undefined) return null;
  return (
    <nav aria-label="Pages of the list" className="flex justify-between gap-2 border-t border-line px-3 py-2">
      {cursor === undefined ? (
        <span />
      ) : (
        <Link to={paths.schedules} className={buttonClass("quiet")}>
          ← Newest
        </Link>
      )}
      {next !== undefined && (
        <Link to={paths.schedules} search={{ cursor: next }} className={buttonClass("quiet")}>
          Older →
        </Link>
      )}
    </nav>
  );
}
