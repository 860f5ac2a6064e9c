import { describe, expect, it } from "vitest";

import { clockDuration, clockText } from "./clock-text";

describe("a clock for the eye", () => {
  it("rounds up what is left, so that zero means that it is out", () => {
    for (const [ms, shown] of [[0, "0:00.0"], [1, "0:00.1"], [59_901, "1:00.0"], [300_000, "5:00.0"], [3_723_400, "1:02:03.4"], [86_400_000, "24:00:00.0"]] as const) {
      expect(clockText(ms, "down"), `${ms} ms`).toBe(shown);
    }
  });

  it("rounds down what has passed", () => {
    for (const [ms, shown] of [[0, "0:00.0"], [99, "0:00.0"], [59_999, "0:59.9"], [3_600_000, "1:00:00.0"]] as const) {
      expect(clockText(ms, "up"), `${ms} ms`).toBe(shown);
    }
  });

  it("is exact to the millisecond for programs", () => {
    expect(clockDuration(12_345.4)).toBe("PT12.345S");
  });
});
