import { isRecord, number, parseJson, text } from "~/json";
import { TicketDelayed, TicketRefused } from "~/sync/connection";
import { readEvent, readPage, readState, readSummary, readSwitched } from "~/sync/read";
import type { CreateSession, SessionAction, SessionStatus, SyncEvent, SyncPage, SyncState, SyncSummary } from "~/sync/state";

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

/** The node's calls about sync sessions. Whatever is no success is thrown as an `ApiError`. */
export function createSyncCalls({ nodeUrl, fetch }: Dependencies) {
  async function send(method: string, path: string, more: { body?: unknown; version?: number; signal?: AbortSignal } = {}) {
    const headers = new Headers({ accept: "application/json" });
    if (more.body !== undefined) headers.set("content-type", "application/json");
    if (more.version !== undefined) headers.set("if-match", `"${more.version}"`);
    const response = await fetch(
      new Request(nodeUrl() + path, {
        method,
        headers,
        ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
        ...(more.signal === undefined ? {} : { signal: more.signal }),
      }),
    );
    if (!response.ok) throw await ApiError.from(response);
    return response;
  }

  /** Reads what is below `data` in an answer. */
  async function ask<Answer>(call: Promise<Response>, read: (data: unknown) => Answer | undefined): Promise<Answer> {
    const response = await call;
    const json = parseJson(await response.text());
    const answer = json.ok && isRecord(json.value) ? read(json.value["data"]) : undefined;
    if (answer === undefined) throw new ApiError(502, undefined, response.headers);
    return answer;
  }

  const at = (id: string, rest = "") => `/v1/sessions/${encodeURIComponent(id)}${rest}`;

  /** Makes that participant the active one; the next without one. The answer is put into the session as it was seen. */
  async function switchTo(seen: SyncState, participantId: string | undefined): Promise<SyncState> {
    const body = participantId === undefined ? {} : { body: { next_participant_id: participantId } };
    const switched = await ask(send("POST", at(seen.session_id, "/switch"), { version: seen.version, ...body }), readSwitched);
    return { ...seen, ...switched };
  }

  return {
    list({ status, cursor }: ListSessions, signal: AbortSignal): Promise<SyncPage<SyncSummary>> {
      const query = new URLSearchParams();
      if (status !== undefined) query.set("status", status);
      if (cursor !== undefined) query.set("cursor", cursor);
      const words = query.size === 0 ? "" : `?${query.toString()}`;
      return ask(send("GET", `/v1/sessions${words}`, { signal }), (data) => readPage(data, readSummary));
    },

    get(id: string, signal: AbortSignal): Promise<SyncState> {
      return ask(send("GET", at(id), { signal }), readState);
    },

    create(request: CreateSession): Promise<SyncState> {
      return ask(send("POST", "/v1/sessions", { body: request }), readState);
    },

    /** Does something with the session as it was seen, and gives it as it is then. */
    async act(seen: SyncState, action: SessionAction): Promise<SyncState> {
      if (action === "switch") return switchTo(seen, undefined);
      return ask(send("POST", at(seen.session_id, `/${action}`), { version: seen.version }), readState);
    },

    switchTo,

    async remove(id: string, version: number): Promise<void> {
      await send("DELETE", at(id), { version });
    },

    /** What happened to a session after the event of that number, oldest first. */
    events(id: string, after: string | undefined, signal: AbortSignal): Promise<SyncPage<SyncEvent>> {
      const query = new URLSearchParams({ limit: String(EVENTS_A_PAGE) });
      if (after !== undefined) query.set("cursor", after);
      return ask(send("GET", at(id, `/events?${query.toString()}`), { signal }), (data) => readPage(data, readEvent));
    },

    /** A ticket for one socket. */
    async fetchTicket(): Promise<string> {
      try {
        const response = await send("POST", "/v1/auth/ticket", { body: { path: SOCKET_PATH } });
        const json = parseJson(await response.text());
        const ticket = json.ok && isRecord(json.value) ? text(json.value["ticket"]) : undefined;
        if (ticket !== undefined) return ticket;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) throw new TicketRefused(error.message);
        throw new TicketDelayed(error instanceof ApiError ? (error.retryAfterS ?? 0) * 1_000 : 0, error);
      }
      throw new TicketDelayed(0, "an answer without a ticket");
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
