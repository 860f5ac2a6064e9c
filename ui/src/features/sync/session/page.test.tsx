import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";
import type { SyncState } from "~/sync/state";
import { participant, syncState } from "~/sync/test-world";

import { fakeSockets } from "../test-socket";
import { SyncSessionPage } from "./page";

const ID = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90";

function running(version: number, active: 0 | 1): SyncState {
  return syncState({
    status: "running",
    version,
    participants: [
      participant({ is_active: active === 0 }),
      participant({ participant_id: "p1", participant_index: 1, is_active: active === 1 }),
    ],
    active_participant_id: `p${active}`,
    cycle_started_at: new Date().toISOString(),
    allowed_actions: ["switch", "pause", "complete", "cancel"],
    metadata: { title: "Final", names: ["White", "Black"] },
  });
}

async function open(state: SyncState, permissions = ["sessions_read", "sessions_write"]) {
  vi.spyOn(session, "state").mockReturnValue({ name: "signed_in", me: { subject: "m_1", role: "member", session_id: "ses_1", permissions } });
  const sockets = fakeSockets();
  const node = fakeNode({
    [`GET /v1/sessions/${ID}`]: { body: { data: state } },
    [`GET /v1/sessions/${ID}/events`]: { body: { data: { items: [], next_cursor: null } } },
    "GET /v1/time": { body: { timestamp_ms: Date.now(), server_version: "1", drift_tolerance_ms: 50 } },
    "POST /v1/auth/ticket": { status: 201, body: { ticket: "flt_1", expires_at: "2027-01-15T08:00:00.000Z" } },
    [`POST /v1/sessions/${ID}/switch`]: { body: { data: { ...running(state.version + 1, 1), session_id: ID } } },
  });
  renderPart(<SyncSessionPage id={ID} />);
  await screen.findByRole("heading", { level: 1 });
  await waitFor(() => expect(sockets.opened).not.toHaveLength(0));
  act(() => sockets.open(state));
  return { node, sockets, user: userEvent.setup({ delay: null }) };
}

function activeName(): string | null | undefined {
  const rows = within(screen.getByRole("region", { name: "Participants" })).getAllByRole("listitem");
  return rows.find((row) => row.getAttribute("aria-current") === "true")?.getAttribute("aria-label");
}

afterEach(() => vi.unstubAllGlobals());

describe("the page of a live session", () => {
  it("follows what others do, and opens its socket with a ticket", async () => {
    const { sockets } = await open(running(2, 0));
    expect(sockets.last().url).toMatch(new RegExp(`^ws://.*/ws\\?sessionId=${ID}&ticket=flt_1$`));
    expect(activeName()).toBe("White");
    act(() => sockets.tell("STATE_UPDATE", running(3, 1)));
    expect(activeName()).toBe("Black");
    act(() => sockets.tell("STATE_UPDATE", running(2, 0)));
    expect(activeName(), "an older state changes nothing").toBe("Black");
  });

  it("switches with the button, and with the space bar where nothing else has a use for it", async () => {
    const { node, user } = await open(running(2, 0));
    await user.click(screen.getByRole("button", { name: "Switch" }));
    await waitFor(() => expect(activeName()).toBe("Black"));
    expect(node.bodies(`POST /v1/sessions/${ID}/switch`)).toHaveLength(1);
    await user.click(screen.getByRole("heading", { level: 1 }));
    await user.keyboard(" ");
    await waitFor(() => expect(node.bodies(`POST /v1/sessions/${ID}/switch`)).toHaveLength(2));
    await user.click(screen.getByRole("button", { name: "Delete" }));
    await user.keyboard("{Tab} {Escape}");
    expect(node.bodies(`POST /v1/sessions/${ID}/switch`), "not from within a dialog").toHaveLength(2);
  });

  it("sends the version that is shown, and says so when somebody else was faster", async () => {
    const { node, user } = await open(running(2, 0));
    const fetched = vi.mocked(globalThis.fetch);
    const details = { expected_version: 2, actual_version: 3 };
    node.answer(`POST /v1/sessions/${ID}/switch`, refusal("CONFLICT", "the session is at version 3", { details }), 409);
    node.answer(`GET /v1/sessions/${ID}`, { data: running(3, 1) });
    await user.click(screen.getByRole("button", { name: "Switch" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(/Somebody else was faster.*You saw version 2; it is at version 3 now/);
    await waitFor(() => expect(activeName()).toBe("Black"));
    const sent = fetched.mock.calls.map(([request]) => request).filter((request) => request instanceof Request);
    const matches = sent.filter(({ url }) => url.endsWith("/switch")).map(({ headers }) => headers.get("if-match"));
    expect(matches).toEqual(['"2"']);
  });

  it("asks before it deletes, and tells those who look on", async () => {
    const { node, user, sockets } = await open(running(2, 0));
    node.answer(`DELETE /v1/sessions/${ID}`, undefined, 204);
    await user.click(screen.getByRole("button", { name: "Delete" }));
    const dialog = screen.getByRole("alertdialog", { name: "Delete this session?" });
    expect(node.bodies(`DELETE /v1/sessions/${ID}`)).toHaveLength(0);
    await user.click(within(dialog).getByRole("button", { name: "Delete session" }));
    await waitFor(() => expect(node.bodies(`DELETE /v1/sessions/${ID}`)).toHaveLength(1));
    act(() => {
      sockets.tell("SESSION_DELETED");
      sockets.cut(1000, "the session was deleted");
    });
  });

  it("shows that it was deleted by somebody else", async () => {
    const { sockets } = await open(running(2, 0));
    act(() => {
      sockets.tell("SESSION_DELETED");
      sockets.cut(1000, "the session was deleted");
    });
    await screen.findByRole("heading", { name: "This session was deleted" });
  });

  it("says that it reconnects, and goes on with what it knows", async () => {
    const { sockets } = await open(running(2, 0));
    act(() => void sockets.cut(1006));
    expect(screen.getByRole("status", { name: "Connection of this session" })).toHaveTextContent(/Reconnecting/);
    expect(activeName()).toBe("White");
    expect(screen.getByRole("button", { name: "Try now" })).toBeInTheDocument();
  });

  it("asks for nothing while it waits for its line, but for what somebody presses for", async () => {
    const { node, sockets } = await open(running(2, 0));
    const asked = () => node.bodies(`GET /v1/sessions/${ID}`).length;
    const before = asked();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    act(() => void sockets.cut(1006));
    await act(() => vi.advanceTimersByTimeAsync(60_000));
    expect(asked()).toBe(before);
    vi.useRealTimers();
    act(() => screen.getByRole("button", { name: "Try now" }).click());
    await waitFor(() => expect(asked()).toBe(before + 1));
  });

  it("offers nothing to those who may only look, and only what the status allows to others", async () => {
    await open(running(2, 0), ["sessions_read"]);
    expect(screen.queryByRole("button", { name: /Switch|Pause|Complete|Delete/ })).not.toBeInTheDocument();
    expect(screen.getByText(/You may look on/)).toBeInTheDocument();
  });
});
