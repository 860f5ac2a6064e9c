import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { ApiError } from "~/api/error";
import type { Batch } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { Callout } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { ProgressBar } from "~/ui/progress-bar";
import { Tile, Tiles } from "~/ui/tile";
import { Ago, At } from "~/ui/time";

import { batchQueries } from "./queries";

/** Jobs that were enqueued together: how many of them have ended, and what came after the last one. */
export function BatchPage({ id }: { id: string }) {
  const query = useQuery(batchQueries.one(id));
  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <Page title="There is no such batch">
        <p className="text-ink-soft [overflow-wrap:anywhere]">
          This node does not know <code className="font-mono">{id}</code>, or it is not yours to see.
        </p>
      </Page>
    );
  }
  return (
    <Page
      title="Batch"
      detail={
        <span className="flex items-center font-mono text-xs text-ink-faint [overflow-wrap:anywhere]">
          {id}
          <CopyButton value={id} what="the batch's id" />
        </span>
      }
    >
      <Loaded query={query} what="the batch">
        {(batch) => <Shown batch={batch} />}
      </Loaded>
    </Page>
  );
}

function Shown({ batch }: { batch: Batch }) {
  const { jobs, open } = batch;
  const total = typeof jobs === "number" ? jobs : undefined;
  return (
    <div className="space-y-4">
      {!batch.finished_at && (
        <div className="rounded-xl border border-line bg-panel p-4">
          <ProgressBar
            label="Jobs that have ended"
            fraction={total === undefined || total === 0 ? null : (total - open) / total}
            message={
              total === undefined
                ? "Its jobs are still being enqueued."
                : `${(total - open).toLocaleString()} of ${total.toLocaleString()} have ended`
            }
          />
        </div>
      )}
      <Tiles label="Jobs of the batch">
        <Tile title="Not ended" value={open.toLocaleString()} />
        <Tile title="Completed" value={batch.completed.toLocaleString()} />
        <Tile title="Failed" value={batch.failed.toLocaleString()} />
        <Tile title="Cancelled or expired" value={(batch.cancelled + batch.expired).toLocaleString()} />
      </Tiles>
      {batch.callback_error && (
        <Callout tone="bad" title="The job that should come after them could not be enqueued">
          <p>{batch.callback_error}</p>
        </Callout>
      )}
      <Section title="Details">
        <Facts
          items={[
            ["Jobs", total === undefined ? "not known yet" : total.toLocaleString()],
            ["Enqueued", <Ago at={batch.created_at} />],
            ["By", batch.created_by],
            ...(batch.finished_at ? [["Ended", <At at={batch.finished_at} />] as const] : []),
            ...(batch.callback_job_id
              ? [
                  [
                    "Job after them",
                    <Link
                      to={paths.job}
                      params={{ jobId: batch.callback_job_id }}
                      className="font-mono text-xs underline decoration-line-strong underline-offset-2 hover:text-accent"
                    >
                      {batch.callback_job_id}
                    </Link>,
                  ] as const,
                ]
              : []),
          ]}
        />
      </Section>
    </div>
  );
}
