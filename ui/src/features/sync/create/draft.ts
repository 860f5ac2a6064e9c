import type { FieldError } from "~/api/types";
import type { CreateSession, SyncMode, TimeoutAction } from "~/sync/state";

import { metadataOf } from "../names";

/** Somebody who is to take part, while the form is being filled in. Lengths of time are `undefined` while they are empty. */
export interface DraftParticipant {
  id: string;
  name: string;
  timeMs: number | undefined;
  /** From 1; of those with the same number, all share one time. */
  group: number;
}

/** What the form holds. */
export interface Draft {
  title: string;
  mode: SyncMode;
  participants: readonly DraftParticipant[];
  totalMs: number | undefined;
  perCycleMs: number | undefined;
  incrementMs: number | undefined;
  maxMs: number | undefined;
  onTimeout: TimeoutAction;
}

/** Which fields mean something in a mode; the others are neither shown nor sent. */
export function fieldsOf(mode: SyncMode) {
  return {
    own: mode === "per_participant" || mode === "per_group" || mode === "per_cycle",
    group: mode === "per_group",
    total: mode === "global",
    perCycle: mode === "per_cycle",
    increment: mode === "per_participant",
    max: mode === "count_up",
  };
}

/** What the node takes for a time that means nothing in the mode. */
const ANY_TIME_MS = 86_400_000;

type Read = { ok: true; request: CreateSession } | { ok: false; errors: FieldError[] };

/** Makes a request out of the form. Only what is missing is found here: what is out of range, the node says. */
export function readDraft(draft: Draft, sessionId: string): Read {
  const shown = fieldsOf(draft.mode);
  const errors: FieldError[] = [];
  const needed = (isShown: boolean, ms: number | undefined, field: string): number => {
    if (isShown && ms === undefined) errors.push({ field, message: "A length of time is needed." });
    return isShown && ms !== undefined ? ms : ANY_TIME_MS;
  };
  const participants = draft.participants.map(({ id, timeMs, group }, index) => ({
    participant_id: id,
    participant_index: index,
    total_time_ms: needed(shown.own, timeMs, `/participants/${index}/total_time_ms`),
    ...(shown.group ? { group_id: groupId(sessionId, group) } : {}),
  }));
  const total = needed(shown.total, draft.totalMs, "/total_time_ms");
  const perCycle = needed(shown.perCycle, draft.perCycleMs, "/time_per_cycle_ms");
  if (participants.length === 0) errors.push({ field: "/participants", message: "At least one has to take part." });
  if (errors.length > 0) return { ok: false, errors };
  const metadata = metadataOf({ title: draft.title, names: draft.participants.map(({ name }) => name) });
  return {
    ok: true,
    request: {
      session_id: sessionId,
      sync_mode: draft.mode,
      participants,
      total_time_ms: total,
      ...(shown.perCycle ? { time_per_cycle_ms: perCycle } : {}),
      ...(shown.increment && draft.incrementMs !== undefined ? { increment_ms: draft.incrementMs } : {}),
      ...(shown.max && draft.maxMs !== undefined ? { max_time_ms: draft.maxMs } : {}),
      action_on_timeout: draft.onTimeout,
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    },
  };
}

/** The same id for the same group of a session: its number takes the place of the last digits. */
function groupId(sessionId: string, group: number): string {
  return sessionId.slice(0, -4) + group.toString(16).padStart(4, "0");
}
