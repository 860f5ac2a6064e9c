import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FileSpreadsheet, Hourglass, Sparkles } from "lucide-react";

import { kindQueries } from "~/features/kinds/queries";
import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";

const CSV_PROFILE = "module.csv-profile";

/** What a new person sees: two jobs that are worth watching, one press away. */
export function FirstJob() {
  const kinds = useQuery(kindQueries.list);
  const hasProfile = kinds.data?.items.some(({ name }) => name === CSV_PROFILE) ?? false;
  return (
    <EmptyState
      icon={Sparkles}
      title="No jobs yet"
      actions={
        <>
          {hasProfile && (
            <Link to={paths.newJob} search={{ kind: CSV_PROFILE }} className={buttonClass("primary")}>
              <FileSpreadsheet aria-hidden className="size-4" />
              Profile a CSV file
            </Link>
          )}
          <Link
            to={paths.newJob}
            search={{ kind: "sleep", payload: { duration_ms: 5_000 } }}
            className={buttonClass(hasProfile ? "plain" : "primary")}
          >
            <Hourglass aria-hidden className="size-4" />
            Watch a job sleep
          </Link>
        </>
      }
    >
      <p>
        A job is a piece of work of some kind, done by a worker on this machine. Enqueue one and watch it here: its
        progress, its log and its result come as they happen.
      </p>
    </EmptyState>
  );
}
