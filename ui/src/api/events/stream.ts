import { createParser } from "eventsource-parser";

import { ApiError, SignedOut } from "../error";
import { parseJson } from "~/json";
import { type NodeEvent, readBye, readEvent } from "./envelope";

/** How the way to the node is. */
export type StreamState =
  | { name: "connecting" }
  | { name: "live" }
  | { name: "waiting"; failures: number; retryAtMs: number }
  | { name: "idle" };

/** After the nth failure in a row; the last one from then on. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;

/** A connection that ended with its token is made again without a wait if it lasted this long. */
const AT_ONCE_AFTER_MS = 5_000;

/** The node sends at least a comment far more often; a line this silent is dead, as after a sleep of the machine. */
export const SILENCE_MAX_MS = 60_000;

interface Dependencies {
  /** Opens the stream, after the event of that id if there is one. */
  open: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Response>;
  onEvent: (event: NodeEvent) => void;
  /** The stream is open; `isFirst` when it began now, so that what happened before it is not in it. */
  onOpen: (isFirst: boolean) => void;
  now: () => number;
}

export type EventStream = ReturnType<typeof createEventStream>;

/** Follows the node's events, and comes back after every cut at the event where it was cut off. */
export function createEventStream({ open, onEvent, onOpen, now }: Dependencies) {
  let state: StreamState = { name: "idle" };
  let cursor: string | undefined;
  let running: AbortController | undefined;
  let retryNow: (() => void) | undefined;
  const listeners = new Set<() => void>();

  function become(next: StreamState) {
    state = next;
    for (const listener of listeners) listener();
  }

  /** Reads one connection to its end, and says whether the node wants the caller back at once. */
  async function read(signal: AbortSignal, onOpened: () => void): Promise<boolean> {
    const response = await open(cursor, signal);
    if (!response.ok) throw await ApiError.from(response);
    if (response.body === null) throw new Error("The event stream has no body.");
    onOpened();
    become({ name: "live" });
    onOpen(cursor === undefined);
    const openedAtMs = now();
    let farewell: string | undefined;
    const parser = createParser({
      onEvent({ id, event: name, data }) {
        if (id !== undefined && id !== "") cursor = id;
        const json = parseJson(data);
        if (name === "bye") {
          farewell = readBye(json.ok ? json.value : data);
          return;
        }
        const event = json.ok ? readEvent(json.value) : undefined;
        if (event !== undefined) onEvent(event);
      },
    });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const silence = setTimeout(() => void reader.cancel(), SILENCE_MAX_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done || signal.aborted) break;
      parser.feed(decoder.decode(value, { stream: true }));
    }
    // The next request brings a new token. A node that says so again and again is not believed.
    return farewell === "token_expired" && now() - openedAtMs > AT_ONCE_AFTER_MS;
  }

  function wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      retryNow = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener("abort", () => retryNow?.(), { once: true });
    });
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      if (failures === 0) become({ name: "connecting" });
      try {
        const atOnce = await read(signal, () => {
          failures = 0;
        });
        if (atOnce) continue;
      } catch (error) {
        // A guest who may not follow the events would not be let in later either.
        if (error instanceof SignedOut || (error instanceof ApiError && error.status === 403)) {
          stop();
          return;
        }
      }
      failures += 1;
      const delayMs = RETRY_DELAYS_MS[Math.min(failures, RETRY_DELAYS_MS.length) - 1] ?? 30_000;
      become({ name: "waiting", failures, retryAtMs: now() + delayMs });
      await wait(delayMs, signal);
    }
  }

  function start() {
    if (running !== undefined) return;
    running = new AbortController();
    void run(running.signal);
  }

  function stop() {
    running?.abort();
    running = undefined;
    become({ name: "idle" });
  }

  return {
    start,
    stop,
    /** Forgets where it was: the next start begins at the present. */
    forget: () => {
      cursor = undefined;
    },
    /** Does not wait for the next try. */
    retryNow: () => retryNow?.(),
    state: () => state,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
