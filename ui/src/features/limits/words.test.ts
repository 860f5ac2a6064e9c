import { describe, expect, it } from "vitest";

import { limitWords, splitTarget, targetWords } from "./words";

describe("the target of a limit", () => {
  it("is told in words, and keeps colons of its name", () => {
    expect(splitTarget("key:tenant:7")).toEqual({ word: "key", name: "tenant:7" });
    expect(targetWords("kind:llm.chat")).toEqual({ what: "Jobs of kind", name: "llm.chat" });
    expect(targetWords("provider:openai").name).toBe("openai");
  });

  it("of a newer node is shown as it is", () => {
    expect(targetWords("planet:mars")).toEqual({ what: "Jobs counted by", name: "planet:mars" });
  });
});

describe("what a limit lets pass", () => {
  it("is told in words", () => {
    const cases = [
      [{ concurrency: 4 }, "at most 4 at once"],
      [{ concurrency: 1 }, "one at a time"],
      [{ concurrency: 0 }, "none starts"],
      [{ rate: { count: 60, per_ms: 60_000 } }, "at most 60 starts a minute"],
      [{ concurrency: 2, rate: { count: 1, per_ms: 10_000 } }, "at most 2 at once, at most one start every 10 seconds"],
      [{ concurrency: null, rate: null }, "no bound"],
    ] as const;
    for (const [limit, words] of cases) expect(limitWords(limit)).toBe(words);
  });
});
