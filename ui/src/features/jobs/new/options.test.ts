import { describe, expect, it } from "vitest";

import { optionsOf, SCHEDULED_OPTIONS_SCHEMA, withOptions } from "./options";

const OPTIONS = {
  queue: "mail",
  priority: 5,
  attempts_max: 2,
  timeout_ms: 1_000,
  unique_key: "invoice-7",
  concurrency_key: "tenant-7",
  concurrency_max: 2,
  tags: ["eu"],
};

describe("the options of a job", () => {
  it("go into the request and come back out of it", () => {
    const request = withOptions({ kind: "noop", payload: {} }, { ...OPTIONS, delay_ms: 5 });
    expect(request).toEqual({ kind: "noop", payload: {}, ...OPTIONS, delay_ms: 5 });
    expect(optionsOf(request)).toEqual({ ...OPTIONS, delay_ms: 5 });
  });

  it("that were emptied leave the request, and what is no option stays in it", () => {
    const engine = "eng_1";
    expect(withOptions({ kind: "noop", engine_id: engine, ...OPTIONS }, { priority: 1 })).toEqual({
      kind: "noop",
      engine_id: engine,
      priority: 1,
    });
  });

  it("of a schedule have no delay, because it has times of its own", () => {
    expect(Object.keys(SCHEDULED_OPTIONS_SCHEMA["properties"] ?? {}).sort()).toEqual(Object.keys(OPTIONS).sort());
  });
});
