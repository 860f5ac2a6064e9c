import { describe, expect, it } from "vitest";

import type { LogLine } from "~/api/types";

import { appendLines, EMPTY_LOG, LINES_KEPT } from "./log-lines";

function line(seq: number): LogLine {
  return { seq, at: "2026-01-01T00:00:00.000Z", attempt: 1, level: "info", message: `line ${seq}` };
}

describe("the lines of a log", () => {
  it("are each there once, however often they arrive", () => {
    const log = appendLines(appendLines(EMPTY_LOG, [line(1), line(2)]), [line(2), line(3)]);
    expect(log.lines.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(appendLines(log, [line(1)]), "nothing new changes nothing").toBe(log);
  });

  it("are the last ones of a long log", () => {
    const many = Array.from({ length: LINES_KEPT + 5 }, (_, index) => line(index + 1));
    const log = appendLines(EMPTY_LOG, many);
    expect(log.lines).toHaveLength(LINES_KEPT);
    expect(log.lines[0]?.seq).toBe(6);
    expect(log.dropped).toBe(5);
  });
});
