import type { QueryClient } from "@tanstack/react-query";

import type { NodeEvent } from "~/api/events/envelope";
import { isFinal, type JobState, type JobSummary, type Progress } from "~/api/types";
import { batchQueries } from "~/features/batches/queries";
import { drainQueries } from "~/features/drain/queries";
import { engineQueries } from "~/features/engines/queries";
import { jobQueries } from "~/features/jobs/queries";
import { kindQueries } from "~/features/kinds/queries";
import { limitQueries } from "~/features/limits/queries";
import { queueQueries } from "~/features/queues/queries";
import { scheduleQueries } from "~/features/schedules/queries";
import { statusQueries } from "~/features/status/queries";
import { syncQueries } from "~/features/sync/queries";
import { nodeClock } from "~/sync/window";

import { appendLines } from "../jobs/log-lines";
import { createRefresher, REFRESH_PAUSE_MS, SESSIONS_PAUSE_MS } from "./refresher";

/** The autoscaler measures in windows of this length; within one there is nothing new to see. */
const WINDOW_MS = 10_000;

function pauseBefore(name: string): number {
  return name === "sync" ? SESSIONS_PAUSE_MS : REFRESH_PAUSE_MS;
}

/** Brings the query cache up to date with what an event names. */
export function eventApplier(queries: QueryClient) {
  const refresh = createRefresher((name) => {
    const [area, id] = name.split(" ");
    switch (area) {
      case "jobs":
        return queries.invalidateQueries({ queryKey: jobQueries.lists });
      case "job":
        return Promise.all([
          queries.invalidateQueries({ queryKey: jobQueries.one(id ?? "").queryKey }),
          queries.invalidateQueries({ queryKey: jobQueries.attempts(id ?? "").queryKey }),
        ]);
      case "logs":
        return queries.invalidateQueries({ queryKey: jobQueries.logs(id ?? "").queryKey });
      case "engines":
        return queries.invalidateQueries({ queryKey: engineQueries.list.queryKey });
      case "autoscaler":
        return queries.invalidateQueries({ queryKey: engineQueries.autoscaler.queryKey });
      case "queues":
        return queries.invalidateQueries({ queryKey: queueQueries.list.queryKey });
      case "limits":
        return queries.invalidateQueries({ queryKey: limitQueries.list.queryKey });
      case "drain":
        return queries.invalidateQueries({ queryKey: drainQueries.state.queryKey });
      case "schedules":
        return queries.invalidateQueries({ queryKey: scheduleQueries.all });
      case "sync":
        return queries.invalidateQueries({ queryKey: syncQueries.lists });
      case "batches":
        return queries.invalidateQueries({ queryKey: batchQueries.all });
      case "status":
        return queries.invalidateQueries({ queryKey: statusQueries.status.queryKey });
      default:
        return queries.invalidateQueries({ queryKey: kindQueries.list.queryKey });
    }
  }, pauseBefore);

  function isOlderThan(queryKey: readonly string[], ms: number): boolean {
    const state = queries.getQueryState(queryKey);
    return state !== undefined && Date.now() - state.dataUpdatedAt > ms;
  }

  function patchJob(id: string, patch: <Known extends JobSummary>(job: Known) => Known) {
    queries.setQueryData(jobQueries.one(id).queryKey, (job) => job && patch(job));
    queries.setQueriesData<{ items: JobSummary[]; next_cursor?: string | null }>(
      { queryKey: jobQueries.lists },
      (list) => list && { ...list, items: list.items.map((job) => (job.id === id ? patch(job) : job)) },
    );
  }

  return (event: NodeEvent): void => {
    switch (event.type) {
      case "job.changed":
        patchJob(event.job_id, (job) => withState(job, event.state, event.attempt));
        refresh("jobs");
        refresh("engines");
        refresh("queues");
        refresh("limits");
        refresh("batches");
        if (isOlderThan(engineQueries.autoscaler.queryKey, WINDOW_MS)) refresh("autoscaler");
        // Only while it drains does the number of jobs that still run belong to it.
        if (queries.getQueryData(drainQueries.state.queryKey)?.on === true) refresh("drain");
        refresh(`job ${event.job_id}`);
        // The lines of an attempt that ended are all stored now; a gap in what came as events closes here.
        if (isFinal(event.state)) refresh(`logs ${event.job_id}`);
        return;
      case "job.progress":
        patchJob(event.job_id, (job) => ({ ...job, progress: withProgress(job.progress, event.progress) }));
        return;
      case "job.log":
        queries.setQueryData(jobQueries.logs(event.job_id).queryKey, (log) => log && appendLines(log, event.lines));
        return;
      case "batch.finished":
        refresh("batches");
        return;
      case "kinds.changed":
        refresh("kinds");
        return;
      case "engines.changed":
        refresh("engines");
        refresh("autoscaler");
        refresh("status");
        refresh("drain");
        return;
      case "autoscaled":
        refresh("engines");
        refresh("autoscaler");
        return;
      case "queues.changed":
        refresh("queues");
        refresh("limits");
        return;
      case "notices.changed":
        refresh("status");
        return;
      case "schedules.changed":
        refresh("schedules");
        return;
      case "sessions.changed":
        refresh("sync");
        return;
      case "resync":
        // The machine may have slept, and this page's clock with it.
        nodeClock.resync();
        void queries.invalidateQueries();
        return;
    }
  };
}

function withState<Known extends JobSummary>(job: Known, state: JobState, attempt: number): Known {
  // What it is allowed to do and when it ended come with the fetch that follows.
  return { ...job, state, attempt, progress: isFinal(state) ? null : job.progress };
}

/** Keeps the text so far where an event tells only the rest. */
function withProgress(before: Progress | null | undefined, now: Progress): Progress {
  return { ...now, output: now.output ?? before?.output ?? null };
}
