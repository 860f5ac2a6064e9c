import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createRefresher } from "./refresher";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the refresher", () => {
  it("fetches at once, then once more for all that came meanwhile", async () => {
    const fetched: string[] = [];
    const refresh = createRefresher((name) => {
      fetched.push(name);
      return Promise.resolve();
    }, () => 500);
    for (let count = 0; count < 100; count += 1) refresh("jobs");
    expect(fetched).toEqual(["jobs"]);
    refresh("engines");
    expect(fetched).toEqual(["jobs", "engines"]);
    await vi.advanceTimersByTimeAsync(500);
    expect(fetched).toEqual(["jobs", "engines", "jobs"]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetched, "quiet afterwards").toHaveLength(3);
  });

  it("goes on after a fetch that failed", async () => {
    const fetchAnew = vi.fn(() => Promise.reject(new Error("away")));
    const refresh = createRefresher(fetchAnew, () => 500);
    refresh("jobs");
    await vi.advanceTimersByTimeAsync(500);
    refresh("jobs");
    expect(fetchAnew).toHaveBeenCalledTimes(2);
  });
});
