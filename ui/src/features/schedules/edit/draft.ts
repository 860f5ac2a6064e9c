import type {
  CreateScheduleRequest,
  EnqueueRequest,
  MissedRuns,
  Overlap,
  PreviewScheduleRequest,
  Schedule,
  UpdateScheduleRequest,
} from "~/api/types";
import { optionsOf, withOptions } from "~/features/jobs/new/options";
import { sameJson } from "~/json";

import { ownTimeZone } from "../time-zones";

/** When a schedule runs, as it is being filled in. What belongs to the other way is kept while one looks at this one. */
export interface TimesDraft {
  how: "cron" | "interval";
  cron: string;
  timeZone: string;
  intervalMs: number | undefined;
  /** Where intervals of an existing schedule are counted from. */
  anchor: string | undefined;
}

/** A schedule as it is being filled in, but for its payload. */
export interface ScheduleDraft {
  name: string;
  times: TimesDraft;
  missed: MissedRuns;
  overlap: Overlap;
  payload: unknown;
  options: Record<string, unknown>;
}

const CRON_FIRST = "0 9 * * MON-FRI";
const INTERVAL_FIRST_MS = 3_600_000;

/** What the form shows first: a schedule there is, or one that is mostly right. */
export function draftOf(schedule: Schedule | undefined, payload: unknown): ScheduleDraft {
  return {
    name: schedule?.name ?? "",
    times: {
      how: typeof schedule?.interval_ms === "number" ? "interval" : "cron",
      cron: schedule?.cron ?? CRON_FIRST,
      timeZone: schedule?.time_zone ?? ownTimeZone(),
      intervalMs: schedule?.interval_ms ?? INTERVAL_FIRST_MS,
      anchor: schedule?.anchor ?? undefined,
    },
    missed: schedule?.missed ?? "once",
    overlap: schedule?.overlap ?? "allow",
    payload: schedule?.job.payload ?? payload,
    options: schedule === undefined ? {} : optionsOf(schedule.job),
  };
}

/** The times for a request. */
export function timesOf({ how, cron, timeZone, intervalMs }: TimesDraft) {
  if (how === "cron") return { cron: cron.trim(), time_zone: timeZone };
  return intervalMs === undefined ? {} : { interval_ms: intervalMs };
}

/** What to ask for a preview of these times; `undefined` while there are none. */
export function previewOf(times: TimesDraft): PreviewScheduleRequest | undefined {
  if (times.how === "cron") return times.cron.trim() === "" ? undefined : timesOf(times);
  if (times.intervalMs === undefined) return undefined;
  const anchor = times.anchor === undefined ? {} : { anchor: times.anchor };
  return { ...timesOf(times), time_zone: times.timeZone, ...anchor };
}

/** What is enqueued each time. What the form does not show of a job is kept. */
function jobOf(kind: string, draft: ScheduleDraft, before: EnqueueRequest | undefined): EnqueueRequest {
  const kept = before?.kind === kind ? before : { kind };
  const payload = isPayload(draft.payload) ? { payload: draft.payload } : {};
  return withOptions({ ...kept, kind, ...payload }, draft.options);
}

export function createRequest(kind: string, draft: ScheduleDraft): CreateScheduleRequest {
  return {
    name: draft.name.trim(),
    ...timesOf(draft.times),
    missed: draft.missed,
    overlap: draft.overlap,
    job: jobOf(kind, draft, undefined),
  };
}

/** What a person changed. Times that stay are not sent, because new ones begin to count from now. */
export function updateRequest(schedule: Schedule, kind: string, draft: ScheduleDraft): UpdateScheduleRequest {
  const before = timesOf(draftOf(schedule, undefined).times);
  const times = timesOf(draft.times);
  return {
    name: draft.name.trim(),
    ...(sameJson(before, times) ? {} : times),
    missed: draft.missed,
    overlap: draft.overlap,
    job: jobOf(kind, draft, schedule.job),
  };
}

/** The document says that a payload is an object; a kind's schema may say otherwise, and the node decides. */
function isPayload(value: unknown): value is NonNullable<EnqueueRequest["payload"]> {
  return value !== undefined;
}
