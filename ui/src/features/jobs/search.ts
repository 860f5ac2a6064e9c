import { isJobState } from "~/api/types";
import { isRecord } from "~/json";
import type { JobFilters, NewJobPrefill } from "~/paths";

/** Reads the filters of the list out of a URL. What makes no sense is left out rather than refused. */
export function readJobFilters(search: Record<string, unknown>): JobFilters {
  const filters: JobFilters = {};
  if (isJobState(search["state"])) filters.state = search["state"];
  for (const name of ["kind", "queue", "tag", "cursor"] as const) {
    const value = word(search[name]);
    if (value !== undefined) filters[name] = value;
  }
  return filters;
}

/** Reads what a link fills into the form for a new job. */
export function readPrefill(search: Record<string, unknown>): NewJobPrefill {
  const prefill: NewJobPrefill = {};
  const kind = word(search["kind"]);
  if (kind !== undefined) prefill.kind = kind;
  if (isRecord(search["payload"])) prefill.payload = search["payload"];
  return prefill;
}

/** Reads which page of a list is meant. */
export function readCursor(search: Record<string, unknown>): { cursor?: string } {
  const cursor = word(search["cursor"]);
  return cursor === undefined ? {} : { cursor };
}

/** A typed `?tag=2026` arrives as a number. */
function word(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}
