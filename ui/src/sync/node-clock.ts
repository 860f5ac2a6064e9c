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
/**
 * A step of this machine's clock beyond this is one that nobody may go on reckoning with. Between two readings clocks
 * that are only a little fast or slow stay within it, and so do browsers that round what they tell to a tenth.
 */
export const STEP_MS_MAX = 250;

/** What is known about the node's clock. */
export interface ClockReading {
  /** What this machine's clock has to be set forward by. */
  offsetMs: number;
  /** The round trip of the sample that was taken: the offset is at most half of it wrong. */
  roundTripMs: number;
  /** How far the offset moved since the reading before; `null` at the first, and after this machine slept. */
  driftMs: number | null;
}

interface Sample {
  offsetMs: number;
  roundTripMs: number;
}

interface Dependencies {
  /** Asks the node for its time, in milliseconds since the epoch. */
  fetchTime: (signal: AbortSignal) => Promise<number>;
  /** This machine's clock. It only runs forward, but may stand still while the machine sleeps. */
  now: () => number;
  /** This machine's time of day, which goes on meanwhile, and which anybody may set. */
  timeOfDay: () => number;
  after: After;
  isVisible: () => boolean;
  /** Calls back when the page is shown or hidden. Returns what stops that. */
  onVisibility: (listener: () => void) => () => void;
  /** Calls back when something happens that may be the end of a sleep. Returns what stops that. */
  onStir: (listener: () => void) => () => void;
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

/** Whether two readings are further apart than the ways explain, and than clocks drift. */
function isStep(one: Sample, other: Sample): boolean {
  return Math.abs(one.offsetMs - other.offsetMs) > STEP_MS_MAX + (one.roundTripMs + other.roundTripMs) / 2;
}

/**
 * The node's clock, as far as it is known here. It is read while somebody listens and the page can be seen: at once,
 * every few minutes, whenever the page is shown again, when this machine's two clocks went apart, as they do in its sleep,
 * and when somebody asks for it, as after a reconnect.
 */
export function createNodeClock({ fetchTime, now, timeOfDay, after, isVisible, onVisibility, onStir }: Dependencies) {
  let reading: ClockReading | undefined;
  let running: AbortController | undefined;
  /** How far this machine's two clocks are apart, as far as it is known. */
  let apartMs = timeOfDay() - now();
  let cancelNext: (() => void) | undefined;
  let stopListening: (() => void) | undefined;
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
    const before = reading;
    const samples: Sample[] = [];
    const isOver = () => signal.aborted;
    for (let count = 0; count < SAMPLES; count += 1) {
      if (count > 0) await wait(SAMPLE_GAP_MS, signal);
      if (isOver()) return;
      const taken = await sample(signal);
      // What was measured before a sleep and what comes after it are about two different clocks.
      if (notice() || isOver()) return;
      if (taken !== undefined) samples.push(taken);
      // A clock that slept is put right with the first answer; the others only make it exact.
      const soFar = medianSample(samples);
      if (soFar !== undefined && before !== undefined && isStep(before, soFar)) become({ ...soFar, driftMs: null });
    }
    running = undefined;
    const median = medianSample(samples);
    if (median !== undefined) {
      const hasDrifted = before !== undefined && !isStep(before, median);
      become({ ...median, driftMs: hasDrifted ? median.offsetMs - before.offsetMs : null });
    }
    cancelNext = after(median === undefined ? RETRY_AFTER_MS : AGAIN_AFTER_MS, resync);
  }

  function become(next: ClockReading) {
    reading = next;
    for (const listener of listeners) listener();
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
    apartMs = timeOfDay() - now();
    running = new AbortController();
    void read(running.signal);
  }

  /**
   * Looks whether this machine's clock stood still, or its time of day was set; then the node's is read anew at once. Says
   * whether it is.
   */
  function notice(): boolean {
    const nowApartMs = timeOfDay() - now();
    if (Math.abs(nowApartMs - apartMs) <= STEP_MS_MAX) return false;
    apartMs = nowApartMs;
    rest();
    resync();
    return true;
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
    notice,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      if (listeners.size === 1) {
        const stops = [onVisibility(settle), onStir(notice)];
        stopListening = () => {
          for (const stop of stops) stop();
        };
        settle();
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stopListening?.();
        rest();
      };
    },
  };
}
