import { describe, expect, it, vi } from "vitest";

import { isRecord, parseJson } from "~/json";
import type { Platform } from "~/platform";

import { authorizedFetch } from "./authorized-fetch";
import { SignedOut } from "./error";
import { createSession } from "./session";

const NOW = Date.parse("2026-01-01T00:00:00.000Z");

/** A home whose secret and lock several windows share. */
function sharedHome() {
  let secret: string | undefined;
  let queue = Promise.resolve();
  return (code?: string): Platform => ({
    deviceName: () => "a test",
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
    preference: { read: () => undefined, write: () => undefined },
  });
}

/** The node's side of signing in: refresh tokens work once, and a second use ends everything. */
function fakeNode() {
  let serial = 0;
  let ended = false;
  const spent = new Set<string>();
  const calls: string[] = [];

  function tokens() {
    serial += 1;
    return Response.json({
      access_token: `access-${serial}`,
      access_expires_at: new Date(NOW + 15 * 60_000).toISOString(),
      refresh_token: `refresh-${serial}`,
      me: { subject: "owner", role: "owner", session_id: null },
    });
  }

  const fetch = vi.fn(async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    calls.push(path);
    if (path === "/v1/auth/pair") {
      const { code } = await fields(request);
      return code === "good" ? tokens() : Response.json({ error: { code: "LINK_USED", message: "used" } }, { status: 401 });
    }
    if (path === "/v1/auth/refresh") {
      const { refresh_token: used = "" } = await fields(request);
      if (ended || spent.has(used)) {
        ended = true;
        return Response.json({ error: { code: "REFRESH_REUSED", message: "reused" } }, { status: 401 });
      }
      spent.add(used);
      return tokens();
    }
    const current = request.headers.get("authorization") === `Bearer access-${serial}`;
    return current ? Response.json({ echo: await request.text() }) : new Response(null, { status: 401 });
  });

  return { fetch, calls, count: (path: string) => calls.filter((call) => call === path).length };
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
