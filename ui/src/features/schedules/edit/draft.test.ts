import { describe, expect, it } from "vitest";

import type { Schedule } from "~/api/types";

import { createRequest, draftOf, previewOf, updateRequest } from "./draft";

const SCHEDULE: Schedule = {
  id: "sch_1",
  name: "Nightly",
  cron: "30 2 * * *",
  time_zone: "Europe/Berlin",
  job: { kind: "noop", payload: { a: 1 }, queue: "night", attempts_max: 5, backoff: { initial_ms: 5, factor: 2, max_ms: 10, jitter: false } },
  missed: "skip",
  overlap: "skip",
  enabled: true,
  created_by: "owner",
  created_at: "2026-01-01T00:00:00.000Z",
  next_runs: [],
  allowed_actions: ["update"],
};

describe("a schedule that is filled in", () => {
  it("becomes a request with one way to tell the times", () => {
    const draft = draftOf(undefined, { duration_ms: 5 });
    draft.name = " Report ";
    draft.times = { ...draft.times, cron: " 0 9 * * * ", timeZone: "UTC" };
    draft.options = { queue: "slow", tags: ["eu"] };
    expect(createRequest("sleep", draft)).toEqual({
      name: "Report",
      cron: "0 9 * * *",
      time_zone: "UTC",
      missed: "once",
      overlap: "allow",
      job: { kind: "sleep", payload: { duration_ms: 5 }, queue: "slow", tags: ["eu"] },
    });
    draft.times = { ...draft.times, how: "interval", intervalMs: 60_000 };
    const request = createRequest("sleep", draft);
    expect(request).toMatchObject({ interval_ms: 60_000 });
    expect(request).not.toHaveProperty("cron");
    expect(request).not.toHaveProperty("time_zone");
  });

  it("leaves times alone that were not changed, since new ones count from now", () => {
    const draft = draftOf(SCHEDULE, undefined);
    const request = updateRequest(SCHEDULE, "noop", { ...draft, name: "Every night" });
    expect(request).toMatchObject({ name: "Every night", missed: "skip", overlap: "skip" });
    expect(request).not.toHaveProperty("cron");
    const later = updateRequest(SCHEDULE, "noop", { ...draft, times: { ...draft.times, timeZone: "UTC" } });
    expect(later).toMatchObject({ cron: "30 2 * * *", time_zone: "UTC" });
  });

  it("keeps what it does not show of the job, and takes away what was emptied", () => {
    const draft = draftOf(SCHEDULE, undefined);
    expect(draft.options).toEqual({ queue: "night", attempts_max: 5 });
    expect(updateRequest(SCHEDULE, "noop", { ...draft, options: { attempts_max: 2 } }).job).toEqual({
      kind: "noop",
      payload: { a: 1 },
      attempts_max: 2,
      backoff: SCHEDULE.job.backoff,
    });
  });

  it("is previewed as soon as it has times, and an interval from where it is counted", () => {
    const { times } = draftOf(undefined, {});
    expect(previewOf({ ...times, cron: " " })).toBeUndefined();
    expect(previewOf({ ...times, cron: "@daily", timeZone: "UTC" })).toEqual({ cron: "@daily", time_zone: "UTC" });
    expect(previewOf({ ...times, how: "interval", intervalMs: undefined })).toBeUndefined();
    const anchor = "2026-01-01T00:00:00.000Z";
    expect(previewOf({ ...times, how: "interval", intervalMs: 1_000, timeZone: "UTC", anchor })).toEqual({
      interval_ms: 1_000,
      time_zone: "UTC",
      anchor,
    });
  });
});
