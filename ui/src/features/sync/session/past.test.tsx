import { QueryClient } from "@tanstack/react-query";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";
import type { SyncEvent } from "~/sync/state";
import { participant, syncState } from "~/sync/test-world";

import { LookUp } from "../list/look-up";
import { syncQueries } from "../queries";
import { fakeSockets } from "../test-socket";
import { SyncSessionPage } from "./page";

const ID = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90";
const [WHITE, BLACK] = ["11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"];
const BOTH = [{ participant_id: WHITE }, { participant_id: BLACK }];

function event(sequence: number, name: SyncEvent["event"], change: Partial<SyncEvent> = {}): SyncEvent {
  return {
    session_id: ID,
    sequence,
    version: sequence,
    at: "2027-01-15T08:00:00.000Z",
    event: name,
    status: "running",
    actor: "m_1",
    participant_id: null,
    balances: [],
    cycles: 0,
    ...change,
  };
}

function open(events: { status?: number; body: unknown }, queries?: QueryClient) {
  const me = { subject: "m_1", role: "member", session_id: "ses_1", permissions: ["sessions_read", "sessions_write"] } as const;
  vi.spyOn(session, "state").mockReturnValue(signedIn({ ...me, permissions: [...me.permissions] }));
  fakeSockets();
  fakeNode({
    [`GET /v1/sessions/${ID}`]: { status: 404, body: refusal("SESSION_NOT_FOUND", "there is no such session") },
    [`GET /v1/sessions/${ID}/events`]: events,
    "POST /v1/auth/ticket": { status: 201, body: { ticket: "flt_1", expires_at: "2027-01-15T08:00:00.000Z" } },
  });
  renderPart(<SyncSessionPage id={ID} />, queries);
}

function signedIn(me: { subject: string; role: "member"; session_id: string; permissions: string[] }) {
  return { name: "signed_in", me } as const;
}

/** What each entry of the history says. */
async function told(): Promise<(string | null)[]> {
  const history = await screen.findByRole("region", { name: "History" });
  const entries = await within(history).findAllByRole("listitem");
  return entries.map((entry) => entry.firstElementChild?.textContent ?? null);
}

afterEach(() => vi.unstubAllGlobals());

describe("a session that the node has removed", () => {
  it("shows its history by its id, with the numbers of those who took part", async () => {
    const items = [
      event(1, "session_created", { balances: BOTH }),
      event(2, "started", { participant_id: WHITE }),
      event(3, "cycle_switched", { participant_id: BLACK }),
      event(4, "completed"),
      event(5, "deleted", { actor: null }),
    ];
    open({ body: { data: { items, next_cursor: null } } });
    await screen.findByRole("heading", { level: 1, name: "This session is over" });
    expect(await told()).toEqual(["Made", "Started with Participant 1", "Switched to Participant 2", "Completed", "Deleted"]);
    expect(screen.getByRole("link", { name: "All live sessions" })).toBeInTheDocument();
  });

  it("names those of whom the beginning is not kept any more by their id", async () => {
    open({ body: { data: { items: [event(9, "cycle_switched", { participant_id: BLACK })], next_cursor: null } } });
    await screen.findByRole("region", { name: "History" });
    expect(await told()).toEqual(["Switched to participant 22222222"]);
  });

  it("is over, also where this window still knows how it was, and then its history has names", async () => {
    const queries = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity } } });
    const participants = [participant({ participant_id: WHITE, is_active: true })];
    const known = syncState({ status: "running", participants, metadata: { title: "Final", names: ["White"] } });
    queries.setQueryData(syncQueries.one(ID).queryKey, known);
    open({ body: { data: { items: [event(1, "started", { participant_id: WHITE })], next_cursor: null } } }, queries);
    await screen.findByRole("heading", { level: 1, name: "This session is over" });
    expect(await told()).toEqual(["Started with White"]);
    expect(screen.queryByRole("button", { name: "Pause" })).not.toBeInTheDocument();
  });

  it("is told from one that never was", async () => {
    open({ status: 404, body: refusal("SESSION_NOT_FOUND", "there is no such session") });
    await screen.findByRole("heading", { level: 1, name: "There is no such session" });
    expect(screen.queryByRole("region", { name: "History" })).not.toBeInTheDocument();
  });

  it("is found by its id, or by a link that somebody kept", async () => {
    const user = userEvent.setup({ delay: null });
    const { container } = renderPart(<LookUp />);
    const field = await screen.findByRole("textbox", { name: "A session that is not listed any more" });
    await user.type(field, "the chess game");
    await user.click(screen.getByRole("button", { name: "Show history" }));
    expect(field).toBeInvalid();
    expect(container).toHaveTextContent("There is no session id in that");
    await user.clear(field);
    await user.type(field, `http://127.0.0.1:7717/spectate/${ID.toUpperCase()}{Enter}`);
    await waitFor(() => expect(screen.getByRole("heading", { name: "Another page" })).toBeInTheDocument());
  });
});
