import type { components } from "~/api/__generated__/schema";

type Schemas = components["schemas"];

/** What a node says about sync sessions, as it is on the wire. What there is not, it says as null and does not leave out. */

export type SyncMode = Schemas["SyncMode"];
export type SessionStatus = Schemas["SessionStatus"];
export type TimeoutAction = Schemas["TimeoutAction"];
export type SessionAction = Schemas["SessionAction"];
export type SessionEventName = Schemas["SessionEventKind"];
export type Participant = Required<Schemas["Participant"]>;
/** Times at the moment of an answer. */
export type Computed = Required<Schemas["Computed"]>;
export type SyncState = Required<Omit<Schemas["SessionState"], "computed" | "participants">> & { participants: Participant[] };
export type SyncSummary = Required<Omit<Schemas["SessionSummary"], "active_participant" | "computed">> & {
  active_participant: Participant | null;
  computed: Computed;
};
/** An event, with those whom it touched in the order of the session's list: all of them where the session was made. */
export type SyncEvent = Required<Omit<Schemas["SessionEvent"], "balances">> & {
  balances: Pick<Schemas["ParticipantBalance"], "participant_id">[];
};
export type CreateSession = Schemas["CreateSessionRequest"];

/** What a switch changed. */
export type Switched = Pick<SyncState, "session_id" | "participants" | "status" | "version" | "active_participant_id" | "cycle_started_at">;

/** A page of a list. */
export interface SyncPage<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** All modes: what counts down. */
export const SYNC_MODES = ["per_participant", "per_cycle", "per_group", "global", "count_up"] as const satisfies readonly SyncMode[];
/** All statuses, in the order of a session's life. */
export const SESSION_STATUSES = [
  "pending",
  "running",
  "paused",
  "completed",
  "cancelled",
  "expired",
] as const satisfies readonly SessionStatus[];
/** What the node may do when time has run out. */
export const TIMEOUT_ACTIONS = ["none", "auto_advance", "end_session"] as const satisfies readonly TimeoutAction[];

/** Nothing can change any more. */
export function isFinal(status: SessionStatus): boolean {
  return status === "completed" || status === "cancelled" || status === "expired";
}
