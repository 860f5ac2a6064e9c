import { describe, expect, it } from "vitest";

import { joinSpan, perPeriod, spanWords, splitSpan } from "./span";

describe("a length of time", () => {
  it("comes back from its parts as it went in", () => {
    for (const ms of [1, 999, 1_000, 1_500, 60_000, 90_000, 3_600_000, 86_400_000, 172_800_000]) {
      const { count, unit } = splitSpan(ms);
      expect(joinSpan(count, unit), `${ms} as ${count} ${unit}`).toBe(ms);
    }
  });

  it("is shown in the largest unit that divides it", () => {
    expect(splitSpan(90_000)).toEqual({ count: "90", unit: "seconds" });
    expect(splitSpan(7_200_000)).toEqual({ count: "2", unit: "hours" });
    expect(splitSpan(undefined)).toEqual({ count: "", unit: "seconds" });
  });

  it("is none where no number was typed", () => {
    for (const typed of ["", " ", "x", "-1", "1e3", "1.2.3"]) expect(joinSpan(typed, "seconds"), typed).toBeUndefined();
    expect(joinSpan("1,5", "seconds")).toBe(1_500);
  });

  it("reads well in a sentence", () => {
    expect(perPeriod(60_000)).toBe("a minute");
    expect(perPeriod(600_000)).toBe("every 10 minutes");
    expect(spanWords(3_600_000)).toBe("1 hour");
    expect(spanWords(90_000)).toBe("90 seconds");
  });
});
