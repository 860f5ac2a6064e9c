import type { Platform } from "~/platform";

import { ApiError, NodeUnreachable, SignedOut } from "./error";
import { isRecord, parseJson, text } from "~/json";
import type { Me, TokenAnswer } from "./types";

/** Why nobody is signed in. */
export type SignedOutReason = "no_link" | "link_spent" | "ended" | "signed_out";

export type SessionState =
  | { name: "starting" }
  | { name: "unreachable" }
  | { name: "signed_out"; reason: SignedOutReason; said?: ApiError }
  | { name: "signed_in"; me: Me };

/** Renew an access token that ends sooner than this, so that no request is sent with one that ends on its way. */
const RENEW_BEFORE_END_MS = 30_000;
/** Believe a new token for at least this long, whatever the clock of this machine says. */
const TRUST_AT_LEAST_MS = 60_000;
/** How long to wait before a start that found no node is tried again: as the event stream does. */
const RESTART_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;

interface AccessToken {
  value: string;
  endsAtMs: number;
}

interface Dependencies {
  platform: Platform;
  fetch: typeof fetch;
  now: () => number;
}

export type Session = ReturnType<typeof createSession>;

/**
 * Who is signed in here, and the tokens that prove it.
 *
 * The refresh token works once and using it twice ends the session, so there is one refresh at a time across all
 * windows: a lock for the windows, one shared promise within this one.
 */
export function createSession({ platform, fetch, now }: Dependencies) {
  let state: SessionState = { name: "starting" };
  let access: AccessToken | undefined;
  let renewing: Promise<string> | undefined;
  let starts = 0;
  const listeners = new Set<() => void>();

  function become(next: SessionState) {
    state = next;
    for (const listener of listeners) listener();
  }

  function adopt(answer: TokenAnswer) {
    platform.secret.write(answer.refresh_token);
    const lastsMs = Math.max(Date.parse(answer.access_expires_at) - now(), TRUST_AT_LEAST_MS + RENEW_BEFORE_END_MS);
    access = { value: answer.access_token, endsAtMs: now() + lastsMs };
    become({ name: "signed_in", me: answer.me });
  }

  function leave(reason: SignedOutReason) {
    access = undefined;
    platform.secret.write(undefined);
    become({ name: "signed_out", reason });
  }

  async function post(path: string, body: Record<string, unknown>, token?: string): Promise<Response> {
    const headers = new Headers({ "content-type": "application/json" });
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    try {
      return await fetch(platform.nodeUrl() + path, { method: "POST", headers, body: JSON.stringify(body) });
    } catch (error) {
      throw new NodeUnreachable(error);
    }
  }

  async function refresh(): Promise<string> {
    const used = platform.secret.read();
    if (used === undefined) {
      if (state.name !== "signed_out") become({ name: "signed_out", reason: "no_link" });
      throw new SignedOut();
    }
    const response = await post("/v1/auth/refresh", { refresh_token: used });
    if (response.ok) {
      const answer = await readTokens(response);
      adopt(answer);
      return answer.access_token;
    }
    if (response.status === 429 || response.status >= 500) throw await ApiError.from(response);
    // A window without locks may have been faster; its newer token is the one to use.
    if (platform.secret.read() !== used) return refresh();
    leave("ended");
    throw new SignedOut();
  }

  /** Gets a new access token, unless somebody got one since `stale` was handed out. */
  function renew(stale: string | undefined): Promise<string> {
    if (access !== undefined && access.value !== stale && isFresh(access)) return Promise.resolve(access.value);
    renewing ??= platform.exclusively("refresh", refresh).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  function isFresh(token: AccessToken): boolean {
    return token.endsAtMs - now() > RENEW_BEFORE_END_MS;
  }

  async function pair(code: string): Promise<void> {
    const response = await post("/v1/auth/pair", { code, device_name: platform.deviceName() });
    if (response.ok) {
      adopt(await readTokens(response));
      return;
    }
    if (response.status === 429 || response.status >= 500) throw await ApiError.from(response);
    // A link that was used here before is how people come back: whoever still has a session just goes in.
    if (platform.secret.read() !== undefined) await renew(undefined);
    else become({ name: "signed_out", reason: "link_spent", said: await ApiError.from(response) });
  }

  /** Signs in with the link's code if there is one, else with what is kept from last time. */
  async function start(code = platform.takePairingCode()): Promise<void> {
    const thisStart = ++starts;
    try {
      if (code !== undefined) await pair(code);
      else await renew(undefined);
    } catch (error) {
      if (error instanceof SignedOut) return;
      for (let attempt = 0; thisStart === starts; attempt += 1) {
        become({ name: "unreachable" });
        await pause(RESTART_DELAYS_MS[Math.min(attempt, RESTART_DELAYS_MS.length - 1)] ?? 30_000);
        if (thisStart === starts) return start(code);
      }
    }
  }

  async function signOut(): Promise<void> {
    const token = access?.value;
    leave("signed_out");
    // The node forgets the session if it can be told; this browser has forgotten it either way.
    if (token !== undefined) await post("/v1/auth/logout", {}, token).catch(() => undefined);
  }

  platform.onPairingLink(() => void start());
  platform.secret.onOtherWindow(() => {
    if (platform.secret.read() === undefined) {
      if (state.name === "signed_in") leave("signed_out");
    } else if (state.name === "signed_out") {
      void start();
    }
  });

  return {
    start,
    signOut,
    renew,
    accessToken: () => (access !== undefined && isFresh(access) ? Promise.resolve(access.value) : renew(access?.value)),
    state: () => state,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

async function readTokens(response: Response): Promise<TokenAnswer> {
  const body = parseJson(await response.text());
  if (body.ok && isTokenAnswer(body.value)) return body.value;
  throw new ApiError(502, undefined, response.headers);
}

function isTokenAnswer(value: unknown): value is TokenAnswer {
  if (!isRecord(value) || !isRecord(value["me"])) return false;
  const texts = [value["access_token"], value["access_expires_at"], value["refresh_token"], value["me"]["subject"]];
  return texts.every((item) => text(item) !== undefined);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
