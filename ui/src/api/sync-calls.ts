import createClient from "openapi-fetch";

import { isRecord, number, parseJson } from "~/json";
import { TicketDelayed, TicketRefused } from "~/sync/connection";
import { isEventPage, isState, isSummaryPage, isSwitched } from "~/sync/read";
import type { CreateSession, SessionAction, SessionStatus, SyncEvent, SyncPage, SyncState, SyncSummary } from "~/sync/state";

import type { paths } from "./__generated__/schema";
import { ApiError } from "./error";

/** The path that a ticket for a socket is for. */
const SOCKET_PATH = "/ws";
/** The largest page the node gives. */
const EVENTS_A_PAGE = 200;

interface Dependencies {
  /** Where the node answers; no slash at the end. */
  nodeUrl: () => string;
  /** `fetch` as whoever is signed in. */
  fetch: (request: Request) => Promise<Response>;
}

export type SyncCalls = ReturnType<typeof createSyncCalls>;

/** What one list of sessions shows. */
export interface ListSessions {
  status?: SessionStatus | undefined;
  cursor?: string | undefined;
}

type Call = Promise<{ data?: { data: unknown }; error?: unknown; response: Response }>;

/** Gives what is below `data` in an answer. The same is told over a socket, so it is checked in the same way. */
async function ask<Answer>(call: Call, is: (data: unknown) => data is Answer): Promise<Answer> {
  const { data, error, response } = await call;
  if (!response.ok) throw new ApiError(response.status, error, response.headers);
  const answer = data?.data;
  if (!is(answer)) throw new ApiError(502, undefined, response.headers);
  return answer;
}

/** The node's calls about sync sessions. Whatever is no success is thrown as an `ApiError`. */
export function createSyncCalls({ nodeUrl, fetch }: Dependencies) {
  const node = createClient<paths>({ baseUrl: nodeUrl(), fetch });
  const at = (id: string) => ({ path: { session_id: id } });
  /** Names the version that was seen, so that nothing is done to another. */
  const seenAt = (id: string, version: number) => ({ ...at(id), header: { "If-Match": `"${version}"` } });

  /** Makes that participant the active one; the next without one. The answer is put into the session as it was seen. */
  async function switchTo(seen: SyncState, participantId: string | undefined): Promise<SyncState> {
    const switched = await ask(
      node.POST("/v1/sessions/{session_id}/switch", {
        params: seenAt(seen.session_id, seen.version),
        ...(participantId === undefined ? {} : { body: { next_participant_id: participantId } }),
      }),
      isSwitched,
    );
    const { participants, status, version, active_participant_id, cycle_started_at } = switched;
    // A switch begins a cycle.
    return { ...seen, participants, status, version, active_participant_id, cycle_started_at, cycle_elapsed_ms: 0 };
  }

  return {
    list({ status, cursor }: ListSessions, signal: AbortSignal): Promise<SyncPage<SyncSummary>> {
      return ask(node.GET("/v1/sessions", { params: { query: { status, cursor } }, signal }), isSummaryPage);
    },

    get(id: string, signal: AbortSignal): Promise<SyncState> {
      return ask(node.GET("/v1/sessions/{session_id}", { params: at(id), signal }), isState);
    },

    create(request: CreateSession): Promise<SyncState> {
      return ask(node.POST("/v1/sessions", { body: request }), isState);
    },

    /** Does something with the session as it was seen, and gives it as it is then. */
    async act(seen: SyncState, action: SessionAction): Promise<SyncState> {
      if (action === "switch") return switchTo(seen, undefined);
      const params = seenAt(seen.session_id, seen.version);
      return ask(node.POST(`/v1/sessions/{session_id}/${action}`, { params }), isState);
    },

    switchTo,

    async remove(id: string, version: number): Promise<void> {
      const { error, response } = await node.DELETE("/v1/sessions/{session_id}", { params: seenAt(id, version) });
      if (!response.ok) throw new ApiError(response.status, error, response.headers);
    },

    /** What happened to a session after the event of that number, oldest first. */
    events(id: string, after: string | undefined, signal: AbortSignal): Promise<SyncPage<SyncEvent>> {
      const params = { ...at(id), query: { limit: EVENTS_A_PAGE, cursor: after === undefined ? undefined : Number(after) } };
      return ask(node.GET("/v1/sessions/{session_id}/events", { params, signal }), isEventPage);
    },

    /** A ticket for one socket. */
    async fetchTicket(): Promise<string> {
      const asked = await node.POST("/v1/auth/ticket", { body: { path: SOCKET_PATH } }).catch((error: unknown) => {
        throw new TicketDelayed(0, error);
      });
      if (asked.data !== undefined) return asked.data.ticket;
      const refusal = new ApiError(asked.response.status, asked.error, asked.response.headers);
      if (refusal.status === 401 || refusal.status === 403) throw new TicketRefused(refusal.message);
      throw new TicketDelayed((refusal.retryAfterS ?? 0) * 1_000, refusal);
    },

    /** Where the socket of a session is. */
    socketUrl(id: string, ticket: string): string {
      const url = new URL(SOCKET_PATH, nodeUrl());
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      url.search = new URLSearchParams({ sessionId: id, ticket }).toString();
      return url.toString();
    },
  };
}

/** Reads the answer of `GET /v1/time`: the node's time, in milliseconds since the epoch. */
export async function readTime(response: Response): Promise<number> {
  if (!response.ok) throw await ApiError.from(response);
  const json = parseJson(await response.text());
  const ms = json.ok && isRecord(json.value) ? number(json.value["timestamp_ms"]) : undefined;
  if (ms === undefined) throw new ApiError(502, undefined, response.headers);
  return ms;
}
