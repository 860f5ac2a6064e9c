import { describe, expect, it, vi } from "vitest";

import { TicketDelayed, TicketRefused } from "~/sync/connection";
import { syncState } from "~/sync/test-world";
import { refusal } from "~/test-node";

import { createSyncCalls, readTime } from "./sync-calls";

function open(answer: () => Response | Promise<Response>) {
  const sent: Request[] = [];
  const fetch = vi.fn((request: Request) => {
    sent.push(request);
    return Promise.resolve(answer());
  });
  return { sent, calls: createSyncCalls({ nodeUrl: () => "https://node.example:7717", fetch }) };
}

describe("the calls about sync sessions", () => {
  it("give what the node tells, and nothing that lacks what clocks need", async () => {
    const state = syncState({ metadata: { title: "x" } });
    const whole = open(() => Response.json({ data: { ...state, computed: { now_ms: 1 } } }));
    expect(await whole.calls.get(state.session_id, new AbortController().signal)).toMatchObject(state);
    const partly = open(() => Response.json({ data: { ...state, version: undefined } }));
    await expect(partly.calls.get(state.session_id, new AbortController().signal)).rejects.toMatchObject({ status: 502 });
    const halfAList = open(() => Response.json({ data: { items: [{}], next_cursor: null } }));
    await expect(halfAList.calls.list({}, new AbortController().signal)).rejects.toMatchObject({ status: 502 });
  });

  it("put the answer of a switch into the session as it was seen", async () => {
    const seen = syncState({ version: 4, status: "running", cycle_elapsed_ms: 900, metadata: { title: "x" } });
    const answer = { session_id: seen.session_id, active_participant_id: "p1", cycle_started_at: "2027-01-15T08:00:09.000Z", participants: seen.participants, status: "running", version: 5 };
    const { calls, sent } = open(() => Response.json({ data: answer }));
    const switched = await calls.switchTo(seen, "p1");
    expect(switched).toEqual({ ...seen, active_participant_id: "p1", cycle_started_at: "2027-01-15T08:00:09.000Z", version: 5, cycle_elapsed_ms: 0 });
    expect(sent[0]?.headers.get("if-match")).toBe('"4"');
    expect(await sent[0]?.json()).toEqual({ next_participant_id: "p1" });
  });

  it("open a socket at the node with its ticket, encrypted where the page is", async () => {
    const { calls, sent } = open(() => Response.json({ ticket: "flt_a+b", expires_at: "2027-01-15T08:00:00.000Z" }, { status: 201 }));
    const url = new URL(calls.socketUrl("0f9b2c1e", await calls.fetchTicket()));
    expect(await sent[0]?.json()).toEqual({ path: "/ws" });
    expect([url.protocol, url.host, url.pathname]).toEqual(["wss:", "node.example:7717", "/ws"]);
    expect(Object.fromEntries(url.searchParams)).toEqual({ sessionId: "0f9b2c1e", ticket: "flt_a+b" });
  });

  it("tell a ticket that is refused for good from one that is only late", async () => {
    const refused = open(() => Response.json(refusal("FORBIDDEN", "guests may not"), { status: 403 }));
    await expect(refused.calls.fetchTicket()).rejects.toThrow(TicketRefused);
    const late = open(() => Response.json(refusal("RATE_LIMIT_EXCEEDED", "slow down"), { status: 429, headers: { "retry-after": "7" } }));
    await expect(late.calls.fetchTicket()).rejects.toMatchObject({ name: "TicketDelayed", retryAfterMs: 7_000 });
    const cut = open(() => Promise.reject(new TypeError("network")));
    await expect(cut.calls.fetchTicket()).rejects.toThrow(TicketDelayed);
  });

  it("read the node's time without an envelope", async () => {
    expect(await readTime(Response.json({ timestamp_ms: 7, server_version: "1", drift_tolerance_ms: 50 }))).toBe(7);
    await expect(readTime(Response.json({}))).rejects.toMatchObject({ status: 502 });
  });
});
