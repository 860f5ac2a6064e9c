import { describe, expect, it, vi } from "vitest";

import { createConnection, type Dependencies, TicketDelayed, TicketRefused } from "./connection";
import type { SyncState } from "./state";
import { createWorld, syncState } from "./test-world";

type Events = Parameters<Dependencies["openSocket"]>[1];

/** A node of which nothing is there but what it says. */
function open({ random = () => 0, fetchTicket = () => Promise.resolve("ticket") }: Partial<Dependencies> = {}) {
  const world = createWorld();
  const sockets: { events: Events; said: string[]; isClosed: boolean; ticket: string }[] = [];
  const onReconnected = vi.fn();
  const connection = createConnection({
    fetchTicket,
    openSocket: (ticket, events) => {
      const socket = { events, said: Array.of<string>(), isClosed: false, ticket };
      sockets.push(socket);
      return {
        send: (text) => void socket.said.push(text),
        close: () => {
          socket.isClosed = true;
        },
      };
    },
    onReconnected,
    now: world.now,
    after: world.after,
    random,
  });
  const last = () => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  };
  const tell = (type: string, state?: SyncState) =>
    last().events.onMessage(JSON.stringify({ type, sessionId: "x", timestamp: world.now(), state }));
  const live = async (state: SyncState) => {
    await world.settled();
    last().events.onOpen();
    tell("CONNECTED");
    tell("STATE_SYNC", state);
  };
  return { world, sockets, connection, onReconnected, last, tell, live };
}

const version = (number: number) => syncState({ version: number, status: "running" });

