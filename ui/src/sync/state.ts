/** What a node says about sync sessions, as it is on the wire. */

/** All modes: what counts down. */
export const SYNC_MODES = ["per_participant", "per_cycle", "per_group", "global", "count_up"] as const;
/** All statuses, in the order of a session's life. */
export const SESSION_STATUSES = ["pending", "running", "paused", "completed", "cancelled", "expired"] as const;
/** What the node may do when time has run out. */
export const TIMEOUT_ACTIONS = ["none", "auto_advance", "end_session"] as const;
/** What can be done with a session. */
export const SESSION_ACTIONS = ["start", "switch", "pause", "resume", "complete", "cancel"] as const;
/** What can have happened to a session. */
export const SESSION_EVENTS = [
  "session_created",
  "started",
  "cycle_switched",
  "paused",
  "resumed",
  "participant_expired",
  "completed",
  "cancelled",
  "deleted",
] as const;

export type SyncMode = (typeof SYNC_MODES)[number];
export type SessionStatus = (typeof SESSION_STATUSES)[number];
export type TimeoutAction = (typeof TIMEOUT_ACTIONS)[number];
export type SessionAction = (typeof SESSION_ACTIONS)[number];
export type SessionEventName = (typeof SESSION_EVENTS)[number];

export interface Participant {
  participant_id: string;
  participant_index: number;
  /** What is left, as of the last change. */
  total_time_ms: number;
  /** Time as the active one, as of the last change. */
  time_used_ms: number;
  cycle_count: number;
  is_active: boolean;
  has_expired: boolean;
  group_id: string | null;
}

/** What a session and its entry in a list both tell. */
interface Told {
  session_id: string;
  sync_mode: SyncMode;
  status: SessionStatus;
  version: number;
  cycle_started_at: string | null;
  metadata: Record<string, unknown> | null;
  created_by: string;
  created_at: string;
  updated_at: string;
  allowed_actions: SessionAction[];
}

export interface SyncState extends Told {
  participants: Participant[];
  active_participant_id: string | null;
  total_time_ms: number;
  time_per_cycle_ms: number | null;
  /** What the open cycle was charged before `cycle_started_at`. */
  cycle_elapsed_ms: number;
  session_started_at: string | null;
  session_completed_at: string | null;
  increment_ms: number | null;
  max_time_ms: number | null;
  action_on_timeout: TimeoutAction;
}

/** What a switch changed. */
export type Switched = Pick<
  SyncState,
  "participants" | "status" | "version" | "active_participant_id" | "cycle_started_at" | "cycle_elapsed_ms"
>;

/** Times at the moment of an answer. */
export interface Computed {
  now_ms: number;
  active_remaining_ms: number | null;
  active_elapsed_ms: number | null;
}

export interface SyncSummary extends Told {
  participant_count: number;
  active_participant: Participant | null;
  computed: Computed;
}

export interface SyncEvent {
  sequence: number;
  version: number;
  at: string;
  event: SessionEventName;
  /** Who did it; `null` for the node itself. */
  actor: string | null;
  participant_id: string | null;
  status: SessionStatus;
  /** Cycles that ended with it. */
  cycles: number;
}

/** A page of a list. */
export interface SyncPage<Item> {
  items: Item[];
  next_cursor: string | null;
}

export interface NewParticipant {
  participant_id: string;
  participant_index: number;
  total_time_ms: number;
  group_id?: string;
}

export interface CreateSession {
  session_id: string;
  sync_mode: SyncMode;
  participants: NewParticipant[];
  total_time_ms: number;
  time_per_cycle_ms?: number;
  increment_ms?: number;
  max_time_ms?: number;
  action_on_timeout: TimeoutAction;
  metadata?: Record<string, unknown>;
}

/** Nothing can change any more. */
export function isFinal(status: SessionStatus): boolean {
  return status === "completed" || status === "cancelled" || status === "expired";
}
