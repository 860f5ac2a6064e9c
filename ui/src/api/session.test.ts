import { describe, expect, it, vi } from "vitest";

import { isRecord, parseJson } from "~/json";
import type { DesktopApp, DeviceKey, Platform } from "~/platform";

import { authorizedFetch } from "./authorized-fetch";
import { SignedOut } from "./error";
import { createSession } from "./session";

const NOW = Date.parse("2026-01-01T00:00:00.000Z");

/** A home whose secret and lock several windows share. */
function sharedHome(app?: DesktopApp) {
  const preferences = new Map<string, string>();
  let secret: string | undefined;
  let kept: DeviceKey | undefined;
  let keys = 0;
  let queue = Promise.resolve();
  return (code?: string): Platform => ({
    deviceName: () => "a test",
    isSecure: true,
    nodeUrl: () => "http://node.test",
    takePairingCode: () => code,
    onPairingLink: () => () => undefined,
    exclusively: (_, task) => {
      const turn = queue.then(task);
      queue = turn.then(
        () => undefined,
        () => undefined,
      );
      return turn;
    },
    secret: {
      read: () => secret,
      write: (value) => {
        secret = value;
      },
      onOtherWindow: () => () => undefined,
    },
    deviceKey: {
      read: () => Promise.resolve(kept),
      make: () => {
        keys += 1;
        const key = deviceKey(`0x${keys}`);
        return Promise.resolve({ ...key, keep: () => Promise.resolve(void (kept = key)) });
      },
      forget: () => Promise.resolve(void (kept = undefined)),
    },
    saveFile: () => undefined,
    preference: { read: (name) => preferences.get(name), write: (name, value) => void preferences.set(name, value) },
    desktop: app,
  });
}

function deviceKey(address: string): DeviceKey {
  return { address, sign: (message) => Promise.resolve(`${message} signed by ${address}`) };
}

/** The node's side of signing in: keys it was told of go in by what they sign, refresh tokens work once, and a second use ends everything. */
function fakeNode() {
  let serial = 0;
  let ended = false;
  const spent = new Set<string>();
  const calls: string[] = [];
  const members = new Set<string>();
  const othersKeys = new Set<string>();

  function refuse(status: number, code: string) {
    return Response.json({ error: { code, message: code } }, { status });
  }

  function tokens() {
    serial += 1;
    return Response.json({
      access_token: `access-${serial}`,
      access_expires_at: new Date(NOW + 15 * 60_000).toISOString(),
      refresh_token: `refresh-${serial}`,
      me: { subject: "owner", role: "owner", session_id: null, permissions: [] },
    });
  }

  const fetch = vi.fn(async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    calls.push(path);
    if (path === "/v1/auth/pair") {
      const body = parseJson(await request.text());
      const { code, device_key: key } = body.ok && isRecord(body.value) ? body.value : {};
      if (code !== "good") return refuse(401, "LINK_USED");
      if (isRecord(key) && typeof key["address"] === "string") {
        if (othersKeys.has(key["address"])) return refuse(409, "KEY_TAKEN");
        if (key["signature"] === `sign this, ${key["address"]} signed by ${key["address"]}`) members.add(key["address"]);
      }
      return tokens();
    }
    if (path === "/v1/auth/challenge") {
      const { address } = await fields(request);
      return Response.json({ challenge_id: "1", message: `sign this, ${address}` });
    }
    if (path === "/v1/auth/verify") {
      const { signature = "" } = await fields(request);
      const signer = [...members].find((address) => signature === `sign this, ${address} signed by ${address}`);
      return signer === undefined ? refuse(401, "NOT_A_MEMBER") : tokens();
    }
    if (path === "/v1/auth/guest") {
      serial += 1;
      const me = { subject: "guest", role: "guest", session_id: null, permissions: [] };
      return Response.json({ access_token: `access-${serial}`, access_expires_at: new Date(NOW + 3_600_000).toISOString(), me });
    }
    if (path === "/v1/auth/refresh") {
      const { refresh_token: used = "" } = await fields(request);
      if (ended) return refuse(401, "SESSION_ENDED");
      if (spent.has(used)) {
        ended = true;
        return Response.json({ error: { code: "REFRESH_REUSED", message: "reused" } }, { status: 401 });
      }
      spent.add(used);
      return tokens();
    }
    const current = request.headers.get("authorization") === `Bearer access-${serial}`;
    return current ? Response.json({ echo: await request.text() }) : new Response(null, { status: 401 });
  });

  return {
    fetch,
    calls,
    members,
    othersKeys,
    endAll: () => {
      ended = true;
    },
    count: (path: string) => calls.filter((call) => call === path).length,
  };
}

