import { describe, expect, it } from "vitest";

import { draftOf, readDraft } from "./request";

const EMPTY = draftOf();

function errorsOf(draft: Parameters<typeof readDraft>[0]): string[] {
  const read = readDraft(draft);
  return read.ok ? [] : read.errors.map(({ field }) => field);
}

describe("a limit that is filled in", () => {
  it("becomes a request, with what was left empty left out", () => {
    expect(readDraft({ ...EMPTY, name: " llm.chat ", concurrency: "4" })).toEqual({
      ok: true,
      target: "kind:llm.chat",
      request: { concurrency: 4 },
    });
    expect(readDraft({ ...EMPTY, word: "provider", name: "openai", starts: "60", perMs: 60_000 })).toEqual({
      ok: true,
      target: "provider:openai",
      request: { rate: { count: 60, per_ms: 60_000 } },
    });
  });

  it("comes back into the form as it was sent", () => {
    for (const limit of [
      { target: "key:tenant:7", concurrency: 0 },
      { target: "queue:mail", concurrency: 2, rate: { count: 5, per_ms: 1_500 } },
    ]) {
      const { target, ...request } = limit;
      expect(readDraft(draftOf(limit))).toEqual({ ok: true, target, request });
    }
  });

  it("says at the field what is wrong", () => {
    expect(errorsOf(EMPTY)).toEqual(["/target", "/concurrency"]);
    expect(errorsOf({ ...EMPTY, name: "x", concurrency: "many" })).toEqual(["/concurrency"]);
    expect(errorsOf({ ...EMPTY, name: "x", starts: "0" })).toEqual(["/rate/count"]);
    expect(errorsOf({ ...EMPTY, name: "x", starts: "5", perMs: undefined })).toEqual(["/rate/per_ms"]);
  });
});
