import { isList, isRecord, number, parseJson, text } from "~/json";

import {
  type Computed,
  type Participant,
  SESSION_ACTIONS,
  SESSION_EVENTS,
  SESSION_STATUSES,
  type Switched,
  SYNC_MODES,
  type SyncEvent,
  type SyncPage,
  type SyncState,
  type SyncSummary,
  TIMEOUT_ACTIONS,
} from "./state";

/** What the node says over a socket. */
export type Message =
  | { name: "connected" }
  | { name: "state"; state: SyncState }
  | { name: "deleted" }
  | { name: "pong" }
  | { name: "error"; code: string; message: string };

/** Reads a message of the node; `undefined` for what is none, or of a kind that is newer than this client. */
export function readMessage(source: string): Message | undefined {
  const json = parseJson(source);
  if (!json.ok || !isRecord(json.value)) return undefined;
  const said = json.value;
  switch (said["type"]) {
    case "CONNECTED":
      return { name: "connected" };
    case "STATE_SYNC":
    case "STATE_UPDATE": {
      const state = readState(said["state"]);
      return state === undefined ? undefined : { name: "state", state };
    }
    case "SESSION_DELETED":
      return { name: "deleted" };
    case "PONG":
      return { name: "pong" };
    case "ERROR":
      return { name: "error", code: text(said["code"]) ?? "", message: text(said["message"]) ?? "" };
    default:
      return undefined;
  }
}

/** Reads a session; `undefined` if anything that clocks need is missing. */
export function readState(value: unknown): SyncState | undefined {
  if (!isRecord(value)) return undefined;
  const told = readTold(value);
  const participants = readAll(value["participants"], readParticipant);
  const totalTimeMs = number(value["total_time_ms"]);
  const cycleElapsedMs = number(value["cycle_elapsed_ms"]);
  const onTimeout = oneOf(TIMEOUT_ACTIONS, value["action_on_timeout"]);
  if (told === undefined || participants === undefined || totalTimeMs === undefined) return undefined;
  if (cycleElapsedMs === undefined || onTimeout === undefined) return undefined;
  return {
    ...told,
    participants,
    active_participant_id: text(value["active_participant_id"]) ?? null,
    total_time_ms: totalTimeMs,
    time_per_cycle_ms: number(value["time_per_cycle_ms"]) ?? null,
    cycle_elapsed_ms: cycleElapsedMs,
    session_started_at: text(value["session_started_at"]) ?? null,
    session_completed_at: text(value["session_completed_at"]) ?? null,
    increment_ms: number(value["increment_ms"]) ?? null,
    max_time_ms: number(value["max_time_ms"]) ?? null,
    action_on_timeout: onTimeout,
  };
}

/** Reads the answer of a switch: what of the session it changed. */
export function readSwitched(value: unknown): Switched | undefined {
  if (!isRecord(value)) return undefined;
  const participants = readAll(value["participants"], readParticipant);
  const status = oneOf(SESSION_STATUSES, value["status"]);
  const version = number(value["version"]);
  if (participants === undefined || status === undefined || version === undefined) return undefined;
  return {
    participants,
    status,
    version,
    active_participant_id: text(value["active_participant_id"]) ?? null,
    cycle_started_at: text(value["cycle_started_at"]) ?? null,
    // A switch begins a cycle.
    cycle_elapsed_ms: 0,
  };
}

export function readSummary(value: unknown): SyncSummary | undefined {
  if (!isRecord(value)) return undefined;
  const told = readTold(value);
  const count = number(value["participant_count"]);
  const computed = readComputed(value["computed"]);
  const active = value["active_participant"] ?? null;
  const participant = active === null ? null : readParticipant(active);
  if (told === undefined || count === undefined || computed === undefined || participant === undefined) return undefined;
  return { ...told, participant_count: count, active_participant: participant, computed };
}

export function readEvent(value: unknown): SyncEvent | undefined {
  if (!isRecord(value)) return undefined;
  const [sequence, version, at] = [number(value["sequence"]), number(value["version"]), text(value["at"])];
  const event = oneOf(SESSION_EVENTS, value["event"]);
  const status = oneOf(SESSION_STATUSES, value["status"]);
  if (sequence === undefined || version === undefined || at === undefined) return undefined;
  if (event === undefined || status === undefined) return undefined;
  const [actor, participantId] = [text(value["actor"]) ?? null, text(value["participant_id"]) ?? null];
  return { sequence, version, at, event, status, actor, participant_id: participantId, cycles: number(value["cycles"]) ?? 0 };
}

/** Reads a page of a list, each of whose items is read by `read`. */
export function readPage<Item>(value: unknown, read: (item: unknown) => Item | undefined): SyncPage<Item> | undefined {
  if (!isRecord(value)) return undefined;
  const items = readAll(value["items"], read);
  return items === undefined ? undefined : { items, next_cursor: text(value["next_cursor"]) ?? null };
}

function readTold(value: Record<string, unknown>) {
  const [id, createdBy] = [text(value["session_id"]), text(value["created_by"])];
  const [createdAt, updatedAt] = [text(value["created_at"]), text(value["updated_at"])];
  const mode = oneOf(SYNC_MODES, value["sync_mode"]);
  const status = oneOf(SESSION_STATUSES, value["status"]);
  const version = number(value["version"]);
  if (id === undefined || mode === undefined || status === undefined || version === undefined) return undefined;
  if (createdBy === undefined || createdAt === undefined || updatedAt === undefined) return undefined;
  const allowed = isList(value["allowed_actions"]) ? value["allowed_actions"] : [];
  return {
    session_id: id,
    sync_mode: mode,
    status,
    version,
    cycle_started_at: text(value["cycle_started_at"]) ?? null,
    metadata: isRecord(value["metadata"]) ? value["metadata"] : null,
    created_by: createdBy,
    created_at: createdAt,
    updated_at: updatedAt,
    // An action that is newer than this client can't be offered by it.
    allowed_actions: allowed.flatMap((action) => oneOf(SESSION_ACTIONS, action) ?? []),
  };
}

function readParticipant(value: unknown): Participant | undefined {
  if (!isRecord(value)) return undefined;
  const id = text(value["participant_id"]);
  const figures = ["participant_index", "total_time_ms", "time_used_ms", "cycle_count"].map((name) => number(value[name]));
  const [index, leftMs, usedMs, cycles] = figures;
  if (id === undefined || index === undefined || leftMs === undefined || usedMs === undefined || cycles === undefined) {
    return undefined;
  }
  return {
    participant_id: id,
    participant_index: index,
    total_time_ms: leftMs,
    time_used_ms: usedMs,
    cycle_count: cycles,
    is_active: value["is_active"] === true,
    has_expired: value["has_expired"] === true,
    group_id: text(value["group_id"]) ?? null,
  };
}

function readComputed(value: unknown): Computed | undefined {
  const nowMs = isRecord(value) ? number(value["now_ms"]) : undefined;
  if (!isRecord(value) || nowMs === undefined) return undefined;
  return {
    now_ms: nowMs,
    active_remaining_ms: number(value["active_remaining_ms"]) ?? null,
    active_elapsed_ms: number(value["active_elapsed_ms"]) ?? null,
  };
}

/** All items, or `undefined` if one of them can't be read: half a list is a wrong list. */
function readAll<Item>(value: unknown, read: (item: unknown) => Item | undefined): Item[] | undefined {
  if (!isList(value)) return undefined;
  const items = value.flatMap((item) => read(item) ?? []);
  return items.length === value.length ? items : undefined;
}

function oneOf<Name extends string>(names: readonly Name[], value: unknown): Name | undefined {
  return names.find((name) => name === value);
}
