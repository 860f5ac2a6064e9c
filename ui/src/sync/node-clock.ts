import type { After } from "./timers";

/** How often the node is asked for its time at once. */
export const SAMPLES = 5;
const SAMPLE_GAP_MS = 100;
/** An answer that took longer says too little about when it was given. */
export const ROUND_TRIP_MS_MAX = 500;
/** How often the time is asked for again while somebody looks: clocks drift some ten milliseconds in that time. */
const AGAIN_AFTER_MS = 180_000;
/** How soon it is asked for again after a round that gave nothing. */
const RETRY_AFTER_MS = 5_000;

/** What is known about the node's clock. */
export interface ClockReading {
  /** What this machine's clock has to be set forward by. */
  offsetMs: number;
  /** The round trip of the sample that was taken: the offset is at most half of it wrong. */
  roundTripMs: number;
  /** How far the offset moved since the reading before; `null` at the first. */
  driftMs: number | null;
}

interface Sample {
  offsetMs: number;
  roundTripMs: number;
}

interface Dependencies {
  /** Asks the node for its time, in milliseconds since the epoch. */
  fetchTime: (signal: AbortSignal) => Promise<number>;
  /** This machine's clock. */
  now: () => number;
  after: After;
  isVisible: () => boolean;
  /** Calls back when the page is shown or hidden. Returns what stops that. */
  onVisibility: (listener: () => void) => () => void;
}

export type NodeClock = ReturnType<typeof createNodeClock>;

/** Takes the sample in the middle of those that came back in time; `undefined` if none did. */
export function medianSample(samples: readonly Sample[]): Sample | undefined {
  const usable = samples.filter(({ roundTripMs }) => roundTripMs >= 0 && roundTripMs <= ROUND_TRIP_MS_MAX);
  const sorted = usable.toSorted((one, other) => one.offsetMs - other.offsetMs);
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (lower === undefined || upper === undefined) return undefined;
  return {
    offsetMs: (lower.offsetMs + upper.offsetMs) / 2,
    roundTripMs: Math.max(lower.roundTripMs, upper.roundTripMs),
  };
}

/**
 * The node's clock, as far as it is known here. It is read while somebody listens and the page can be seen: at once,
 * every few minutes, whenever the page is shown again, and when somebody asks for it, as after a reconnect.
 */
export function createNodeClock({ fetchTime, now, after, isVisible, onVisibility }: Dependencies) {
  let reading: ClockReading | undefined;
  let running: AbortController | undefined;
  let cancelNext: (() => void) | undefined;
  let stopVisibility: (() => void) | undefined;
  const listeners = new Set<() => void>();

  function wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = after(ms, resolve);
      signal.addEventListener("abort", () => {
        cancel();
        resolve();
      }, { once: true });
    });
  }

  async function sample(signal: AbortSignal): Promise<Sample | undefined> {
    const sentAtMs = now();
    try {
      const nodeMs = await fetchTime(signal);
      const roundTripMs = now() - sentAtMs;
      return { offsetMs: nodeMs - sentAtMs - roundTripMs / 2, roundTripMs };
    } catch {
      // A sample that got no answer is one less; the others may do.
      return undefined;
    }
  }

  async function read(signal: AbortSignal): Promise<void> {
    const samples: Sample[] = [];
    for (let count = 0; count < SAMPLES; count += 1) {
      if (count > 0) await wait(SAMPLE_GAP_MS, signal);
      if (signal.aborted) return;
      const taken = await sample(signal);
      if (taken !== undefined) samples.push(taken);
    }
    if (signal.aborted) return;
    running = undefined;
    const median = medianSample(samples);
    if (median !== undefined) {
      reading = { ...median, driftMs: reading === undefined ? null : median.offsetMs - reading.offsetMs };
      for (const listener of listeners) listener();
    }
    cancelNext = after(median === undefined ? RETRY_AFTER_MS : AGAIN_AFTER_MS, resync);
  }

  function rest() {
    running?.abort();
    running = undefined;
    cancelNext?.();
    cancelNext = undefined;
  }

  /** Reads the node's clock again, unless it is being read or nobody looks. */
  function resync() {
    if (listeners.size === 0 || !isVisible() || running !== undefined) return;
    cancelNext?.();
    running = new AbortController();
    void read(running.signal);
  }

  function settle() {
    if (isVisible()) resync();
    else rest();
  }

  return {
    /** The node's time. Before the first reading it is this machine's own. */
    nowMs: () => now() + (reading?.offsetMs ?? 0),
    reading: () => reading,
    resync,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      if (listeners.size === 1) {
        stopVisibility = onVisibility(settle);
        settle();
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stopVisibility?.();
        rest();
      };
    },
  };
}
