import { text } from "~/json";
import type { SyncFilters } from "~/paths";
import { SESSION_STATUSES } from "~/sync/state";

/** Reads what narrows the list out of a URL. What makes no sense is left out rather than refused. */
export function readSyncFilters(search: Record<string, unknown>): SyncFilters {
  const status = SESSION_STATUSES.find((one) => one === search["status"]);
  const cursor = text(search["cursor"]);
  return { ...(status === undefined ? {} : { status }), ...(cursor === undefined || cursor === "" ? {} : { cursor }) };
}
