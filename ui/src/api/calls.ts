import { body, done, node } from "./client";
import type {
  CreateScheduleRequest,
  DrainRequest,
  EnqueueRequest,
  JobState,
  PreviewScheduleRequest,
  RequeueRequest,
  SetLimitRequest,
  UpdateScheduleRequest,
} from "./types";

/** The node's calls that the GUI makes, one function each. Whatever is no success is thrown as an `ApiError`. */

interface ListJobs {
  state?: JobState | undefined;
  kind?: string | undefined;
  queue?: string | undefined;
  tag?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

export function listJobs(query: ListJobs, signal: AbortSignal) {
  return body(node.GET("/v1/jobs", { params: { query }, signal }));
}

export function getJob(id: string, signal: AbortSignal) {
  return body(node.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } }, signal }));
}

export function listAttempts(id: string, signal: AbortSignal) {
  return body(node.GET("/v1/jobs/{job_id}/attempts", { params: { path: { job_id: id } }, signal }));
}

/** The lines after the one of that number; all without it. */
export function listLogLines(id: string, page: { after: number | undefined; limit: number }, signal: AbortSignal) {
  return body(node.GET("/v1/jobs/{job_id}/logs", { params: { path: { job_id: id }, query: page }, signal }));
}

/** The same key enqueues the same job once, however often it is sent. */
export function enqueueJob(request: EnqueueRequest, idempotencyKey: string) {
  return body(node.POST("/v1/jobs", { params: { header: { "Idempotency-Key": idempotencyKey } }, body: request }));
}

export function cancelJob(id: string) {
  return body(node.POST("/v1/jobs/{job_id}/cancel", { params: { path: { job_id: id } } }));
}

export function requeueJob(id: string) {
  return body(node.POST("/v1/jobs/{job_id}/requeue", { params: { path: { job_id: id } } }));
}

export function listEngines(signal: AbortSignal) {
  return body(node.GET("/v1/engines", { signal }));
}

/** Decides how many workers an engine has; `null` leaves it to the load and the settings again. */
export function setWorkers(engineId: string, workers: number | null) {
  const params = { path: { engine_id: engineId } };
  return body(node.PUT("/v1/engines/{engine_id}/workers", { params, body: { workers } }));
}

export function listKinds(signal: AbortSignal) {
  return body(node.GET("/v1/kinds", { signal }));
}

export function getStatus(signal: AbortSignal) {
  return body(node.GET("/v1/status", { signal }));
}

/** Gives many jobs that ended another go. */
export function requeueJobs(request: RequeueRequest) {
  return body(node.POST("/v1/jobs/requeue", { body: request }));
}

export function getBatch(id: string, signal: AbortSignal) {
  return body(node.GET("/v1/batches/{batch_id}", { params: { path: { batch_id: id } }, signal }));
}

export function listQueues(signal: AbortSignal) {
  return body(node.GET("/v1/queues", { signal }));
}

export function pauseQueue(name: string) {
  return body(node.POST("/v1/queues/{name}/pause", { params: { path: { name } } }));
}

export function resumeQueue(name: string) {
  return body(node.POST("/v1/queues/{name}/resume", { params: { path: { name } } }));
}

export function listLimits(signal: AbortSignal) {
  return body(node.GET("/v1/limits", { signal }));
}

export function setLimit(target: string, request: SetLimitRequest) {
  return body(node.PUT("/v1/limits/{target}", { params: { path: { target } }, body: request }));
}

export function removeLimit(target: string) {
  return done(node.DELETE("/v1/limits/{target}", { params: { path: { target } } }));
}

export function getDrain(signal: AbortSignal) {
  return body(node.GET("/drain", { signal }));
}

export function setDrain(request: DrainRequest) {
  return body(node.POST("/drain", { body: request }));
}

export function getAutoscaler(signal: AbortSignal) {
  return body(node.GET("/v1/autoscaler", { signal }));
}

export function listSchedules(cursor: string | undefined, signal: AbortSignal) {
  return body(node.GET("/v1/schedules", { params: { query: { cursor } }, signal }));
}

export function getSchedule(id: string, signal: AbortSignal) {
  return body(node.GET("/v1/schedules/{schedule_id}", { params: { path: { schedule_id: id } }, signal }));
}

export function createSchedule(request: CreateScheduleRequest) {
  return body(node.POST("/v1/schedules", { body: request }));
}

export function updateSchedule(id: string, request: UpdateScheduleRequest) {
  return body(node.PATCH("/v1/schedules/{schedule_id}", { params: { path: { schedule_id: id } }, body: request }));
}

export function deleteSchedule(id: string) {
  return done(node.DELETE("/v1/schedules/{schedule_id}", { params: { path: { schedule_id: id } } }));
}

/** Enqueues the job of a schedule now. The same key does so once, however often it is sent. */
export function runSchedule(id: string, idempotencyKey: string) {
  const header = { "Idempotency-Key": idempotencyKey };
  return body(node.POST("/v1/schedules/{schedule_id}/run", { params: { path: { schedule_id: id }, header } }));
}

export function previewSchedule(request: PreviewScheduleRequest, signal: AbortSignal) {
  return body(node.POST("/v1/schedules/preview", { body: request, signal }));
}
