import type { Queue } from "~/api/types";

/** Jobs a second, with as many digits as tell something. */
export function perSecond(rate: number): string {
  if (rate === 0) return "0";
  if (rate < 0.1) return "<0.1";
  if (rate < 10) return rate.toFixed(1);
  return Math.round(rate).toLocaleString();
}

/** Jobs a minute, for what is compared with each other. */
export function perMinute(rate: number): string {
  const count = rate * 60;
  return count > 0 && count < 1 ? "<1" : Math.round(count).toLocaleString();
}

/** A rate in the unit in which it is easiest to grasp. */
export function rateWords(rate: number): { value: string; unit: string } {
  return rate === 0 || rate >= 1 ? { value: perSecond(rate), unit: "a second" } : { value: perMinute(rate), unit: "a minute" };
}

/** What all queues together do. */
export interface QueueTotals {
  enqueuedPerS: number;
  finishedPerS: number;
  failedPerS: number;
  /** The slowest queue's, since delays do not add up. */
  claimDelayP95Ms: number | undefined;
}

export function totals(queues: readonly Queue[]): QueueTotals {
  const sum = (pick: (queue: Queue) => number) => queues.reduce((total, queue) => total + pick(queue), 0);
  const delays = queues.flatMap(({ claim_delay_p95_ms: p95 }) => (typeof p95 === "number" ? [p95] : []));
  return {
    enqueuedPerS: sum((queue) => queue.enqueued_per_s),
    finishedPerS: sum((queue) => queue.finished_per_s),
    failedPerS: sum((queue) => queue.failed_per_s),
    claimDelayP95Ms: delays.length === 0 ? undefined : Math.max(...delays),
  };
}
