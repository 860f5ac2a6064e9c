import { body, node } from "./client";
import type { EnqueueRequest, JobState } from "./types";

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

export function listKinds(signal: AbortSignal) {
  return body(node.GET("/v1/kinds", { signal }));
}

export function getStatus(signal: AbortSignal) {
  return body(node.GET("/v1/status", { signal }));
}
export * from "./pending";
