import type { AuditOutcome, EnqueueRequest, JobState } from "~/api/types";
import type { SessionStatus } from "~/sync/state";

/** What narrows the list of jobs; it lives in the URL. */
export interface JobFilters {
  state?: JobState | undefined;
  kind?: string | undefined;
  queue?: string | undefined;
  tag?: string | undefined;
  /** The page: where the one before it ended. */
  cursor?: string | undefined;
}

/** What narrows the audit log; it lives in the URL. Days are `YYYY-MM-DD`. */
export interface AuditFilters {
  actor?: string | undefined;
  action?: string | undefined;
  outcome?: AuditOutcome | undefined;
  object?: string | undefined;
  ip?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  /** The page: where the one before it ended. */
  cursor?: string | undefined;
}

/** What narrows the list of live sessions; it lives in the URL. */
export interface SyncFilters {
  status?: SessionStatus | undefined;
  /** The page: where the one before it ended. */
  cursor?: string | undefined;
}

/** What a link to the form fills in. */
export interface NewJobPrefill {
  kind?: string | undefined;
  payload?: EnqueueRequest["payload"];
}

/** The address of every page, as the router knows it. Links name these and never a string of their own. */
export const paths = {
  overview: "/",
  jobs: "/jobs",
  newJob: "/jobs/new",
  job: "/jobs/$jobId",
  batch: "/batches/$batchId",
  queues: "/queues",
  limits: "/limits",
  schedules: "/schedules",
  newSchedule: "/schedules/new",
  schedule: "/schedules/$scheduleId",
  sync: "/sync",
  newSync: "/sync/new",
  syncSession: "/sync/$sessionId",
  spectate: "/spectate/$sessionId",
  engines: "/engines",
  kinds: "/kinds",
  members: "/members",
  member: "/members/$subject",
  devices: "/devices",
  keys: "/keys",
  adminTokens: "/admin-tokens",
  audit: "/audit",
  status: "/status",
  apiDocs: "/api-docs",
} as const;

/** What is read from the node without a typed client. */
export const nodePaths = {
  events: "/v1/events",
  openApi: "/openapi.json",
} as const;