describe("the connection of a session", () => {
  it("is live with the state that comes first, and follows what changes", async () => {
    const { connection, live, tell, last } = open();
    connection.start();
    expect(connection.followed().link).toEqual({ name: "connecting" });
    await live(version(3));
    expect(connection.followed()).toMatchObject({ link: { name: "live" }, state: { version: 3 } });
    tell("STATE_UPDATE", version(4));
    expect(connection.followed().state?.version).toBe(4);
    expect(last()).toMatchObject({ ticket: "ticket", said: [] });
  });

  it("never shows an older state over a newer one, whatever way they come", async () => {
    const { connection, live, tell } = open();
    connection.start();
    await live(version(5));
    for (const [heard, shown] of [[7, 7], [6, 7], [5, 7], [7, 7], [9, 9], [8, 9]] as const) {
      tell("STATE_UPDATE", version(heard));
      expect(connection.followed().state?.version, `after ${heard}`).toBe(shown);
    }
    connection.offer(version(2));
    expect(connection.followed().state?.version).toBe(9);
    connection.offer(version(12));
    tell("STATE_UPDATE", version(11));
    expect(connection.followed().state?.version).toBe(12);
  });

  it("begins anew with a session that was deleted and made again under its id", async () => {
    const { connection, live, tell } = open();
    connection.start();
    await live(version(9));
    tell("STATE_SYNC", syncState({ version: 1, created_at: "2027-01-15T09:00:00.000Z" }));
    expect(connection.followed().state?.version).toBe(1);
    tell("STATE_SYNC", version(10));
    expect(connection.followed().state?.version, "what was before it").toBe(1);
  });

  it("keeps the state it has through a cut, comes back, asks for everything and has the clock read again", async () => {
    const { connection, world, live, last, sockets, onReconnected } = open();
    connection.start();
    await live(version(3));
    last().events.onClose(1006, "");
    expect(connection.followed()).toMatchObject({ link: { name: "waiting", failures: 1 }, state: { version: 3 } });
    expect(onReconnected).not.toHaveBeenCalled();
    await world.advance(1_000);
    expect(sockets).toHaveLength(2);
    await live(version(8));
    expect(last().said).toEqual(['{"type":"RECONNECT"}']);
    expect(onReconnected).toHaveBeenCalledOnce();
    expect(connection.followed()).toMatchObject({ link: { name: "live" }, state: { version: 8 } });
  });

  it("waits 1, 2, 4, 8, 16, 30 and 30 s, also when lines come up and break at once", async () => {
    const { connection, world, live, last, sockets } = open();
    connection.start();
    for (const delayMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await live(version(3));
      const count = sockets.length;
      last().events.onClose(1001, "the node is stopping");
      await world.advance(delayMs - 1);
      expect(sockets, `before ${delayMs} ms`).toHaveLength(count);
      await world.advance(1);
      expect(sockets, `after ${delayMs} ms`).toHaveLength(count + 1);
    }
  });

  it("begins with a second again after a line that was up for a while", async () => {
    const { connection, world, live, tell, last } = open();
    connection.start();
    await live(version(3));
    last().events.onClose(1006, "");
    await world.advance(1_000);
    last().events.onClose(1006, "");
    await world.advance(2_000);
    await live(version(3));
    await world.advance(6_000);
    tell("STATE_UPDATE", version(4));
    await world.advance(6_000);
    last().events.onClose(1006, "");
    expect(connection.followed().link).toMatchObject({ name: "waiting", failures: 1, retryAtMs: world.now() + 1_000 });
  });

  it("spreads those who were cut off together over half of the delay, and never over less than it", async () => {
    let seed = 7;
    const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const delays: number[] = [];
    for (let client = 0; client < 500; client += 1) {
      const { connection, world, live, last } = open({ random });
      connection.start();
      await live(version(1));
      last().events.onClose(1001, "");
      const { link } = connection.followed();
      if (link.name === "waiting") delays.push(link.retryAtMs - world.now());
    }
    expect(delays).toHaveLength(500);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
    const fullest = Math.max(...Array.from({ length: 10 }, (_, tenth) => delays.filter((ms) => Math.min(9, Math.floor((ms - 500) / 50)) === tenth).length));
    expect(fullest, "in the fullest 50 ms").toBeLessThan(100);
  });

  it("asks a silent line whether anybody is there, and leaves it when nobody answers", async () => {
    const { connection, world, live, tell, last } = open();
    connection.start();
    await live(version(3));
    await world.advance(10_000);
    expect(last().said).toEqual(['{"type":"PING"}']);
    await world.advance(4_000);
    tell("PONG");
    await world.advance(9_999);
    expect(last().said).toHaveLength(1);
    await world.advance(1);
    expect(last().said).toHaveLength(2);
    const dead = last();
    await world.advance(5_000);
    expect(dead.isClosed).toBe(true);
    expect(connection.followed().link.name).toBe("waiting");
    // What the dead line still says is not heard.
    dead.events.onMessage(JSON.stringify({ type: "STATE_UPDATE", state: version(99) }));
    expect(connection.followed().state?.version).toBe(3);
  });

  it("gives up a socket that never opens", async () => {
    const { connection, world, sockets } = open();
    connection.start();
    await world.advance(10_000);
    expect(connection.followed().link.name).toBe("waiting");
    await world.advance(1_000);
    expect(sockets).toHaveLength(2);
  });

  it("ends when the session is deleted", async () => {
    const { connection, world, live, tell, last, sockets } = open();
    connection.start();
    await live(version(3));
    tell("SESSION_DELETED");
    last().events.onClose(1000, "the session was deleted");
    expect(connection.followed().link).toEqual({ name: "ended", ending: { name: "deleted" } });
    await world.advance(120_000);
    expect(sockets).toHaveLength(1);
    expect(world.waiting()).toBe(0);
  });

  it("comes back after a close with 1000 that no deletion explains", async () => {
    const { connection, live, last } = open();
    connection.start();
    await live(version(3));
    last().events.onClose(1000, "");
    expect(connection.followed().link.name).toBe("waiting");
  });

  it("stops with the reason when the node closes with 1008, but fetches a new ticket when only the token ended", async () => {
    for (const [reason, expected] of [
      ["there is no such session", { name: "ended", ending: { name: "refused", reason: "There is no such session, or it is not yours to see." } }],
      ["some new reason", { name: "ended", ending: { name: "refused", reason: "some new reason" } }],
      ["token_expired", { name: "waiting" }],
      ["no answer to pings", { name: "waiting" }],
    ] as const) {
      const { connection, live, last } = open();
      connection.start();
      await live(version(3));
      last().events.onClose(1008, reason);
      expect(connection.followed().link, reason).toMatchObject(expected);
    }
  });

  it("stops when no ticket is given for good, and waits as long as the node says when it is only delayed", async () => {
    const refused = open({ fetchTicket: () => Promise.reject(new TicketRefused("guests may not")) });
    refused.connection.start();
    await refused.world.settled();
    expect(refused.connection.followed().link).toEqual({ name: "ended", ending: { name: "refused", reason: "guests may not" } });

    const fetchTicket = vi.fn(() => Promise.reject(new TicketDelayed(7_000, "429")));
    const delayed = open({ fetchTicket });
    delayed.connection.start();
    await delayed.world.advance(6_999);
    expect(fetchTicket).toHaveBeenCalledOnce();
    await delayed.world.advance(1);
    expect(fetchTicket).toHaveBeenCalledTimes(2);
  });

  it("hurries when somebody asks, and leaves nothing behind when it is stopped", async () => {
    const { connection, world, live, last, sockets } = open();
    connection.start();
    await live(version(3));
    last().events.onClose(1006, "");
    connection.retryNow();
    await live(version(3));
    expect(sockets).toHaveLength(2);
    connection.refresh();
    expect(last().said).toEqual(['{"type":"RECONNECT"}', '{"type":"RECONNECT"}']);
    connection.stop();
    expect(last().isClosed).toBe(true);
    expect(world.waiting()).toBe(0);
    last().events.onClose(1006, "");
    expect(connection.followed().link).toEqual({ name: "idle" });
    connection.start();
    await live(version(4));
    expect(connection.followed().state?.version).toBe(4);
  });

  it("is not disturbed by messages it does not know", async () => {
    const { connection, live, last } = open();
    connection.start();
    await live(version(3));
    for (const text of ["", "[]", "7", '{"type":"NEWS"}', '{"type":"STATE_UPDATE","state":{"version":9}}', '{"type":"ERROR","code":"X"}']) {
      last().events.onMessage(text);
    }
    expect(connection.followed()).toMatchObject({ link: { name: "live" }, state: { version: 3 } });
  });
});