async function fields(request: Request): Promise<Record<string, string>> {
  const body = parseJson(await request.text());
  const members = body.ok && isRecord(body.value) ? Object.entries(body.value) : [];
  return Object.fromEntries(members.map(([name, value]) => [name, String(value)]));
}

describe("a session", () => {
  it("starts with the code of a pairing link and keeps only the refresh token", async () => {
    const home = sharedHome();
    const node = fakeNode();
    const platform = home("good");
    const session = createSession({ platform, fetch: node.fetch, now: () => NOW });
    await session.start();
    expect(session.state()).toMatchObject({ name: "signed_in", me: { subject: "owner" } });
    expect(platform.secret.read()).toBe("refresh-1");
  });

  it("says that a link is spent when there is nothing else to go in with", async () => {
    const session = createSession({ platform: sharedHome()("old"), fetch: fakeNode().fetch, now: () => NOW });
    await session.start();
    expect(session.state()).toMatchObject({ name: "signed_out", reason: "link_spent", said: { code: "LINK_USED" } });
  });

  it("goes in with a spent link if this browser still has a session", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    const again = createSession({ platform: home("old"), fetch: node.fetch, now: () => NOW });
    await again.start();
    expect(again.state().name).toBe("signed_in");
  });

  it("refreshes once for many requests, in one window and across windows", async () => {
    const home = sharedHome();
    const node = fakeNode();
    let clock = NOW;
    const first = createSession({ platform: home("good"), fetch: node.fetch, now: () => clock });
    await first.start();
    const second = createSession({ platform: home(), fetch: node.fetch, now: () => clock });
    await second.start();
    clock += 14 * 60_000 + 45_000;
    const before = node.count("/v1/auth/refresh");
    await Promise.all([...Array.from({ length: 10 }, () => first.accessToken()), ...Array.from({ length: 10 }, () => second.accessToken())]);
    expect(node.count("/v1/auth/refresh") - before).toBe(2);
    expect([first.state().name, second.state().name]).toEqual(["signed_in", "signed_in"]);
  });

  it("ends when the node refuses to refresh it, and forgets its token", async () => {
    const platform = sharedHome()();
    platform.secret.write("stolen");
    const refusing = () => Promise.resolve(Response.json({ error: { code: "SESSION_ENDED" } }, { status: 401 }));
    const session = createSession({ platform, fetch: refusing, now: () => NOW });
    await session.start();
    expect(session.state()).toEqual({ name: "signed_out", reason: "ended" });
    expect(platform.secret.read()).toBeUndefined();
  });

  it("keeps its token while the node is away", async () => {
    vi.useFakeTimers();
    const platform = sharedHome()();
    platform.secret.write("kept");
    const session = createSession({ platform, fetch: () => Promise.reject(new TypeError("refused")), now: () => NOW });
    void session.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(session.state().name).toBe("unreachable");
    expect(platform.secret.read()).toBe("kept");
    vi.useRealTimers();
  });
});

