import { describe, expect, it } from "vitest";

import { auditQuery, narrows, readAuditFilters } from "./search";

describe("the filters of the audit log", () => {
  it("are read from the address, and what makes no sense is left out", () => {
    expect(
      readAuditFilters({ actor: "owner", action: "member", outcome: "refused", object: 7, ip: "::1", from: "2026-01-31", cursor: "c" }),
    ).toEqual({ actor: "owner", action: "member", outcome: "refused", object: "7", ip: "::1", from: "2026-01-31", cursor: "c" });
    expect(readAuditFilters({ outcome: "odd", from: "2026-13-41", to: "soon", actor: " ", more: "x" })).toEqual({});
  });

  it("include the whole of the last day, as days are where the person is", () => {
    const { from = "", to = "" } = auditQuery({ from: "2026-01-31", to: "2026-01-31" });
    expect(Date.parse(to) - Date.parse(from)).toBe(24 * 60 * 60 * 1_000);
    expect(new Date(from).getHours()).toBe(0);
  });

  it("narrow unless only the page is chosen", () => {
    expect(narrows({ cursor: "c" })).toBe(false);
    expect(narrows({ outcome: "failed" })).toBe(true);
  });
});
