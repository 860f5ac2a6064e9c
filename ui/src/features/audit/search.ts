import type { AuditOutcome } from "~/api/types";
import type { AuditFilters } from "~/paths";

/** How what was tried can have come out. */
export const OUTCOMES = ["done", "refused", "failed"] as const satisfies readonly AuditOutcome[];

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Reads the filters of the log out of a URL. What makes no sense is left out rather than refused. */
export function readAuditFilters(search: Record<string, unknown>): AuditFilters {
  const filters: AuditFilters = {};
  const outcome = OUTCOMES.find((known) => known === search["outcome"]);
  if (outcome !== undefined) filters.outcome = outcome;
  for (const name of ["actor", "action", "object", "ip", "cursor"] as const) {
    const value = search[name];
    // A typed `?object=7` arrives as a number.
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text === "string" && text.trim() !== "") filters[name] = text;
  }
  for (const name of ["from", "to"] as const) {
    const value = search[name];
    if (typeof value === "string" && DAY.test(value) && Number.isFinite(Date.parse(value))) filters[name] = value;
  }
  return filters;
}

/** Whether anything but the page is chosen. */
export function narrows({ actor, action, outcome, object, ip, from, to }: AuditFilters): boolean {
  return [actor, action, outcome, object, ip, from, to].some((filter) => filter !== undefined);
}

/** The filters as the node takes them: days become the instants at which they begin, here, and the last day is whole. */
export function auditQuery({ from, to, ...rest }: AuditFilters) {
  return {
    ...rest,
    ...(from === undefined ? {} : { from: startOfDay(from, 0) }),
    ...(to === undefined ? {} : { to: startOfDay(to, 1) }),
  };
}

function startOfDay(day: string, daysLater: number): string {
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + daysLater);
  return at.toISOString();
}
