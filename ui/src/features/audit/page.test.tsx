import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { platform } from "~/platform";
import type { AuditFilters } from "~/paths";
import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { AuditPage } from "./page";

const ENTRY = {
  seq: 7,
  at: "2026-01-01T00:00:00.000Z",
  actor: { kind: "person", subject: "m_1" },
  ip: "203.0.113.7",
  method: "POST",
  route: "/a/route/{of}/it",
  action: "member.create",
  object: "m_2",
  outcome: "refused",
  status: 409,
  code: "MEMBER_NAME_TAKEN",
  trace_id: "4bf9",
  detail: { role: "viewer" },
  hash: "ab12",
  intact: true,
};
const REPORT = { ok: true, entries: 2, first_seq: 1, last_seq: 2, cut_seq: 0, heads: 1, signers: [], problems: [], problem_count: 0 };

function open(filters: AuditFilters = {}, entry: Record<string, unknown> = {}) {
  const node = fakeNode({
    "GET /v1/audit": { body: { items: [{ ...ENTRY, ...entry }], next_cursor: null } },
    "GET /v1/members": { body: { items: [{ subject: "m_1", name: "Ada" }, { subject: "m_2", name: "Grace" }], version: 1 } },
    "GET /v1/audit/export": { body: { id: "1" } },
  });
  renderPart(<AuditPage filters={filters} />);
  return node;
}

const entries = () => screen.findByRole("region", { name: "Entries" });

describe("the page of the audit log", () => {
  it("tells who did what to whom, and all of it on request", async () => {
    const user = userEvent.setup({ delay: null });
    open();
    const list = await entries();
    const summary = await within(list).findByText("member.create");
    expect(within(list).getByRole("listitem")).toHaveTextContent(/on Grace.*Ada from 203\.0\.113\.7.*Refused/);
    await user.click(summary);
    expect(within(list).getByText("POST /a/route/{of}/it")).toBeVisible();
    expect(list).toHaveTextContent(/409 MEMBER_NAME_TAKEN/);
    expect(list).toHaveTextContent(/ab12/);
    expect(list).toHaveTextContent(/viewer/);
  });

  it("points at an entry that is not what was written", async () => {
    open({}, { intact: false });
    expect(await within(await entries()).findByText("Altered")).toBeInTheDocument();
    expect(screen.getByText("This entry is not what was written")).toBeInTheDocument();
  });

  it("saves what matches as a file", async () => {
    const user = userEvent.setup({ delay: null });
    const save = vi.spyOn(platform, "saveFile").mockReturnValue();
    const node = open({ outcome: "refused" });
    await user.click(await screen.findByRole("button", { name: "Export what matches" }));
    await vi.waitFor(() => expect(save).toHaveBeenCalledTimes(1));
    expect(save.mock.calls[0]?.[0]).toBe("flowork-audit.jsonl");
    expect(await save.mock.calls[0]?.[1].text()).toBe('{"id":"1"}');
    expect(node.bodies("GET /v1/audit/export")).toHaveLength(1);
  });

  it("shows how far the check is, and that the log is whole", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    const stream = node.stream("GET /v1/audit/verify");
    await user.click(await screen.findByRole("button", { name: "Check now" }));
    stream.send("progress", { checked: 1, total: 2 });
    expect(await screen.findByText(/50 % · 1 of 2 entries/)).toBeInTheDocument();
    stream.send("report", REPORT);
    stream.end();
    expect(await screen.findByRole("status", { name: "Result of the check" })).toHaveTextContent(
      /The log is whole.*2 entries and 1 signed day were checked/,
    );
  });

  it("names the places where the log was tampered with", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    const stream = node.stream("GET /v1/audit/verify");
    await user.click(await screen.findByRole("button", { name: "Check now" }));
    const problems = [{ seq: 2, kind: "entry_changed", message: "its hash does not fit" }];
    stream.send("report", { ...REPORT, ok: false, problems, problem_count: 1 });
    stream.end();
    expect(await screen.findByRole("alert")).toHaveTextContent(/1 place of the log is not.*Entry 2: its hash does not fit/);
  });

  it("does not take a check that was cut off for one that found nothing", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open();
    const stream = node.stream("GET /v1/audit/verify");
    await user.click(await screen.findByRole("button", { name: "Check now" }));
    stream.end();
    expect(await screen.findByRole("alert")).toHaveTextContent(/cut off before its end/);
  });
});
