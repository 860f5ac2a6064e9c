import { backoffMs } from "./backoff";
import { type Ending, endingOf } from "./endings";
import { readMessage } from "./read";
import { isNewer } from "./newer";
import type { SyncState } from "./state";
import type { After } from "./timers";

/** How the way to the node is. */
export type Link =
  | { name: "idle" }
  | { name: "connecting" }
  | { name: "live" }
  | { name: "waiting"; failures: number; retryAtMs: number }
  | { name: "ended"; ending: Ending };

/** What is known of a session, and how. */
export interface Followed {
  link: Link;
  /** The newest state that was heard of; `undefined` before the first. */
  state: SyncState | undefined;
}

/** A socket, once it is being opened. */
export interface Socket {
  send: (text: string) => void;
  close: () => void;
}

interface SocketEvents {
  onOpen: () => void;
  onMessage: (text: string) => void;
  onClose: (code: number, reason: string) => void;
}

/** Why no ticket was given, where trying again may help. */
export class TicketDelayed extends Error {
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, cause: unknown) {
    super("There is no ticket yet.", { cause });
    this.name = "TicketDelayed";
    this.retryAfterMs = retryAfterMs;
  }
}

/** Why no ticket was given, where trying again does not help. */
export class TicketRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TicketRefused";
  }
}

export interface Dependencies {
  /** Gets a ticket that opens one socket. Throws [`TicketDelayed`] or [`TicketRefused`]. */
  fetchTicket: () => Promise<string>;
  openSocket: (ticket: string, events: SocketEvents) => Socket;
  /** Called each time a line is up again after it was cut: the clock may have moved meanwhile. */
  onReconnected: () => void;
  now: () => number;
  after: After;
  /** From 0 up to 1. */
  random: () => number;
}

/** The node says something after this long at the latest, if it is asked. */
const ANSWER_MAX_MS = 5_000;
/** A line that was silent for this long is asked whether anybody is there. */
const SILENCE_MAX_MS = 10_000;
/** A socket that is not open after this long is given up. */
const OPENING_MAX_MS = 10_000;
/** A line that was up for this long counts as good again. A shorter one was a failure, however it began. */
const GOOD_AFTER_MS = 10_000;

export type Connection = ReturnType<typeof createConnection>;

/**
 * Follows one session over a WebSocket, and comes back after every cut until the node says that it is over.
 *
 * States are kept by their version: whatever way and in whatever order they come, an older one never replaces a newer.
 */
export function createConnection({ fetchTicket, openSocket, onReconnected, now, after, random }: Dependencies) {
  let followed: Followed = { link: { name: "idle" }, state: undefined };
  let failures = 0;
  let hadLine = false;
  let socket: Socket | undefined;
  /** Grows with each attempt: what an attempt before still says is not for this one. */
  let attempt = 0;
  const timers = new Set<() => void>();
  const listeners = new Set<() => void>();

  function become(change: Partial<Followed>) {
    followed = { ...followed, ...change };
    for (const listener of listeners) listener();
  }

  function later(ms: number, task: () => void): () => void {
    const cancel = after(ms, () => {
      timers.delete(cancel);
      task();
    });
    timers.add(cancel);
    return () => {
      timers.delete(cancel);
      cancel();
    };
  }

  /** Lets go of the attempt there is, so that nothing of it is heard any more. */
  function letGo() {
    attempt += 1;
    for (const cancel of timers) cancel();
    timers.clear();
    socket?.close();
    socket = undefined;
  }

  function end(ending: Ending) {
    letGo();
    become({ link: { name: "ended", ending } });
  }

  function comeBack(atLeastMs = 0) {
    letGo();
    failures += 1;
    const delayMs = Math.max(backoffMs(failures, random()), atLeastMs);
    become({ link: { name: "waiting", failures, retryAtMs: now() + delayMs } });
    later(delayMs, () => void connect());
  }

  async function connect(): Promise<void> {
    letGo();
    const thisAttempt = attempt;
    const isOver = () => thisAttempt !== attempt;
    // Whoever waited goes on being told so until there is a line.
    if (failures === 0) become({ link: { name: "connecting" } });
    let ticket: string;
    try {
      ticket = await fetchTicket();
    } catch (error) {
      if (isOver()) return;
      if (error instanceof TicketRefused) end({ name: "refused", reason: error.message });
      else comeBack(error instanceof TicketDelayed ? error.retryAfterMs : 0);
      return;
    }
    if (!isOver()) talk(ticket, isOver);
  }

  function talk(ticket: string, isOver: () => boolean) {
    let wasDeleted = false;
    let stopWaiting = later(OPENING_MAX_MS, () => comeBack());
    // Each word of the node proves the line; silence is broken by a question, and no answer is a cut.
    const hear = () => {
      stopWaiting();
      stopWaiting = later(SILENCE_MAX_MS, () => {
        say("PING");
        stopWaiting = later(ANSWER_MAX_MS, () => comeBack());
      });
    };
    socket = openSocket(ticket, {
      onOpen: () => {
        if (isOver()) return;
        hear();
        // The node tells everything to whoever comes anyway. Asking makes sure that nothing from before the cut is shown.
        if (hadLine) {
          say("RECONNECT");
          onReconnected();
        }
        hadLine = true;
        later(GOOD_AFTER_MS, () => {
          failures = 0;
        });
      },
      onMessage: (text) => {
        if (isOver()) return;
        hear();
        const message = readMessage(text);
        if (message?.name === "deleted") wasDeleted = true;
        if (message?.name !== "state") return;
        const state = isNewer(message.state, followed.state) ? message.state : followed.state;
        become({ state, link: { name: "live" } });
      },
      onClose: (code, reason) => {
        if (isOver()) return;
        const ending = endingOf(code, reason, wasDeleted);
        if (ending === undefined) comeBack();
        else end(ending);
      },
    });
  }

  function say(type: "PING" | "RECONNECT") {
    socket?.send(JSON.stringify({ type }));
  }

  function start() {
    if (followed.link.name !== "idle") return;
    void connect();
  }

  function stop() {
    letGo();
    failures = 0;
    if (followed.link.name !== "ended") become({ link: { name: "idle" } });
  }

  return {
    start,
    stop,
    /** Does not wait for the next try. */
    retryNow: () => {
      if (followed.link.name === "waiting") void connect();
    },
    /** Asks for everything again, as after the page was hidden. */
    refresh: () => {
      if (followed.link.name === "live") say("RECONNECT");
    },
    /** Takes a state that came another way, if it is newer. */
    offer: (state: SyncState) => {
      if (isNewer(state, followed.state)) become({ state });
    },
    followed: () => followed,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
