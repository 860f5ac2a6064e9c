import type { components } from "./__generated__/schema";

type Schemas = components["schemas"];

export type Attempt = Schemas["Attempt"];
export type AutoscaleDecision = Schemas["AutoscaleDecision"];
export type Autoscaler = Schemas["Autoscaler"];
export type AutoscaleWindow = Schemas["AutoscaleWindow"];
export type Batch = Schemas["Batch"];
export type BrokenModule = Schemas["BrokenModule"];
export type CreateScheduleRequest = Schemas["CreateScheduleRequest"];
export type Drain = Schemas["Drain"];
export type DrainRequest = Schemas["DrainRequest"];
export type Engine = Schemas["Engine"];
export type EnqueueRequest = Schemas["EnqueueRequest"];
export type FieldError = Schemas["FieldError"];
export type Job = Schemas["Job"];
export type JobAction = Schemas["JobAction"];
export type JobError = Schemas["JobError"];
export type JobList = Schemas["JobList"];
export type JobState = Schemas["JobState"];
export type JobSummary = Schemas["JobSummary"];
export type Kind = Schemas["Kind"];
export type Limit = Schemas["Limit"];
export type LimitAction = Schemas["LimitAction"];
export type LimitList = Schemas["LimitList"];
export type LogLevel = Schemas["LogLevel"];
export type LogLine = Schemas["LogLine"];
export type Me = Schemas["Me"];
export type MissedRuns = Schemas["MissedRuns"];
export type Overlap = Schemas["Overlap"];
export type PreviewScheduleRequest = Schemas["PreviewScheduleRequest"];
export type Progress = Schemas["Progress"];
export type Queue = Schemas["Queue"];
export type QueueAction = Schemas["QueueAction"];
export type QueueList = Schemas["QueueList"];
export type Redrive = Schemas["Redrive"];
export type RequeueAnswer = Schemas["RequeueAnswer"];
export type RequeueRequest = Schemas["RequeueRequest"];
export type Schedule = Schemas["Schedule"];
export type ScheduleAction = Schemas["ScheduleAction"];
export type SetLimitRequest = Schemas["SetLimitRequest"];
export type ShardProblem = Schemas["ShardProblem"];
export type SkippedRuns = Schemas["SkippedRuns"];
export type Status = Schemas["Status"];
export type TokenAnswer = Schemas["TokenAnswer"];
export type UpdateScheduleRequest = Schemas["UpdateScheduleRequest"];

/** All states, in the order of a job's life. */
export const JOB_STATES = [
  "scheduled",
  "queued",
  "leased",
  "completed",
  "failed",
  "cancelled",
  "expired",
] as const satisfies readonly JobState[];

export function isJobState(value: unknown): value is JobState {
  return JOB_STATES.some((state) => state === value);
}

/** Whether nothing but a requeue changes the job any more. */
export function isFinal(state: JobState): boolean {
  switch (state) {
    case "scheduled":
    case "queued":
    case "leased":
      return false;
    case "completed":
    case "failed":
    case "cancelled":
    case "expired":
      return true;
  }
}
