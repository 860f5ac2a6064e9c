import type { DeviceKey, Platform } from "~/platform";

import { ApiError, NodeUnreachable, SignedOut } from "./error";
import { readChallenge, readGuest, readTokens } from "./session-answers";
import type { Me } from "./types";

/** Why nobody is signed in. */
export type SignedOutReason = "no_link" | "link_spent" | "key_refused" | "ended" | "signed_out" | "app_silent";

export type SessionState =
  | { name: "starting" }
  | { name: "unreachable"; said?: ApiError }
  | { name: "signed_out"; reason: SignedOutReason; said?: ApiError }
  | { name: "signed_in"; me: Me };

/** What can prove who somebody is: a wallet's account, or the key of this browser. */
export interface Signer {
  address: string;
  /** The network that a wallet is on; a key of this browser is on none. */
  chainId?: number;
  /** Signs as `personal_sign` does. */
  sign: (message: string) => Promise<string>;
}

/** Renew an access token that ends sooner than this, so that no request is sent with one that ends on its way. */
const RENEW_BEFORE_END_MS = 30_000;
/** Believe a new token for at least this long, whatever the clock of this machine says. */
const TRUST_AT_LEAST_MS = 60_000;
/** How long to wait before a start that found no node is tried again: as the event stream does. */
const RESTART_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;
/** The desktop app makes a link within this, or does not make one. */
const APP_ANSWER_MS_MAX = 10_000;
/** The desktop app is not asked by itself again sooner: what ends at once would end again. */
const ASK_APP_AGAIN_MS = 30_000;
/** Kept while somebody who signed out has not signed in again: signing in by itself would undo it. */
const SIGNED_OUT_BY_HAND = "signed_out_by_hand";

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
 * The refresh token works once and using it twice may end the session, so there is one refresh at a time across all
 * windows: a lock for the windows, one shared promise within this one. A guest has no refresh token and is a new guest
 * when the token has ended.
 */