describe("the key of a browser", () => {
  it("is made with the first link, and goes in without one when the refresh token is lost", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    const platform = home();
    platform.secret.write(undefined);
    const session = createSession({ platform, fetch: node.fetch, now: () => NOW });
    await session.start();
    expect(session.state().name).toBe("signed_in");
    expect(platform.secret.read(), "and the session lasts").toBe("refresh-2");
  });

  it("stays the same with the next link, and is made anew where the link is for somebody else", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    expect([...node.members]).toEqual(["0x1"]);
    node.othersKeys.add("0x1");
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    expect([...node.members]).toEqual(["0x1", "0x2"]);
    expect((await home().deviceKey.read())?.address).toBe("0x2");
  });

  it("goes in where a refresh token counts no more, though nobody ended the session on purpose", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    // As after an answer that was lost on its way: the node has used the token up.
    await node.fetch("http://node/v1/auth/refresh", {
      method: "POST",
      body: JSON.stringify({ refresh_token: home().secret.read() }),
    });
    const session = createSession({ platform: home(), fetch: node.fetch, now: () => NOW });
    await session.start();
    expect(session.state().name).toBe("signed_in");
    expect(node.count("/v1/auth/verify")).toBe(1);
  });

  it("does not go in by itself where the session was ended on purpose", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    node.endAll();
    const session = createSession({ platform: home(), fetch: node.fetch, now: () => NOW });
    await session.start();
    expect(session.state()).toMatchObject({ name: "signed_out", reason: "ended" });
    expect(node.count("/v1/auth/verify")).toBe(0);
  });

  it("that the node no longer knows leads to the page that says so", async () => {
    const home = sharedHome();
    const node = fakeNode();
    await createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW }).start();
    node.members.clear();
    const platform = home();
    platform.secret.write(undefined);
    const session = createSession({ platform, fetch: node.fetch, now: () => NOW });
    await session.start();
    expect(session.state()).toMatchObject({ name: "signed_out", reason: "key_refused", said: { code: "NOT_A_MEMBER" } });
  });

  it("is forgotten with signing out", async () => {
    const home = sharedHome();
    const node = fakeNode();
    const session = createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW });
    await session.start();
    await session.signOut();
    expect(await home().deviceKey.read()).toBeUndefined();
    const later = createSession({ platform: home(), fetch: node.fetch, now: () => NOW });
    await later.start();
    expect(later.state()).toEqual({ name: "signed_out", reason: "no_link" });
  });

  it("is not needed: a browser without a place for it pairs all the same", async () => {
    const platform = sharedHome()("good");
    platform.deviceKey.read = () => Promise.reject(new Error("no storage"));
    platform.deviceKey.make = () => Promise.reject(new Error("no storage"));
    const session = createSession({ platform, fetch: fakeNode().fetch, now: () => NOW });
    await session.start();
    expect(session.state().name).toBe("signed_in");
  });
});

/** The desktop app, with a home whose key is the app's own. */
function desktopHome() {
  const signIn = vi.fn();
  const home = sharedHome({ version: "1", signIn, openSettings: () => undefined });
  return {
    signIn,
    /** The window, and the link that the app opens over it. */
    window: () => {
      const listeners: (() => void)[] = [];
      let code: string | undefined;
      const platform = home();
      platform.takePairingCode = () => code;
      platform.onPairingLink = (listener) => {
        listeners.push(listener);
        return () => undefined;
      };
      const openLink = (next: string) => {
        code = next;
        for (const listener of listeners) listener();
      };
      return { platform, openLink };
    },
  };
}

