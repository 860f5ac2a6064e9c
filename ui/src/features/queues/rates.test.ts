import { describe, expect, it } from "vitest";

import type { Queue } from "~/api/types";

import { perMinute, perSecond, rateWords, totals } from "./figures";
import { isMoving } from "./rates";

const QUEUE: Queue = {
  name: "default",
  paused: false,
  scheduled: 0,
  queued: 0,
  leased: 0,
  enqueued_per_s: 0,
  finished_per_s: 0,
  failed_per_s: 0,
  measured_with_others: false,
  allowed_actions: [],
};

describe("rates", () => {
  it("are asked for again only while one of them can still fall", () => {
    expect(isMoving({ items: [] })).toBe(false);
    expect(isMoving({ items: [{ ...QUEUE, queued: 1_000, oldest_queued_age_ms: 5_000 }] })).toBe(false);
    for (const rate of [{ enqueued_per_s: 0.02 }, { finished_per_s: 1 }, { failed_per_s: 1 }]) {
      expect(isMoving({ items: [QUEUE, { ...QUEUE, ...rate }] })).toBe(true);
    }
  });

  it("are told with as many digits as tell something", () => {
    expect([0, 0.04, 0.5, 9.94, 12.4, 1_234].map(perSecond)).toEqual(["0", "<0.1", "0.5", "9.9", "12", (1_234).toLocaleString()]);
  });

  it("that are small are told by the minute", () => {
    expect([0, 0.01, 0.02, 0.5, 100].map(perMinute)).toEqual(["0", "<1", "1", "30", (6_000).toLocaleString()]);
    expect(rateWords(0.5)).toEqual({ value: "30", unit: "a minute" });
    expect(rateWords(12.4)).toEqual({ value: "12", unit: "a second" });
    expect(rateWords(0)).toEqual({ value: "0", unit: "a second" });
  });

  it("add up over queues, and the delay is that of the slowest", () => {
    const queues = [
      { ...QUEUE, enqueued_per_s: 1, finished_per_s: 2, failed_per_s: 3, claim_delay_p95_ms: 40 },
      { ...QUEUE, enqueued_per_s: 10, claim_delay_p95_ms: 900 },
      QUEUE,
    ];
    expect(totals(queues)).toEqual({ enqueuedPerS: 11, finishedPerS: 2, failedPerS: 3, claimDelayP95Ms: 900 });
    expect(totals([QUEUE]).claimDelayP95Ms).toBeUndefined();
  });
});
