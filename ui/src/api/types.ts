import type { components } from "./__generated__/schema";

type Schemas = components["schemas"];

export type AddMemberKeyRequest = Schemas["AddMemberKeyRequest"];
export type AdminToken = Schemas["AdminToken"];
export type Attempt = Schemas["Attempt"];
export type AuditEntry = Schemas["AuditEntry"];
export type AuditOutcome = Schemas["AuditOutcome"];
export type AuditReport = Schemas["AuditReport"];
export type AutoscaleDecision = Schemas["AutoscaleDecision"];
export type Autoscaler = Schemas["Autoscaler"];
export type AutoscaleWindow = Schemas["AutoscaleWindow"];
export type Batch = Schemas["Batch"];
export type BrokenModule = Schemas["BrokenModule"];
export type CreateAdminTokenRequest = Schemas["CreateAdminTokenRequest"];
export type CreatedEngine = Schemas["CreatedEngine"];
export type CreateMemberRequest = Schemas["CreateMemberRequest"];
export type CreateScheduleRequest = Schemas["CreateScheduleRequest"];
export type Drain = Schemas["Drain"];
export type DrainRequest = Schemas["DrainRequest"];
export type Engine = Schemas["Engine"];
export type EngineTokenState = Schemas["EngineTokenState"];
export type EnqueueRequest = Schemas["EnqueueRequest"];
export type FieldError = Schemas["FieldError"];
export type FixedWorkers = Schemas["FixedWorkers"];
export type GuestAnswer = Schemas["GuestAnswer"];
export type GuestArea = Schemas["GuestArea"];
export type GuestPolicy = Schemas["GuestPolicy"];
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
export type Member = Schemas["Member"];
export type MemberKey = Schemas["MemberKey"];
export type MissedRuns = Schemas["MissedRuns"];
export type Notice = Schemas["Notice"];
export type Overlap = Schemas["Overlap"];
export type PairingLink = Schemas["PairingLink"];
export type PreviewScheduleRequest = Schemas["PreviewScheduleRequest"];
export type Progress = Schemas["Progress"];
export type Queue = Schemas["Queue"];
export type QueueAction = Schemas["QueueAction"];
export type QueueList = Schemas["QueueList"];
export type Redrive = Schemas["Redrive"];
export type RequeueAnswer = Schemas["RequeueAnswer"];
export type RequeueRequest = Schemas["RequeueRequest"];
export type Role = Schemas["Role"];
export type RotatedEngineToken = Schemas["RotatedEngineToken"];
export type RotateKeysRequest = Schemas["RotateKeysRequest"];
export type Schedule = Schemas["Schedule"];
export type ScheduleAction = Schemas["ScheduleAction"];
export type Scope = Schemas["Scope"];
export type SetLimitRequest = Schemas["SetLimitRequest"];
export type ShardProblem = Schemas["ShardProblem"];
export type SigningKey = Schemas["SigningKey"];
export type SigningKeyList = Schemas["SigningKeyList"];
export type SignInSession = Schemas["SignInSession"];
export type SkippedRuns = Schemas["SkippedRuns"];
export type Status = Schemas["Status"];
export type TokenAnswer = Schemas["TokenAnswer"];
export type TokenSet = Schemas["TokenSet"];
export type UpdateMemberRequest = Schemas["UpdateMemberRequest"];
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
