import type { SyncState } from "./state";

/**
 * Whether a state is newer than what is known. Each change makes the version one larger; only a session that was
 * deleted and made again under the same id begins anew, and that one was made later.
 */
export function isNewer(state: SyncState, known: SyncState | undefined): boolean {
  if (known === undefined || state.session_id !== known.session_id) return true;
  const madeLaterMs = Date.parse(state.created_at) - Date.parse(known.created_at);
  return madeLaterMs === 0 ? state.version > known.version : madeLaterMs > 0;
}
