import { describe, expect, it } from "vitest";

import { outcomeWords, requeueRequest } from "./requeue";

const NO_OPTIONS = { toQueue: "", errorCode: "" };

describe("requeuing many jobs", () => {
  it("asks for the chosen ones by their ids and by nothing else", () => {
    expect(requeueRequest({ what: "chosen", ids: ["job_1", "job_2"] }, NO_OPTIONS)).toEqual({ ids: ["job_1", "job_2"] });
  });

  it("asks for all that match by the filters of the list, whatever page it shows", () => {
    const filters = { state: "failed", kind: "llm.chat", queue: "mail", tag: "eu", cursor: "page two" } as const;
    expect(requeueRequest({ what: "matching", filters }, { toQueue: " slow ", errorCode: "TIMEOUT" })).toEqual({
      state: "failed",
      kind: "llm.chat",
      queue: "mail",
      tag: "eu",
      error_code: "TIMEOUT",
      to_queue: "slow",
    });
  });

  it("says what came of it", () => {
    expect(outcomeWords({ requeued: 1, skipped: 0, more: false })).toBe("1 job was requeued.");
    expect(outcomeWords({ requeued: 12, skipped: 2, more: true })).toMatch(/^12 jobs were requeued; 2 stay.*; there are more/);
  });
});
