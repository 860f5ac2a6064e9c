import { queryOptions } from "@tanstack/react-query";

import { getJob, listAttempts, listJobs, listLogLines } from "~/api/calls";
import type { JobFilters } from "~/paths";

import { appendLines, EMPTY_LOG, type JobLog } from "./log-lines";

/** Jobs a page of the list. */
const PAGE_JOBS = 50;
/** Lines a request. */
const PAGE_LINES = 1_000;
/** Requests for one log; a longer one is rather read with the command line. */
const LOG_PAGES_MAX = 20;

export const jobQueries = {
  /** All lists, whatever their filters. */
  lists: ["jobs", "list"] as const,

  list: (filters: JobFilters) =>
    queryOptions({
      queryKey: ["jobs", "list", filters] as const,
      queryFn: ({ signal }) => listJobs({ ...filters, limit: PAGE_JOBS }, signal),
      placeholderData: (before) => before,
    }),

  one: (id: string) =>
    queryOptions({
      queryKey: ["jobs", "one", id] as const,
      queryFn: ({ signal }) => getJob(id, signal),
    }),

  attempts: (id: string) =>
    queryOptions({
      queryKey: ["jobs", "attempts", id] as const,
      queryFn: ({ signal }) => listAttempts(id, signal),
    }),

  logs: (id: string) =>
    queryOptions({
      queryKey: ["jobs", "logs", id] as const,
      queryFn: ({ signal }) => fetchLog(id, signal),
      // Lines that came as events while the request was on its way are in neither answer alone.
      structuralSharing: (before, now) => newerLog(before, now),
    }),
};

async function fetchLog(id: string, signal: AbortSignal): Promise<JobLog> {
  let log = EMPTY_LOG;
  let after: number | undefined;
  for (let page = 0; page < LOG_PAGES_MAX; page += 1) {
    const answer = await listLogLines(id, { after, limit: PAGE_LINES }, signal);
    log = appendLines(log, answer.items);
    if (!answer.next_cursor) return log;
    after = Number(answer.next_cursor);
  }
  return log;
}

function newerLog(before: unknown, now: unknown): unknown {
  return isLog(before) && isLog(now) && before.last > now.last ? appendLines(now, before.lines) : now;
}

function isLog(value: unknown): value is JobLog {
  return typeof value === "object" && value !== null && "lines" in value && "last" in value;
}