describe("the window of the desktop app", () => {
  it("is signed in by the app when it has no session, without a word in between", async () => {
    const { signIn, window } = desktopHome();
    const { platform, openLink } = window();
    const session = createSession({ platform, fetch: fakeNode().fetch, now: () => NOW });
    await session.start();
    expect(signIn).toHaveBeenCalledOnce();
    expect(session.state()).toEqual({ name: "starting" });
    openLink("good");
    await vi.waitFor(() => expect(session.state().name).toBe("signed_in"));
    expect(signIn).toHaveBeenCalledOnce();
  });

  it("is signed in again when its session has ended", async () => {
    const { signIn, window } = desktopHome();
    const { platform } = window();
    platform.secret.write("old");
    const refusing = () => Promise.resolve(Response.json({ error: { code: "SESSION_ENDED" } }, { status: 401 }));
    await createSession({ platform, fetch: refusing, now: () => NOW }).start();
    expect(signIn).toHaveBeenCalledOnce();
  });

  it("is left alone after signing out by hand, also by a window that opens later, until somebody presses the button", async () => {
    const { signIn, window } = desktopHome();
    const node = fakeNode();
    const first = window();
    const session = createSession({ platform: first.platform, fetch: node.fetch, now: () => NOW });
    await session.start();
    first.openLink("good");
    await vi.waitFor(() => expect(session.state().name).toBe("signed_in"));
    signIn.mockClear();
    await session.signOut();
    const later = window();
    const next = createSession({ platform: later.platform, fetch: node.fetch, now: () => NOW + 3_600_000 });
    await next.start();
    expect(signIn).not.toHaveBeenCalled();
    expect(next.state()).toEqual({ name: "signed_out", reason: "no_link" });
    next.signInByApp();
    expect(signIn).toHaveBeenCalledOnce();
    later.openLink("good");
    await vi.waitFor(() => expect(next.state().name).toBe("signed_in"));
  });

  it("says so when the app does not answer, and does not ask again and again", async () => {
    vi.useFakeTimers();
    const { signIn, window } = desktopHome();
    const session = createSession({ platform: window().platform, fetch: fakeNode().fetch, now: () => Date.now() });
    await session.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(session.state()).toEqual({ name: "signed_out", reason: "app_silent" });
    await expect(session.accessToken()).rejects.toBeInstanceOf(SignedOut);
    expect(signIn).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });

  it("says so when the app's link is refused, and does not ask for another", async () => {
    const { signIn, window } = desktopHome();
    const { platform, openLink } = window();
    const session = createSession({ platform, fetch: fakeNode().fetch, now: () => NOW });
    await session.start();
    openLink("bad");
    await vi.waitFor(() => expect(session.state()).toMatchObject({ name: "signed_out", reason: "link_spent" }));
    expect(signIn).toHaveBeenCalledOnce();
  });
});

describe("a guest", () => {
  it("leaves nothing behind, and is a new guest when the token has ended", async () => {
    const platform = sharedHome()();
    const node = fakeNode();
    let clock = NOW;
    const session = createSession({ platform, fetch: node.fetch, now: () => clock });
    await session.start();
    await session.signInAsGuest();
    expect(session.state()).toMatchObject({ name: "signed_in", me: { role: "guest" } });
    expect(platform.secret.read()).toBeUndefined();
    clock += 3_600_000;
    expect(await session.accessToken()).toBe("access-2");
    expect(node.count("/v1/auth/guest")).toBe(2);
  });
});

describe("a request of somebody who is signed in", () => {
  it("is sent again, with its body, after its token was refused once", async () => {
    const home = sharedHome();
    const node = fakeNode();
    const session = createSession({ platform: home("good"), fetch: node.fetch, now: () => NOW });
    await session.start();
    const other = createSession({ platform: home(), fetch: node.fetch, now: () => NOW });
    await other.start();
    // The other window's refresh made this window's token an old one for the fake node.
    const send = authorizedFetch(session, node.fetch);
    const response = await send(new Request("http://node.test/v1/jobs", { method: "POST", body: "typed" }));
    expect(await response.json()).toEqual({ echo: "typed" });
    expect(node.count("/v1/jobs")).toBe(2);
  });

  it("fails as signed out when there is nothing to sign it with", async () => {
    const session = createSession({ platform: sharedHome()(), fetch: fakeNode().fetch, now: () => NOW });
    const send = authorizedFetch(session, () => Promise.reject(new Error("must not be sent")));
    await expect(send(new Request("http://node.test/v1/jobs"))).rejects.toBeInstanceOf(SignedOut);
  });
});
