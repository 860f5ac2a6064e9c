import { platform } from "~/platform";
import type { EnqueueRequest, JobState } from "./types";
import { fetchAsUser } from "./client";
import { ApiError } from "./error";

export type QueueAction = "pause" | "resume";
export interface Queue {
  name: string;
  paused: boolean;
  paused_at?: string | null;
  paused_by?: string | null;
  scheduled: number;
  queued: number;
  leased: number;
  oldest_queued_age_ms?: number | null;
  claim_delay_p50_ms?: number | null;
  claim_delay_p95_ms?: number | null;
  enqueued_per_s: number;
  finished_per_s: number;
  failed_per_s: number;
  measured_with_others: boolean;
  allowed_actions: QueueAction[];
}
export interface QueueList { items: Queue[] }
export interface Rate { count: number; per_ms: number }
export type LimitAction = "set" | "remove";
export interface SetLimitRequest { concurrency?: number | null; rate?: Rate | null }
export interface Limit { target: string; concurrency?: number | null; rate?: Rate | null; running?: number | null; set_at: string; allowed_actions: LimitAction[] }
export interface LimitList { items: Limit[]; allowed_actions: LimitAction[] }
export interface RequeueRequest {
  state?: JobState; kind?: string; queue?: string; tag?: string; error_code?: string; ids?: string[]; to_queue?: string; limit?: number;
}
export interface RequeueAnswer { requeued: number; skipped: number; more: boolean }
export type DrainAction = "start" | "stop";
export interface Drain { on: boolean; stopping: boolean; by?: string | null; since?: string | null; reason?: string | null; running: number; allowed_actions: DrainAction[] }
export interface DrainRequest { on: boolean; reason?: string | null }
export type MissedRuns = "skip" | "once" | "all";
export type Overlap = "allow" | "skip";
export interface ScheduleTimes { cron?: string | null; time_zone?: string | null; interval_ms?: number | null; anchor?: string | null }
export interface CreateScheduleRequest extends ScheduleTimes {
  name: string; job: EnqueueRequest; missed?: MissedRuns; overlap?: Overlap; enabled?: boolean;
}
export interface UpdateScheduleRequest extends ScheduleTimes {
  name?: string | null; job?: EnqueueRequest | null; missed?: MissedRuns | null; overlap?: Overlap | null; enabled?: boolean | null;
}
export interface PreviewScheduleRequest extends ScheduleTimes { after?: string | null; count?: number | null }
export interface ScheduledRun { at: string; local: string }
export interface SchedulePreview { runs: ScheduledRun[] }
export type SkipReason = "missed" | "too_many" | "overlap" | "refused";
export interface SkippedRuns { reason: SkipReason; count: number; uncounted: boolean; due_at: string }
export interface ScheduleError { code: string; message: string; due_at: string; retrying: boolean }
export type ScheduleAction = "update" | "pause" | "resume" | "run" | "delete";
export interface Schedule extends ScheduleTimes {
  id: string; name: string; job: EnqueueRequest; missed: MissedRuns; overlap: Overlap; enabled: boolean; created_by: string; created_at: string;
  last_fired_at?: string | null; last_due_at?: string | null; last_job_id?: string | null; last_error?: ScheduleError | null; last_skipped?: SkippedRuns | null;
  next_runs: ScheduledRun[]; allowed_actions: ScheduleAction[];
}
export interface ScheduleList { items: Schedule[]; next_cursor?: string | null }
export type AutoscaleReason = "claim_delay" | "headroom" | "quiet";
export interface AutoscaleDecision { engine_id: string; at: string; from: number; to: number; reason: AutoscaleReason; explanation: string; claim_delay_p95_ms?: number | null; utilization: number; capacity_per_s?: number | null; peak_per_s: number }
export interface AutoscaleWindow { started_at: string; workers: number; claimed: number; finished: number; claim_delay_p95_ms?: number | null; utilization: number; stalled: boolean }
export interface Autoscaler { enabled: boolean; engine_id?: string | null; workers: number; workers_min: number; workers_max: number; target_latency_ms: number; headroom_factor: number; explanation: string; windows: AutoscaleWindow[]; decisions: AutoscaleDecision[] }

export interface Redrive { state: JobState; queue: string; attempts: number; finished_at?: string | null; error?: { code: string; message: string } | null; at: string; by: string; times: number }
export interface JobMore { unique_key?: string | null; concurrency_key?: string | null; concurrency_max?: number | null; batch_id?: string | null; redriven_from?: Redrive | null }
export interface Batch { id: string; created_by: string; created_at: string; jobs?: number | null; open: number; completed: number; failed: number; cancelled: number; expired: number; finished_at?: string | null; callback_job_id?: string | null; callback_error?: string | null }
export interface ShardProblem { index: number; state: "failing" | "quarantined"; cause: "damaged" | "unreadable"; reason: string; since: string; file: string; hint: string }

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetchAsUser(new Request(platform.nodeUrl() + path, { method, headers: { "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }));
  if (!response.ok) throw await ApiError.from(response);
  const value: T = JSON.parse((await response.text()) || "null");
  return value;
}
export const listQueues = (_: AbortSignal) => ask<QueueList>("GET", "/v1/queues");
export const pauseQueue = (name: string) => ask<Queue>("POST", `/v1/queues/${name}/pause`);
export const resumeQueue = (name: string) => ask<Queue>("POST", `/v1/queues/${name}/resume`);
export const listLimits = (_: AbortSignal) => ask<LimitList>("GET", "/v1/limits");
export const setLimit = (target: string, request: SetLimitRequest) => ask<Limit>("PUT", `/v1/limits/${encodeURIComponent(target)}`, request);
export const removeLimit = (target: string) => ask<unknown>("DELETE", `/v1/limits/${encodeURIComponent(target)}`);
export const requeueJobs = (request: RequeueRequest) => ask<RequeueAnswer>("POST", "/v1/jobs/requeue", request);
export const getDrain = (_: AbortSignal) => ask<Drain>("GET", "/drain");
export const setDrain = (request: DrainRequest) => ask<Drain>("POST", "/drain", request);
export const listSchedules = (cursor: string | undefined, _: AbortSignal) => ask<ScheduleList>("GET", `/v1/schedules${cursor === undefined ? "" : `?cursor=${cursor}`}`);
export const getSchedule = (id: string, _: AbortSignal) => ask<Schedule>("GET", `/v1/schedules/${id}`);
export const createSchedule = (request: CreateScheduleRequest) => ask<Schedule>("POST", "/v1/schedules", request);
export const updateSchedule = (id: string, request: UpdateScheduleRequest) => ask<Schedule>("PATCH", `/v1/schedules/${id}`, request);
export const deleteSchedule = (id: string) => ask<unknown>("DELETE", `/v1/schedules/${id}`);
export const runSchedule = (id: string) => ask<{ id: string }>("POST", `/v1/schedules/${id}/run`);
export const previewSchedule = (request: PreviewScheduleRequest, _: AbortSignal) => ask<SchedulePreview>("POST", "/v1/schedules/preview", request);
export const getAutoscaler = (_: AbortSignal) => ask<Autoscaler>("GET", "/v1/autoscaler");
export const getBatch = (id: string, _: AbortSignal) => ask<Batch>("GET", `/v1/batches/${id}`);
