import type { components } from "./__generated__/schema";
import type { JobMore } from "./pending";

type Schemas = components["schemas"];

export type Attempt = Schemas["Attempt"];
export type BrokenModule = Schemas["BrokenModule"];
export type Engine = Schemas["Engine"];
export type EnqueueRequest = Schemas["EnqueueRequest"];
export type FieldError = Schemas["FieldError"];
export type Job = Schemas["Job"] & JobMore;
export type JobAction = Schemas["JobAction"];
export type JobError = Schemas["JobError"];
export type JobList = Schemas["JobList"];
export type JobState = Schemas["JobState"];
export type JobSummary = Schemas["JobSummary"];
export type Kind = Schemas["Kind"];
export type LogLevel = Schemas["LogLevel"];
export type LogLine = Schemas["LogLine"];
export type Me = Schemas["Me"];
export type Progress = Schemas["Progress"];
export type Status = Schemas["Status"];
export type TokenAnswer = Schemas["TokenAnswer"];

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
export type * from "./pending";