export function createSession({ platform, fetch, now }: Dependencies) {
  let state: SessionState = { name: "starting" };
  let access: AccessToken | undefined;
  let isGuest = false;
  let renewing: Promise<string> | undefined;
  let starts = 0;
  let isAskingApp = false;
  let appAskedAtMs = -Infinity;
  const listeners = new Set<() => void>();

  function become(next: SessionState) {
    state = next;
    for (const listener of listeners) listener();
  }

  function adopt(answer: { access_token: string; access_expires_at: string; refresh_token?: string; me: Me }): string {
    isGuest = answer.refresh_token === undefined;
    if (answer.refresh_token !== undefined) {
      platform.secret.write(answer.refresh_token);
      setSignedOutByHand(false);
    }
    const lastsMs = Math.max(Date.parse(answer.access_expires_at) - now(), TRUST_AT_LEAST_MS + RENEW_BEFORE_END_MS);
    access = { value: answer.access_token, endsAtMs: now() + lastsMs };
    become({ name: "signed_in", me: answer.me });
    return answer.access_token;
  }

  function leave(reason: SignedOutReason, said?: ApiError) {
    access = undefined;
    isGuest = false;
    platform.secret.write(undefined);
    beSignedOut(reason, said);
  }

  function setSignedOutByHand(isSo: boolean) {
    if (isSo !== isSignedOutByHand()) platform.preference.write(SIGNED_OUT_BY_HAND, isSo ? "yes" : "no");
  }

  function isSignedOutByHand(): boolean {
    return platform.preference.read(SIGNED_OUT_BY_HAND) === "yes";
  }

  /** Nobody is signed in, unless the desktop app helps. */
  function beSignedOut(reason: SignedOutReason, said?: ApiError) {
    if (isAskingApp) return;
    if (canAppHelp(reason)) askApp();
    else become({ name: "signed_out", reason, ...(said === undefined ? {} : { said }) });
  }

  function canAppHelp(reason: SignedOutReason): boolean {
    if (platform.desktop === undefined || isSignedOutByHand() || now() - appAskedAtMs < ASK_APP_AGAIN_MS) return false;
    // A link that was refused came from the app.
    return reason === "no_link" || reason === "ended" || reason === "key_refused";
  }

  /** Has the desktop app make a link, which comes as any other does. */
  function askApp() {
    isAskingApp = true;
    appAskedAtMs = now();
    const asked = starts;
    become({ name: "starting" });
    platform.desktop?.signIn();
    setTimeout(() => {
      if (starts !== asked || !isAskingApp) return;
      isAskingApp = false;
      beSignedOut("app_silent");
    }, APP_ANSWER_MS_MAX);
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

  async function postOk(path: string, body: Record<string, unknown>): Promise<Response> {
    const response = await post(path, body);
    if (!response.ok) throw await ApiError.from(response);
    return response;
  }

  /** Has a message of the node signed: what proves that the key of that address is here, now, for this node. */
  async function prove({ address, chainId, sign }: Signer) {
    const asked = { address, ...(chainId === undefined ? {} : { chain_id: chainId }) };
    const { message } = await readChallenge(await postOk("/v1/auth/challenge", asked));
    return { message, signature: await sign(message) };
  }

  async function verify(signer: Signer): Promise<string> {
    const body = { ...(await prove(signer)), device_name: platform.deviceName() };
    return adopt(await readTokens(await postOk("/v1/auth/verify", body)));
  }

  async function becomeGuest(): Promise<string> {
    return adopt(await readGuest(await postOk("/v1/auth/guest", {})));
  }

  /** Signs in with the key that this browser made when it was paired, if it has one. */
  async function recognize(): Promise<string> {
    const key = await platform.deviceKey.read().catch(() => undefined);
    if (key === undefined) {
      if (state.name !== "signed_out") beSignedOut("no_link");
      throw new SignedOut();
    }
    try {
      return await verify(key);
    } catch (error) {
      if (!(error instanceof ApiError) || isPassing(error)) throw error;
      leave("key_refused", error);
      throw new SignedOut();
    }
  }

  async function refresh(): Promise<string> {
    if (isGuest) {
      return becomeGuest().catch((error: unknown) => {
        if (!(error instanceof ApiError) || isPassing(error)) throw error;
        leave("ended", error);
        throw new SignedOut();
      });
    }
    const used = platform.secret.read();
    if (used === undefined) return recognize();
    const response = await post("/v1/auth/refresh", { refresh_token: used });
    if (response.ok) return adopt(await readTokens(response));
    const refusal = await ApiError.from(response);
    if (isPassing(refusal)) throw refusal;
    // A window without locks may have been faster; its newer token is the one to use.
    if (platform.secret.read() !== used) return refresh();
    const key = await platform.deviceKey.read().catch(() => undefined);
    if (refusal.code === "SESSION_ENDED" || key === undefined) {
      leave("ended");
      throw new SignedOut();
    }
    // Nobody ended the session on purpose: an answer was lost, or it was not used for long. The key proves who this is.
    return recognize();
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

  /** Trades a link's code for a session, and has the node know the key by which this browser comes back without a link. */
  async function tradeCode(code: string, key: DeviceKey | undefined): Promise<Response> {
    const body = { code, device_name: platform.deviceName() };
    if (key === undefined) return post("/v1/auth/pair", body);
    return post("/v1/auth/pair", { ...body, device_key: { address: key.address, ...(await prove(key)) } });
  }

  async function pair(code: string): Promise<void> {
    const kept = await platform.deviceKey.read().catch(() => undefined);
    let made = kept === undefined ? await platform.deviceKey.make().catch(() => undefined) : undefined;
    let response = await tradeCode(code, kept ?? made);
    if (response.status === 409 && kept !== undefined) {
      // The key in this browser is somebody else's, and the link is for another member.
      made = await platform.deviceKey.make();
      response = await tradeCode(code, made);
    }
    if (response.ok) {
      const answer = await readTokens(response);
      // Whoever can't keep it is signed in all the same, and needs a link the next time.
      await made?.keep().catch(() => undefined);
      adopt(answer);
      return;
    }
    const refusal = await ApiError.from(response);
    if (isPassing(refusal)) throw refusal;
    // A link that was used here before is how people come back: whoever can still go in just does.
    await renew(undefined).catch((error: unknown) => {
      if (!(error instanceof SignedOut)) throw error;
      beSignedOut("link_spent", refusal);
    });
  }

  /** Signs in with the link's code if there is one, else with what is kept from last time. */
  async function start(code = platform.takePairingCode()): Promise<void> {
    const thisStart = ++starts;
    isAskingApp = false;
    try {
      if (code !== undefined) await pair(code);
      else await renew(undefined);
    } catch (error) {
      if (error instanceof SignedOut) return;
      const said = error instanceof ApiError ? error : undefined;
      for (let attempt = 0; thisStart === starts; attempt += 1) {
        become({ name: "unreachable", ...(said === undefined ? {} : { said }) });
        const delayMs = RESTART_DELAYS_MS[Math.min(attempt, RESTART_DELAYS_MS.length - 1)] ?? 30_000;
        await pause(Math.max(delayMs, (said?.retryAfterS ?? 0) * 1_000));
        if (thisStart === starts) return start(code);
      }
    }
  }

  /** Signs in with a wallet's account, or with the key of this browser. */
  async function signIn(signer: Signer): Promise<void> {
    starts += 1;
    await verify(signer);
  }

  /** Looks around as nobody in particular. */
  async function signInAsGuest(): Promise<void> {
    starts += 1;
    await becomeGuest();
  }

  async function signOut(): Promise<void> {
    const token = access?.value;
    // Before the other windows hear of it, so that none of them goes in again with the key.
    await platform.deviceKey.forget().catch(() => undefined);
    setSignedOutByHand(true);
    leave("signed_out");
    // The node forgets the session if it can be told; this browser has forgotten it either way.
    if (token !== undefined) await post("/v1/auth/logout", {}, token).catch(() => undefined);
  }

  platform.onPairingLink(() => void start());
  platform.secret.onOtherWindow(() => {
    if (platform.secret.read() === undefined) {
      if (state.name === "signed_in" && !isGuest) leave("signed_out");
    } else if (state.name === "signed_out") {
      void start();
    }
  });

  return {
    start,
    signIn,
    /** Has the desktop app sign in; whatever it does shows in the state. */
    signInByApp: askApp,
    signInAsGuest,
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

/** Whether the same request may be answered otherwise in a while. */
function isPassing(error: ApiError): boolean {
  return error.status === 429 || error.status >= 500;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
